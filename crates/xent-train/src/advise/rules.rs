//! What was seen → what to minimise → why.

use serde::Serialize;

use super::evidence::{Classes, Evidence, Numbers};
use super::spread::{FAR, Spread};
use crate::data::Task;
use crate::experiment::{ClassWeights, WeightedLoss, suits};

/// A loss, and what speaks for it.
#[derive(Clone, Debug, Serialize)]
pub struct Recommendation {
    /// The loss.
    pub loss: WeightedLoss,
    /// What was seen, in numbers.
    pub seen: String,
    /// Why that speaks for the loss.
    pub why: &'static str,
    /// What would speak against it.
    pub unless: &'static str,
    /// Where the rule comes from, with a DOI or an arXiv number.
    pub reference: &'static str,
}

/// One line of the table of rules.
struct Rule {
    /// What was seen, in numbers, if it is enough for the rule.
    seen: fn(&Evidence) -> Option<String>,
    /// What to minimise.
    take: Take,
    why: &'static str,
    unless: &'static str,
    reference: &'static str,
}

/// A choice from the catalogue.
enum Take {
    /// The usual loss of the task.
    Usual,
    /// The usual loss, with classes that count the same in all.
    Balanced,
    /// The first loss for the task with this tag.
    Tagged(&'static str),
    /// The first loss for the task with this tag that has this parameter, and
    /// its value.
    Tuned(&'static str, &'static str, fn(&Evidence) -> Option<f64>),
}

/// The rules. The first whose evidence is there gives the advice, the others
/// the runners-up.
const RULES: [Rule; 6] = [
    Rule {
        seen: |evidence| numbers(evidence).and_then(zeros),
        take: Take::Usual,
        why: "the squared error predicts the mean; losses that bound outliers predict something \
              near the median, and so too little where many targets are 0",
        unless: "if the amount matters only where there is one, train on the rows without zeros",
        reference: "T. Gneiting, doi:10.1198/jasa.2011.r10138",
    },
    Rule {
        seen: |evidence| numbers(evidence).and_then(outliers),
        take: Take::Tuned("robust", "delta", |evidence| {
            let spread = numbers(evidence)?.residuals.as_ref()?.spread?;
            Some(two_digits(EFFICIENT * spread.deviation))
        }),
        why: "beyond delta, 1.345 robust deviations of the errors, a row pulls no harder; a \
              Gaussian would lose 5% of its efficiency",
        unless: "if large errors really cost their square, take mean_squared_error",
        reference: "P. J. Huber, doi:10.1214/aoms/1177703732",
    },
    Rule {
        seen: |evidence| classes(evidence).and_then(weights_pay),
        take: Take::Balanced,
        why: "rare classes count as much as common ones, so that more of their rows are found",
        unless: "if probabilities matter, take no weights: weights distort them",
        reference: "R. van den Goorbergh et al., doi:10.1093/jamia/ocac093",
    },
    Rule {
        seen: |evidence| Some(ordinary(evidence)),
        take: Take::Usual,
        why: "it is the usual loss: what it aims at are means, or probabilities",
        unless: "a comparison, as below, is what decides",
        reference: "C. M. Bishop, Pattern Recognition and Machine Learning (2006), 1.2.5 and 4.3",
    },
    Rule {
        seen: |evidence| classes(evidence).and_then(wrong_labels),
        take: Take::Tagged("bounded"),
        why: "a row costs at most a constant, so that wrong labels are not learned by heart",
        unless: "classes that overlap look the same, and there it is worse; with plain SGD it starves",
        reference: "A. Ghosh et al., arXiv:1712.09482",
    },
    Rule {
        seen: |evidence| classes(evidence).and_then(imbalance),
        take: Take::Tagged("imbalance"),
        why: "easy rows fade, and most of them are of the common classes",
        unless: "its probabilities are underconfident, and noisy labels look like hard rows",
        reference: "T.-Y. Lin et al., arXiv:1708.02002",
    },
];

/// What does not choose a loss but should be known.
const REMARKS: [fn(&Evidence) -> Option<String>; 5] = [capped, skewed, counts, grades, untried];

/// δ in robust deviations: with Gaussian errors, 95% as efficient as the squared error.
const EFFICIENT: f64 = 1.345;

/// What rules recommend, the best first, each loss once.
pub(super) fn recommend(evidence: &Evidence, task: Task) -> Vec<Recommendation> {
    let mut recommendations: Vec<Recommendation> = Vec::new();
    for rule in &RULES {
        let Some(seen) = (rule.seen)(evidence) else { continue };
        let Some(loss) = rule.take.find(evidence, task) else { continue };
        if recommendations.iter().all(|other| other.loss.to_string() != loss.to_string()) {
            let Rule { why, unless, reference, .. } = *rule;
            recommendations.push(Recommendation { loss, seen, why, unless, reference });
        }
    }
    recommendations
}

/// What should be known beside.
pub(super) fn remarks(evidence: &Evidence) -> Vec<String> {
    REMARKS.iter().filter_map(|remark| remark(evidence)).collect()
}

impl Take {
    fn find(&self, evidence: &Evidence, task: Task) -> Option<WeightedLoss> {
        let usual = WeightedLoss::usual(task);
        let family = usual.loss.family();
        let tagged = |tag: &'static str| {
            let entries = xent::catalogue().iter().filter(move |entry| entry.tags.contains(&tag));
            entries.filter(move |entry| {
                let loss = entry.default_loss();
                suits(loss.as_ref(), task) && loss.family() == family
            })
        };
        let text = match *self {
            Self::Usual => return Some(usual),
            Self::Balanced => {
                return Some(WeightedLoss { class_weights: Some(ClassWeights::Balanced), ..usual });
            }
            Self::Tagged(tag) => tagged(tag).next()?.name.to_owned(),
            Self::Tuned(tag, parameter, value) => {
                let has = |entry: &&&xent::catalogue::Entry| {
                    entry.parameters.iter().any(|known| known.name == parameter)
                };
                let name = tagged(tag).find(has)?.name;
                format!("{name}:{parameter}={}", value(evidence)?)
            }
        };
        text.parse().ok()
    }
}

fn numbers(evidence: &Evidence) -> Option<&Numbers> {
    match evidence {
        Evidence::Numbers(numbers) => Some(numbers),
        Evidence::Classes(_) => None,
    }
}

fn classes(evidence: &Evidence) -> Option<&Classes> {
    match evidence {
        Evidence::Classes(classes) => Some(classes),
        Evidence::Numbers(_) => None,
    }
}

fn zeros(seen: &Numbers) -> Option<String> {
    const MANY: f64 = 0.1;
    (seen.minimum == 0.0 && seen.at_minimum >= MANY && seen.is_spike(seen.at_minimum))
        .then(|| format!("{} of the targets are 0, and none is below", percent(seen.at_minimum)))
}

fn outliers(seen: &Numbers) -> Option<String> {
    const MANY: f64 = 0.005;
    let residuals = seen.residuals.as_ref()?;
    let outliers = residuals.spread?.outliers;
    (outliers >= MANY).then(|| {
        format!(
            "{} of the errors of a quick model lie beyond {FAR} robust deviations; a Gaussian has \
             {}",
            percent(outliers),
            percent(Spread::gaussian_outliers())
        )
    })
}

fn weights_pay(seen: &Classes) -> Option<String> {
    const MUCH: f64 = 0.02;
    let trial = seen.trial.as_ref()?;
    let balanced = trial.balanced_macro_f1?;
    (balanced >= trial.macro_f1 + MUCH).then(|| {
        format!(
            "the largest class has {:.1} times the rows of the smallest, and balanced weights \
             raise the macro-F1 of a quick model from {:.3} to {balanced:.3}",
            seen.imbalance(),
            trial.macro_f1,
        )
    })
}

fn wrong_labels(seen: &Classes) -> Option<String> {
    const MANY: f64 = 0.05;
    let trial = seen.trial.as_ref()?;
    let elsewhere = 1.0 - trial.accuracy;
    (trial.surest_wrong >= MANY && trial.surest_wrong >= elsewhere / 2.0).then(|| {
        format!(
            "where a quick model is surest, in a fifth of the rows, {} have another label (of all \
             rows {})",
            percent(trial.surest_wrong),
            percent(elsewhere)
        )
    })
}

fn imbalance(seen: &Classes) -> Option<String> {
    const MUCH: f64 = 5.0;
    (seen.imbalance() >= MUCH).then(|| {
        format!("the largest class has {:.1} times the rows of the smallest", seen.imbalance())
    })
}

fn ordinary(evidence: &Evidence) -> String {
    match evidence {
        Evidence::Numbers(Numbers { residuals: Some(residuals), .. }) => match residuals.spread {
            Some(spread) => format!(
                "{} of the errors of a quick model lie beyond {FAR} robust deviations",
                percent(spread.outliers)
            ),
            None => "most errors of a quick model are equal".to_owned(),
        },
        Evidence::Numbers(seen) => format!("{} numbers, too few to try a model", seen.rows),
        Evidence::Classes(seen) => match &seen.trial {
            Some(trial) => format!(
                "a quick model finds the class of {} of the rows, where always the most frequent \
                 one is right for {}; where it is surest it finds {}",
                percent(trial.accuracy),
                percent(seen.largest()),
                percent(1.0 - trial.surest_wrong)
            ),
            None => format!("{} classes", seen.names.len()),
        },
    }
}

fn capped(evidence: &Evidence) -> Option<String> {
    const MANY: f64 = 0.01;
    let seen = numbers(evidence)?;
    let is_cap = |share: f64| share >= MANY && seen.is_spike(share);
    let (end, value, share) = if is_cap(seen.at_maximum) {
        ("above", seen.maximum, seen.at_maximum)
    } else if is_cap(seen.at_minimum) && seen.minimum != 0.0 {
        ("below", seen.minimum, seen.at_minimum)
    } else {
        return None;
    };
    Some(format!(
        "{} of the targets are {value} and none is {end}: if they are cut off there, a median, \
         which a cut does not move, says more than a mean (mean_absolute_error; J. L. Powell, \
         doi:10.1016/0304-4076(84)90004-6)",
        percent(share)
    ))
}

fn skewed(evidence: &Evidence) -> Option<String> {
    const MUCH: f64 = 0.3;
    let seen = numbers(evidence)?;
    let skewness = seen.spread?.skewness;
    (skewness >= MUCH && seen.minimum > 0.0).then(|| {
        format!(
            "the targets are positive and skewed, by a quartile skewness of {skewness:.2}: if \
             relative errors matter, predict their logarithm"
        )
    })
}

fn counts(evidence: &Evidence) -> Option<String> {
    let seen = numbers(evidence)?;
    let dense = seen.maximum - seen.minimum <= 2.0 * seen.distinct as f64;
    (seen.counts && dense).then(|| {
        format!(
            "all targets are whole numbers from {} to {}: counts, perhaps",
            seen.minimum, seen.maximum
        )
    })
}

fn grades(evidence: &Evidence) -> Option<String> {
    let seen = classes(evidence)?;
    let (first, last) = (seen.names.first()?, seen.names.last()?);
    seen.grades.then(|| {
        format!(
            "the classes are the whole numbers from {first} to {last}: if they are grades, \
             `--task regression` knows that neighbours are alike"
        )
    })
}

fn untried(evidence: &Evidence) -> Option<String> {
    let untried = match evidence {
        Evidence::Numbers(seen) => seen.residuals.is_none(),
        Evidence::Classes(seen) => seen.trial.is_none(),
    };
    untried.then(|| {
        "wrong labels and outliers were not looked for: no quick model can on images, or on fewer \
         than 60 rows"
            .to_owned()
    })
}

impl Numbers {
    /// Whether a share of the rows at one number is far more than numbers have
    /// on average.
    fn is_spike(&self, share: f64) -> bool {
        share * self.distinct as f64 >= 10.0
    }
}

/// A share with two digits, such as `3.1%`.
fn percent(share: f64) -> String {
    format!("{}%", two_digits(100.0 * share))
}

fn two_digits(number: f64) -> f64 {
    format!("{number:.1e}").parse().unwrap_or(number)
}
