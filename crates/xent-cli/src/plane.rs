//! Losses over the plane of two logits.

use crate::failure::{Failure, Result};
use crate::numbers::Json;
use serde::Serialize;
use std::ops::RangeInclusive;
use xent::{Buffers, Domain, Evaluate, Family, Loss, Reduction};
use xent_chart::{Arrow, Figure, HeatMap, Panels, Scale, rounded};

/// What the colours show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shown {
    Value,
    GradientNorm,
}

/// Where losses are evaluated: a square of the plane, and maybe a point to mark.
#[derive(Clone, Debug)]
pub(crate) struct Plane {
    pub(crate) range: RangeInclusive<f64>,
    pub(crate) at: Option<(f64, f64)>,
}

/// Points in each direction, and from one arrow to the next.
const POINTS: usize = 121;
const BETWEEN_ARROWS: usize = 12;
/// Of numbers within the picture.
const DIGITS: u8 = 4;

/// A loss at some points of the plane.
#[derive(Serialize)]
pub(crate) struct Sampled {
    loss: String,
    value: Vec<Json<f64>>,
    /// Two numbers for each value.
    gradient: Vec<Json<f64>>,
}

/// Points of the plane, and the losses there.
#[derive(Serialize)]
pub(crate) struct PlaneJson {
    target: usize,
    logits: Vec<[f64; 2]>,
    losses: Vec<Sampled>,
}

impl Plane {
    /// The points, row after row.
    fn points(&self) -> Vec<[f64; 2]> {
        let (start, end) = (*self.range.start(), *self.range.end());
        let place = |index: usize| {
            let share = index as f64 / (POINTS - 1) as f64;
            start * (1.0 - share) + end * share
        };
        let row = |y: usize| (0..POINTS).map(move |x| [place(x), place(y)]);
        (0..POINTS).flat_map(row).collect()
    }

    pub(crate) fn json(&self, losses: &[&dyn Loss]) -> Result<PlaneJson> {
        let logits = match self.at {
            Some((x, y)) => vec![[x, y]],
            None => self.points(),
        };
        let sampled = |loss: &&dyn Loss| {
            let (value, gradient) = evaluate(*loss, &logits)?;
            let json = |numbers: Vec<f64>| numbers.into_iter().map(Json).collect();
            Ok(Sampled { loss: loss.name(), value: json(value), gradient: json(gradient) })
        };
        let losses = losses.iter().map(sampled).collect::<Result<_>>()?;
        Ok(PlaneJson { target: TARGET, logits, losses })
    }

    pub(crate) fn figure(&self, losses: &[&dyn Loss], shown: Shown) -> Result<Figure> {
        let points = self.points();
        let mut maps = Vec::new();
        let mut gradients = Vec::new();
        for loss in losses {
            let (values, gradient) = evaluate(*loss, &points)?;
            let norms: Vec<f64> = gradient.chunks(2).map(|g| g[0].hypot(g[1])).collect();
            let greatest = values.iter().copied().fold(0.0, f64::max);
            maps.push(HeatMap {
                title: loss.name(),
                notes: self.notes(*loss)?,
                x: "logit of the target class".to_owned(),
                y: "logit of the other class".to_owned(),
                range: *self.range.start()..*self.range.end(),
                values: match shown {
                    Shown::Value => values.iter().map(|value| value / greatest).collect(),
                    Shown::GradientNorm => norms.clone(),
                },
                arrows: Vec::new(),
                mark: self.at,
            });
            gradients.push((gradient, norms));
        }
        let norms = gradients.iter().flat_map(|(_, norms)| norms);
        let steepest = norms.copied().filter(|norm| norm.is_finite()).fold(0.0, f64::max);
        for (map, (gradient, _)) in maps.iter_mut().zip(&gradients) {
            map.arrows = self.arrows(&points, gradient, steepest);
        }
        let (name, greatest) = match shown {
            Shown::Value => ("loss, share of its greatest:", 1.0),
            Shown::GradientNorm => ("gradient norm:", steepest),
        };
        let scale = Scale {
            name: name.to_owned(),
            greatest,
            arrows: format!("arrows: −gradient, the longest {}", rounded(steepest, DIGITS)),
        };
        Ok(Figure { title: String::new(), panels: Panels::Maps(maps, scale) })
    }

    /// Value and gradient norm at the marked point.
    fn notes(&self, loss: &dyn Loss) -> Result<Vec<String>> {
        let Some((x, y)) = self.at else { return Ok(Vec::new()) };
        let (value, gradient) = evaluate(loss, &[[x, y]])?;
        let norm = gradient[0].hypot(gradient[1]);
        Ok(vec![
            format!("at ({x}, {y}): loss {}", rounded(value[0], DIGITS)).replace('-', "−"),
            format!("gradient norm {}", rounded(norm, DIGITS)).replace('-', "−"),
        ])
    }

    fn arrows(&self, points: &[[f64; 2]], gradient: &[f64], steepest: f64) -> Vec<Arrow> {
        let width = self.range.end() - self.range.start();
        let longest = 0.9 * width * BETWEEN_ARROWS as f64 / (POINTS - 1) as f64;
        let is_start = |index: usize| index % BETWEEN_ARROWS == BETWEEN_ARROWS / 2;
        let starts = (0..points.len()).filter(|i| is_start(i / POINTS) && is_start(i % POINTS));
        let arrow = |index: usize| {
            let [x, y] = points[index];
            let step = |entry: f64| -entry / steepest * longest;
            let to = (x + step(gradient[2 * index]), y + step(gradient[2 * index + 1]));
            Arrow { from: (x, y), to }
        };
        starts.map(arrow).filter(|arrow| arrow.to.0.is_finite() && arrow.to.1.is_finite()).collect()
    }
}

/// The class that is the target: the one of the horizontal axis.
const TARGET: usize = 0;

/// Values, and gradients in pairs.
fn evaluate(loss: &dyn Loss, logits: &[[f64; 2]]) -> Result<(Vec<f64>, Vec<f64>)> {
    if loss.family() != Family::Classwise
        || !matches!(loss.prediction_domain(), Domain::Logit | Domain::Real)
    {
        let name = loss.name();
        return Err(Failure::Usage(format!(
            "--plane is over the logits of two classes, which {name} does not take; leave it out, or \
             choose a loss such as cross_entropy"
        )));
    }
    let predictions = logits.as_flattened();
    let labels = vec![TARGET as i64; logits.len()];
    let (mut values, mut gradient) = (vec![0.0; logits.len()], vec![0.0; predictions.len()]);
    loss.on((predictions, 2), &labels).reduction(Reduction::None).evaluate_into(Buffers {
        values: Some(&mut values),
        gradient: Some(&mut gradient),
        curvature: None,
    })?;
    Ok((values, gradient))
}
