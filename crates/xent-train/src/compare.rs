//! Losses compared with each other: trained on the same rows, from the same
//! first weights, for the same number of steps, and judged by the same measures.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};
use xent_chart::{Chart, Interval, IntervalChart, LineChart, Series};

use crate::data::{Dataset, Notice, Task};
use crate::experiment::{Configuration, ExperimentError, Prepared, WeightedLoss, train};
use crate::fit::{Epoch, Observer};
use crate::metrics::Figure;
use crate::report::{Block, Report, Section, Table as Rows};

/// A difference is noise unless it would be this rare between equals.
const SIGNIFICANCE: f64 = 0.05;

/// The rule by which differences are judged, for readers of a comparison.
pub const RULE: &str = "A difference to the best is within the noise if a paired t-test over the \
    seeds, corrected for their shared rows (Nadeau and Bengio, 2003), does not find it at the 5% \
    level.";

/// What is shown of training itself.
pub const COSTS: [&str; 2] = ["gradient norm at start", "seconds per epoch"];

/// Watches a comparison.
pub trait ComparisonObserver: Observer {
    /// Called before a loss is trained with a seed.
    fn trial(&mut self, _loss: &WeightedLoss, _seed: u64) {}
}

impl ComparisonObserver for () {}

/// Losses on the same rows.
#[derive(Clone, Debug, Serialize)]
pub struct Comparison {
    /// File path or name of the table.
    pub data: String,
    /// The predicted column.
    pub target: String,
    /// What is predicted.
    pub task: Task,
    /// Number of training, validation and test rows.
    pub rows: [usize; 3],
    /// The seeds, each with its own split, first weights and order of rows.
    pub seeds: Vec<u64>,
    /// The losses in the order given.
    pub losses: Vec<Contender>,
    /// What was done to the data, for the first seed.
    #[serde(skip)]
    pub notices: Vec<Notice>,
}

/// What one loss came to.
#[derive(Clone, Debug, Serialize)]
pub struct Contender {
    /// The loss with its class weights, as text.
    pub loss: String,
    /// Results on the test rows.
    pub measures: Vec<Measure>,
    /// Norm of the gradient of the loss before the first step.
    pub first_gradient_norm: Summary,
    /// Duration of an epoch.
    pub seconds_per_epoch: Summary,
    /// Epochs of each seed.
    #[serde(skip)]
    pub histories: Vec<Vec<Epoch>>,
}

/// A measure that does not depend on the loss of training.
#[derive(Clone, Debug, Serialize)]
pub struct Measure {
    /// Its name, such as `accuracy`.
    pub name: &'static str,
    /// Over the seeds.
    #[serde(flatten)]
    pub summary: Summary,
    /// How it stands to the best of the losses.
    pub verdict: Verdict,
    /// One value per seed.
    pub values: Vec<f64>,
}

/// Mean and spread over the seeds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of a sample; `None` for one seed.
    pub deviation: Option<f64>,
}

/// How a loss stands to the best one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It has the best mean.
    Best,
    /// The difference may well be chance.
    WithinNoise,
    /// It is worse, and hardly by chance.
    Worse,
    /// One seed says nothing about chance.
    Unknown,
}

impl Verdict {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::WithinNoise => "within noise",
            Self::Worse => "worse",
            Self::Unknown => "unknown",
        }
    }
}

impl Summary {
    /// Of a sample that is not empty.
    pub fn of(values: &[f64]) -> Self {
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let deviation = (values.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
        Self { mean, deviation }
    }
}

/// The losses that are worth comparing first for a task: the usual one, the
/// same with classes or outliers weighed otherwise, and a classic wrong choice.
pub fn usual_losses(task: Task) -> Vec<WeightedLoss> {
    let texts: &[&str] = match task {
        Task::Regression => &["mean_squared_error", "mean_absolute_error", "huber"],
        Task::Binary => &[
            "binary_cross_entropy_with_logits",
            "binary_cross_entropy_with_logits@balanced",
            "sigmoid_focal",
            "mse_sigmoid",
        ],
        Task::Classes => {
            &["cross_entropy", "cross_entropy@balanced", "softmax_focal", "mse_softmax"]
        }
    };
    let parse = |text: &&str| text.parse().expect("these are in the catalogue");
    texts.iter().map(parse).collect()
}

/// One training of a comparison.
struct Trial {
    history: Vec<Epoch>,
    seconds: Vec<f64>,
    figures: Vec<Figure>,
    first_gradient_norm: f64,
}

/// Trains each of `losses` with each of `seeds` seeds, counted from that of
/// `configuration`, whose loss is not used. A seed decides split, first weights
/// and order of rows, so that losses differ by nothing else.
///
/// # Errors
/// As [`train`]; the first failure ends the comparison.
pub fn compare(
    data: &Dataset,
    configuration: &Configuration,
    losses: &[WeightedLoss],
    seeds: usize,
    observer: &mut dyn ComparisonObserver,
) -> Result<Comparison, ExperimentError> {
    let first = configuration.settings.seed;
    let seeds: Vec<u64> = (0..seeds as u64).map(|offset| first.wrapping_add(offset)).collect();
    let mut trials: Vec<Vec<Trial>> = losses.iter().map(|_| Vec::new()).collect();
    let (mut notices, mut rows) = (Vec::new(), [0; 3]);
    for &seed in &seeds {
        let Configuration { task, validation, test, .. } = configuration;
        let shares = (*validation, *test);
        let prepared = Prepared::new(data.clone(), Some(*task), shares, seed)?;
        if seed == first {
            let split = prepared.split();
            notices = prepared.notices().to_vec();
            rows = [&split.train, &split.validation, &split.test].map(Vec::len);
            losses.iter().try_for_each(|loss| loss.check(prepared.encoder().target()))?;
        }
        for (loss, trials) in losses.iter().zip(&mut trials) {
            observer.trial(loss, seed);
            let mut configuration = Configuration { loss: loss.clone(), ..configuration.clone() };
            configuration.settings.seed = seed;
            let trained = train(&prepared, &configuration, observer)?;
            trials.push(Trial {
                history: trained.fitted.history,
                seconds: trained.fitted.seconds,
                figures: trained.test.metrics.figures(),
                first_gradient_norm: trained.fitted.first_gradient_norm,
            });
        }
    }
    let test_to_train = rows[2] as f64 / rows[0] as f64;
    Ok(Comparison {
        data: data.table().name().to_owned(),
        target: data.target().to_owned(),
        task: configuration.task,
        rows,
        seeds,
        losses: contenders(losses, trials, test_to_train),
        notices,
    })
}

fn contenders(
    losses: &[WeightedLoss],
    trials: Vec<Vec<Trial>>,
    test_to_train: f64,
) -> Vec<Contender> {
    let figures = trials[0][0].figures.clone();
    // measures × losses × seeds
    let values: Vec<Vec<Vec<f64>>> = (0..figures.len())
        .map(|figure| {
            let of_loss = |trials: &Vec<Trial>| {
                trials.iter().map(|trial| trial.figures[figure].value).collect()
            };
            trials.iter().map(of_loss).collect()
        })
        .collect();
    let verdicts: Vec<Vec<Verdict>> = figures
        .iter()
        .zip(&values)
        .map(|(figure, values)| verdicts(values, figure.lower_is_better, test_to_train))
        .collect();
    let contender = |(index, (loss, trials)): (usize, (&WeightedLoss, Vec<Trial>))| {
        let measure = |figure: usize| Measure {
            name: figures[figure].name,
            summary: Summary::of(&values[figure][index]),
            verdict: verdicts[figure][index],
            values: values[figure][index].clone(),
        };
        let norms: Vec<f64> = trials.iter().map(|trial| trial.first_gradient_norm).collect();
        let seconds: Vec<f64> = trials
            .iter()
            .map(|trial| trial.seconds.iter().sum::<f64>() / trial.seconds.len() as f64)
            .collect();
        Contender {
            loss: loss.to_string(),
            measures: (0..figures.len()).map(measure).collect(),
            first_gradient_norm: Summary::of(&norms),
            seconds_per_epoch: Summary::of(&seconds),
            histories: trials.into_iter().map(|trial| trial.history).collect(),
        }
    };
    losses.iter().zip(trials).enumerate().map(contender).collect()
}

/// How each of the losses stands to the best, from `losses × seeds` values.
fn verdicts(values: &[Vec<f64>], lower_is_better: bool, test_to_train: f64) -> Vec<Verdict> {
    let goodness = |values: &Vec<f64>| {
        let mean = Summary::of(values).mean;
        if lower_is_better { -mean } else { mean }
    };
    let best = (0..values.len())
        .rev()
        .max_by(|&a, &b| goodness(&values[a]).total_cmp(&goodness(&values[b])))
        .unwrap_or(0);
    let verdict = |index: usize| match index == best {
        true => Verdict::Best,
        false => against(&values[best], &values[index], test_to_train),
    };
    (0..values.len()).map(verdict).collect()
}

/// Whether `others` differ from `best` by more than chance. Splits drawn from
/// the same rows overlap, so the variance of the mean difference is not 1/n of
/// that of the differences but (1/n + test rows / training rows) of it.
fn against(best: &[f64], others: &[f64], test_to_train: f64) -> Verdict {
    let differences: Vec<f64> = best.iter().zip(others).map(|(a, b)| a - b).collect();
    let Summary { mean, deviation } = Summary::of(&differences);
    let Some(deviation) = deviation else { return Verdict::Unknown };
    if mean == 0.0 {
        return Verdict::WithinNoise;
    }
    let count = differences.len() as f64;
    let Ok(student) = StudentsT::new(0.0, 1.0, count - 1.0) else { return Verdict::Unknown };
    let error = deviation * (1.0 / count + test_to_train).sqrt();
    let chance = 2.0 * student.sf((mean / error).abs());
    if chance < SIGNIFICANCE { Verdict::Worse } else { Verdict::WithinNoise }
}

impl Comparison {
    /// What numbers are, behind the name of what they are of.
    pub fn spread(&self) -> &'static str {
        match self.seeds.len() {
            1 => ", one seed",
            _ => ", mean ± standard deviation over the seeds",
        }
    }

    /// The comparison as a page.
    pub fn report(&self) -> Report {
        let [train, validation, test] = self.rows;
        let seeds = self.seeds.len();
        let summary = format!(
            "{} losses learn `{}` of `{}` from {train} rows, with {validation} for validation and \
             {test} for the test, over {seeds} seeds. For each seed all of them have the same \
             split, first weights and order of rows.",
            self.losses.len(),
            self.target,
            self.data,
        );
        let mut sections = vec![self.results(), self.curves()];
        if !self.notices.is_empty() {
            let notices = self.notices.iter().map(ToString::to_string).collect();
            sections.push(section("Data", vec![Block::Notices(notices)]));
        }
        Report {
            title: format!("Losses compared on {}", self.data),
            summary: vec![summary, RULE.to_owned()],
            sections,
        }
    }

    /// What the gradients before the first step say of the losses, if they differ
    /// much.
    pub fn reason(&self) -> Option<String> {
        const MUCH: f64 = 4.0;
        let norm = |loss: &&Contender| loss.first_gradient_norm.mean;
        let by_norm = |a: &&Contender, b: &&Contender| norm(a).total_cmp(&norm(b));
        let (weakest, strongest) =
            (self.losses.iter().min_by(by_norm)?, self.losses.iter().max_by(by_norm)?);
        let ratio = norm(&strongest) / norm(&weakest);
        (ratio >= MUCH && ratio.is_finite()).then(|| {
            format!(
                "Before the first step the gradient of {} is {ratio:.0} times smaller than that \
                 of {}: at the same learning rate it moves the weights that much less, unless the \
                 optimizer rescales gradients as Adam does.",
                weakest.loss, strongest.loss
            )
        })
    }

    fn results(&self) -> Section {
        let names: Vec<&str> = self.losses[0].measures.iter().map(|measure| measure.name).collect();
        let header = |others: &[&str]| -> Vec<String> {
            std::iter::once("loss").chain(others.iter().copied()).map(str::to_owned).collect()
        };
        let row = |loss: &Contender, cells: Vec<String>| [vec![loss.loss.clone()], cells].concat();
        let measured = Rows {
            caption: format!("Test rows{}", self.spread()),
            header: header(&names),
            rows: self.losses.iter().map(|loss| row(loss, loss.results())).collect(),
        };
        let judged = Rows {
            caption: "Difference to the best".to_owned(),
            header: header(&names),
            rows: self.losses.iter().map(|loss| row(loss, loss.verdicts())).collect(),
        };
        let chart = |(index, name): (usize, &&str)| {
            let interval = |loss: &Contender| {
                let Summary { mean, deviation } = loss.measures[index].summary;
                Interval { name: loss.loss.clone(), mean, deviation: deviation.unwrap_or(0.0) }
            };
            Chart::Intervals(IntervalChart {
                title: format!("{name} on test rows"),
                x: (*name).to_owned(),
                intervals: self.losses.iter().map(interval).collect(),
            })
        };
        let charts = names.iter().enumerate().map(chart).collect();
        section(
            "Results",
            vec![Block::Table(measured), Block::Table(judged), Block::Charts(charts)],
        )
    }

    /// Losses have scales of their own and so charts of their own; the metric is common to all.
    fn curves(&self) -> Section {
        let metric = match self.task {
            Task::Regression => "R²",
            Task::Binary | Task::Classes => "accuracy",
        };
        let series = |(colour, loss): (usize, &Contender)| {
            loss.curve(loss.loss.clone(), colour, false, |epoch| epoch.metric)
        };
        let common = Chart::Lines(LineChart {
            title: format!("{metric} on validation rows"),
            x: "epoch".to_owned(),
            y: metric.to_owned(),
            series: self.losses.iter().enumerate().map(series).collect(),
            styles: None,
            poles: false,
        });
        let own = |(colour, loss): (usize, &Contender)| {
            let curve = |name: &str, dashed, value: fn(&Epoch) -> Option<f64>| {
                loss.curve(name.to_owned(), colour, dashed, value)
            };
            Chart::Lines(LineChart {
                title: loss.loss.clone(),
                x: "epoch".to_owned(),
                y: "loss".to_owned(),
                series: vec![
                    curve("training", false, |epoch| Some(epoch.train_loss)),
                    curve("validation", true, |epoch| epoch.validation_loss),
                ],
                styles: None,
                poles: false,
            })
        };
        let row = |loss: &Contender| [vec![loss.loss.clone()], loss.costs()].concat();
        let costs = Rows {
            caption: format!("Training{}", self.spread()),
            header: [&["loss"], &COSTS[..]].concat().into_iter().map(str::to_owned).collect(),
            rows: self.losses.iter().map(row).collect(),
        };
        let charts = self.losses.iter().enumerate().map(own);
        let text = "The curves are means over the seeds. Losses have units of their own: compare the shape of \
                    their curves, not the height."
            .to_owned();
        let charts = std::iter::once(common).chain(charts).collect();
        let texts = self.reason().into_iter().chain([text]).map(Block::Paragraph);
        let blocks = std::iter::once(Block::Table(costs)).chain(texts);
        section("Training", blocks.chain([Block::Charts(charts)]).collect())
    }
}

impl Contender {
    /// The measures on the test rows as text.
    pub fn results(&self) -> Vec<String> {
        self.measures.iter().map(|measure| measure.summary.to_string()).collect()
    }

    /// How the measures stand to the best, in words.
    pub fn verdicts(&self) -> Vec<String> {
        self.measures.iter().map(|measure| measure.verdict.text().to_owned()).collect()
    }

    /// What [`COSTS`] names, as text.
    pub fn costs(&self) -> Vec<String> {
        [self.first_gradient_norm, self.seconds_per_epoch].iter().map(Summary::to_string).collect()
    }

    /// The mean over the seeds by epoch; early stopping may leave fewer of them.
    fn curve(
        &self,
        name: String,
        colour: usize,
        dashed: bool,
        value: impl Fn(&Epoch) -> Option<f64>,
    ) -> Series {
        let epochs = self.histories.iter().map(Vec::len).max().unwrap_or(0);
        let point = |index: usize| {
            let epochs = self.histories.iter().filter_map(|history| history.get(index));
            let values: Vec<f64> = epochs.filter_map(&value).collect();
            ((index + 1) as f64, Summary::of(&values).mean)
        };
        let points = (0..epochs).map(point).collect();
        Series { name, colour, dashed, points, ..Series::default() }
    }
}

impl std::fmt::Display for Summary {
    /// The mean to three or four digits, and as many decimals of the deviation.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { mean, deviation } = *self;
        let size = mean.abs().max(deviation.unwrap_or(0.0));
        let decimals = match size.log10().floor() {
            _ if size == 0.0 => 3,
            exponent @ 0.0..6.0 => (3.0 - exponent).max(0.0) as usize,
            exponent @ -4.0..0.0 => (2.0 - exponent) as usize,
            _ => {
                write!(f, "{mean:.2e}")?;
                return deviation.map_or(Ok(()), |deviation| write!(f, " ± {deviation:.0e}"));
            }
        };
        write!(f, "{mean:.decimals$}")?;
        deviation.map_or(Ok(()), |deviation| write!(f, " ± {deviation:.decimals$}"))
    }
}

fn section(title: &str, blocks: Vec<Block>) -> Section {
    Section { title: title.to_owned(), blocks }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Reading;
    use crate::fit::Settings;
    use crate::model::Architecture;

    fn configuration() -> Configuration {
        Configuration {
            data: "iris".to_owned(),
            reading: Reading::default(),
            task: Task::Classes,
            loss: WeightedLoss::usual(Task::Classes),
            architecture: Architecture::Mlp { hidden: vec![4] },
            dropout: 0.0,
            validation: 0.1,
            test: 0.2,
            settings: Settings {
                epochs: 2,
                batch_size: 16,
                seed: 3,
                ..crate::fit::tests::settings()
            },
        }
    }

    #[test]
    fn differences_are_judged_by_students_t() {
        // Differences 1 to 5: mean 3, standard deviation √2.5; the 5% point of t with 4 degrees
        // of freedom is 2.776.
        let (best, others) = ([11.0, 12.0, 13.0, 14.0, 15.0], [10.0; 5]);
        assert_eq!(against(&best, &others, 0.25), Verdict::Worse);
        assert_eq!(against(&best, &others, 0.30), Verdict::WithinNoise);
        assert_eq!(against(&best, &best, 0.25), Verdict::WithinNoise);
        assert_eq!(against(&[1.0, 1.0], &[0.5, 0.5], 0.25), Verdict::Worse);
        assert_eq!(against(&[1.0], &[0.5], 0.25), Verdict::Unknown);
    }

    #[test]
    fn the_best_is_the_first_of_equals_in_either_direction() {
        let values = [vec![1.0, 1.0], vec![3.0, 3.0], vec![3.0, 3.0]];
        let (best, noise, worse) = (Verdict::Best, Verdict::WithinNoise, Verdict::Worse);
        assert_eq!(verdicts(&values, false, 0.25), [worse, best, noise]);
        assert_eq!(verdicts(&values, true, 0.25), [best, worse, worse]);
    }

    #[test]
    fn summaries_have_as_many_digits_as_they_need() {
        let text = |mean, deviation| Summary { mean, deviation: Some(deviation) }.to_string();
        assert_eq!(Summary::of(&[1.0, 3.0]), Summary { mean: 2.0, deviation: Some(2f64.sqrt()) });
        assert_eq!(Summary::of(&[0.25]).to_string(), "0.250");
        assert_eq!(text(0.61234, 0.0211), "0.612 ± 0.021");
        assert_eq!(text(41234.5, 812.3), "41234 ± 812");
        assert_eq!(text(1.04812, 0.0124), "1.048 ± 0.012");
        assert_eq!(text(0.0123, 0.0004), "0.0123 ± 0.0004");
        assert_eq!(text(0.0000123, 0.000004), "1.23e-5 ± 4e-6");
        assert_eq!(text(f64::NAN, 0.0), "NaN ± 0.000");
        assert_eq!(text(0.0, 0.0), "0.000 ± 0.000");
    }

    #[test]
    fn losses_differ_by_nothing_but_the_loss() {
        let data = Dataset::open("iris", &Reading::default()).unwrap();
        let losses: Vec<WeightedLoss> = ["cross_entropy", "mse_softmax", "cross_entropy"]
            .iter()
            .map(|text| text.parse().unwrap())
            .collect();
        let comparison = compare(&data, &configuration(), &losses, 2, &mut ()).unwrap();
        assert_eq!(comparison.seeds, [3, 4]);
        let [first, other, again] = &comparison.losses[..] else { panic!("three losses") };
        let losses_of = |contender: &Contender| -> Vec<Vec<f64>> {
            let of = |history: &Vec<Epoch>| history.iter().map(|epoch| epoch.train_loss).collect();
            contender.histories.iter().map(of).collect()
        };
        assert_eq!(losses_of(first), losses_of(again));
        assert_ne!(losses_of(first)[0], losses_of(first)[1]);
        assert!(other.first_gradient_norm.mean < first.first_gradient_norm.mean);
        let reason = comparison.reason().unwrap();
        assert!(reason.contains("gradient of mse_softmax is"), "{reason}");
        for (a, b) in first.measures.iter().zip(&again.measures) {
            assert_eq!(a.values, b.values, "{}", a.name);
        }
        let html = comparison.report().html();
        assert!(html.contains("mse_softmax") && html.contains("within noise"));
    }

    #[test]
    fn usual_losses_suit_their_task() {
        for task in Task::ALL {
            let losses = usual_losses(task);
            assert_eq!(losses[0].to_string(), WeightedLoss::usual(task).to_string());
        }
        let data = Dataset::open("iris", &Reading::default()).unwrap();
        let losses = usual_losses(Task::Regression);
        let error = compare(&data, &configuration(), &losses, 1, &mut ()).unwrap_err();
        assert!(error.to_string().contains("use cross_entropy"), "{error}");
    }
}
