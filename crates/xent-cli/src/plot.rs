//! `xent plot`: losses as pictures.

use crate::curve::{Against, Curve, Grid, POINTS};
use crate::failure::{Failure, Result};
use crate::numbers::Json;
use crate::plane::{Plane, Shown};
use crate::terminal::{Output, width};
use anstream::ColorChoice;
use serde::Serialize;
use std::io::Write as _;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use xent::Loss;
use xent_chart::{Figure, LineChart, Panels, Series};
use xent_train::run::write_file;

/// Draw losses: their value, gradient and curvature
///
/// A picture goes to a file with --out, and to the terminal without. A loss on classes is drawn
/// over what it says of the target class, the other classes being equal. Gradient and curvature
/// are derivatives by the prediction, whatever the curve is drawn against.
///
///   xent plot huber:delta=1.5
///   xent plot mse mae huber log_cosh -o robust.svg
///   xent plot bce_with_logits focal:gamma=2 hinge --against prediction --show value,gradient
///   xent plot mse_softmax cross_entropy --plane --at=-4,4 -o plane.png
///
/// With --plane, losses are seen from above, over the plane of the logits of two classes, and
/// arrows show where the gradient pulls: why cross-entropy and not MSE trains a classifier.
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Plot {
    /// Names, with parameters if any (`huber:delta=2`), or sums (`mse + 0.5*mae`)
    #[arg(required = true, value_name = "LOSS")]
    losses: Vec<String>,
    /// What to draw, separated by `,`; value and gradient of one loss, and the value of several,
    /// unless given
    #[arg(long, value_enum, value_delimiter = ',', value_name = "WHAT")]
    show: Vec<Quantity>,
    /// What to draw it against; what suits the predictions of the loss unless given
    #[arg(long, value_enum, conflicts_with = "plane")]
    against: Option<Against>,
    /// From where to where, as FROM..TO
    #[arg(long, value_name = "RANGE", value_parser = range, allow_hyphen_values = true)]
    range: Option<RangeInclusive<f64>>,
    /// The target; for classes, the share of the target class, the others having equal shares
    #[arg(long, allow_hyphen_values = true, conflicts_with = "plane")]
    target: Option<f64>,
    /// How many classes a row has
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u16).range(2..=1000), conflicts_with = "plane")]
    classes: u16,
    /// How many points a curve has
    #[arg(long, default_value_t = POINTS as u32, value_parser = clap::value_parser!(u32).range(2..=100_000), conflicts_with = "plane")]
    points: u32,
    /// Draw losses over the plane of two logits, of which the first is that of the target class
    #[arg(long)]
    plane: bool,
    /// A point of the plane to mark, with its value and gradient norm
    #[arg(long, value_name = "X,Y", value_parser = point, requires = "plane", allow_hyphen_values = true)]
    at: Option<(f64, f64)>,
    /// Write the picture to a file, as its name ends: .svg or .png
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Print the points as JSON; with --at, only that point
    #[arg(long)]
    json: bool,
}

/// What can be drawn of a loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Quantity {
    /// The loss
    Value,
    /// Its derivative by the prediction
    Gradient,
    /// Its second derivative
    Curvature,
}

#[derive(Serialize)]
struct CurvesJson {
    against: String,
    x: Vec<f64>,
    curves: Vec<CurveJson>,
}

#[derive(Serialize)]
struct CurveJson {
    loss: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Vec<Json<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gradient: Option<Vec<Json<f64>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    curvature: Option<Vec<Json<f64>>>,
}

impl Plot {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        crate::interrupt::wait_for_writing();
        let format = self.out.as_deref().map(Format::of).transpose()?;
        let losses: Vec<Box<dyn Loss>> =
            self.losses.iter().map(|text| xent::loss(text)).collect::<xent::Result<_>>()?;
        let losses: Vec<&dyn Loss> = losses.iter().map(AsRef::as_ref).collect();
        let figure = match self.plane {
            true => self.draw_plane(&losses, output)?,
            false => self.draw_curves(&losses, output)?,
        };
        if let (Some(format), Some(path)) = (format, &self.out) {
            let file = match format {
                Format::Svg => figure.svg().map(String::into_bytes),
                Format::Png => figure.png(),
            };
            let file = file?;
            crate::interrupt::without(|| write_file(path, &file))?;
        } else if !self.json {
            let colours = output.current_choice() != ColorChoice::Never;
            let text = figure.text(width(), colours)?;
            write!(output, "{text}")?;
        }
        Ok(())
    }

    fn draw_curves(&self, losses: &[&dyn Loss], output: &mut Output) -> Result<Figure> {
        let grid = self.grid(losses)?;
        let show = self.shown(losses.len());
        let curves: Vec<Curve> =
            losses.iter().map(|loss| grid.curve(*loss)).collect::<Result<_>>()?;
        if self.json {
            let curve = |(loss, curve): (&&dyn Loss, &Curve)| {
                let numbers = |quantity: Quantity| {
                    let numbers = quantity.of(curve).iter().copied().map(Json).collect();
                    show.contains(&quantity).then_some(numbers)
                };
                CurveJson {
                    loss: loss.name(),
                    value: numbers(Quantity::Value),
                    gradient: numbers(Quantity::Gradient),
                    curvature: numbers(Quantity::Curvature),
                }
            };
            let curves = losses.iter().zip(&curves).map(curve).collect();
            print_json(
                &CurvesJson { against: grid.against.name(), x: grid.positions(), curves },
                output,
            )?;
        }
        Ok(figure(&grid, losses, &curves, &show))
    }

    fn draw_plane(&self, losses: &[&dyn Loss], output: &mut Output) -> Result<Figure> {
        let shown = match self.show[..] {
            [] | [Quantity::Value] => Shown::Value,
            [Quantity::Gradient] => Shown::GradientNorm,
            _ => {
                return Err(Failure::Usage(
                    "--show: the colours of a plane are for value or for gradient".to_owned(),
                ));
            }
        };
        let plane = Plane { range: self.range.clone().unwrap_or(-10.0..=10.0), at: self.at };
        if let Some((x, y)) = self.at
            && !(plane.range.contains(&x) && plane.range.contains(&y))
        {
            let (start, end) = (plane.range.start(), plane.range.end());
            return Err(Failure::Usage(format!(
                "--at {x},{y} is outside of the plane, {start}..{end}; change it, or --range"
            )));
        }
        if self.json {
            print_json(&plane.json(losses)?, output)?;
        }
        plane.figure(losses, shown)
    }

    fn grid(&self, losses: &[&dyn Loss]) -> Result<Grid> {
        let against = match self.against {
            Some(against) => against,
            None => common(losses)?,
        };
        let range = self.range.clone().unwrap_or(against.usual_range());
        if against == Against::Probability && !(range.start() >= &0.0 && range.end() <= &1.0) {
            let (start, end) = (range.start(), range.end());
            return Err(Failure::Usage(format!(
                "--range {start}..{end}: a probability is in 0..1; or choose another --against"
            )));
        }
        let (points, classes) = (self.points as usize, usize::from(self.classes));
        Ok(Grid { against, range, points, target: self.target, classes })
    }

    fn shown(&self, losses: usize) -> Vec<Quantity> {
        match (self.show.is_empty(), losses) {
            (false, _) => [Quantity::Value, Quantity::Gradient, Quantity::Curvature]
                .into_iter()
                .filter(|quantity| self.show.contains(quantity))
                .collect(),
            (true, 1) => vec![Quantity::Value, Quantity::Gradient],
            (true, _) => vec![Quantity::Value],
        }
    }
}

impl Quantity {
    fn of(self, curve: &Curve) -> &[f64] {
        match self {
            Self::Value => &curve.value,
            Self::Gradient => &curve.gradient,
            Self::Curvature => &curve.curvature,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Value => "loss",
            Self::Gradient => "gradient",
            Self::Curvature => "curvature",
        }
    }
}

/// A picture of one loss as its page has it.
pub(crate) fn usual_figure(loss: &dyn Loss) -> Result<Figure> {
    let grid = Grid::usual(loss);
    let curve = grid.curve(loss)?;
    let show = [Quantity::Value, Quantity::Gradient];
    Ok(Figure { title: String::new(), ..figure(&grid, &[loss], &[curve], &show) })
}

/// A panel for each quantity, with a curve for each loss.
fn figure(grid: &Grid, losses: &[&dyn Loss], curves: &[Curve], show: &[Quantity]) -> Figure {
    let mut axes: Vec<String> = losses.iter().map(|loss| grid.axis(*loss)).collect();
    axes.dedup();
    let x = match &axes[..] {
        [axis] => axis.clone(),
        _ => grid.against.name(),
    };
    let positions = grid.positions();
    let chart = |quantity: &Quantity| LineChart {
        x: x.clone(),
        y: quantity.name().to_owned(),
        series: losses
            .iter()
            .zip(curves)
            .enumerate()
            .map(|(colour, (loss, curve))| Series {
                name: loss.name(),
                colour,
                points: positions.iter().copied().zip(quantity.of(curve).iter().copied()).collect(),
                ..Series::default()
            })
            .collect(),
        poles: true,
        ..LineChart::default()
    };
    let title = match losses {
        [loss] => loss.name(),
        _ => String::new(),
    };
    Figure { title, panels: Panels::Curves(show.iter().map(chart).collect()) }
}

/// What several losses can be drawn against, if it is the same for all of them; scores and logits
/// are both predictions.
fn common(losses: &[&dyn Loss]) -> Result<Against> {
    let usual = |loss: &&dyn Loss| Against::usual(*loss);
    let first = usual(&losses[0]);
    let is_score = |against| matches!(against, Against::Logit | Against::Prediction);
    if losses.iter().all(|loss| usual(loss) == first) {
        return Ok(first);
    }
    if losses.iter().map(usual).all(is_score) {
        return Ok(Against::Prediction);
    }
    let named = |loss: &&dyn Loss| format!("{} against {}", loss.name(), usual(loss).name());
    let other = losses.iter().find(|loss| usual(loss) != first).unwrap_or(&losses[0]);
    Err(Failure::Usage(format!(
        "{} is drawn {}, and {}; say --against for both",
        losses[0].name(),
        format_args!("against {}", first.name()),
        named(other)
    )))
}

fn print_json(points: &impl Serialize, output: &mut Output) -> Result {
    serde_json::to_writer(&mut *output, points)?;
    writeln!(output)?;
    Ok(())
}

/// A kind of file for pictures.
#[derive(Clone, Copy, Debug)]
enum Format {
    Svg,
    Png,
}

impl Format {
    fn of(path: &Path) -> Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or("");
        match extension.to_ascii_lowercase().as_str() {
            "svg" => Ok(Self::Svg),
            "png" => Ok(Self::Png),
            _ => Err(Failure::Usage(format!(
                "--out {}: the name of a picture must end in .svg or .png",
                path.display()
            ))),
        }
    }
}

fn range(text: &str) -> std::result::Result<RangeInclusive<f64>, String> {
    const FORM: &str = "write FROM..TO, as -6..6";
    let (start, end) = text.split_once("..").ok_or(FORM)?;
    let end = end.strip_prefix('=').unwrap_or(end);
    let (start, end) = (number(start)?, number(end)?);
    match start < end && (end - start).is_finite() {
        true => Ok(start..=end),
        false => Err(format!("there is nothing between {start} and {end}; {FORM}")),
    }
}

fn point(text: &str) -> std::result::Result<(f64, f64), String> {
    let (x, y) = text.split_once(',').ok_or("write two numbers, as -4,4")?;
    Ok((number(x)?, number(y)?))
}

fn number(text: &str) -> std::result::Result<f64, String> {
    let number = text.trim().parse().map_err(|_| format!("`{}` is not a number", text.trim()))?;
    match f64::is_finite(number) {
        true => Ok(number),
        false => Err(format!("{number} is not finite")),
    }
}
