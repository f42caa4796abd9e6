//! What is counted: every loss, type, kind of targets and order.

use serde::Serialize;
use xent::catalogue::Entry;
use xent::{Block, BlockTargets, Buffers, Domain, Evaluate, Family, Order, Outputs, Real};
use xent::{Targeting, Targets, bf16, f16};
use xent_testkit::sample::Tested;

/// How many numbers are evaluated, one row of a classwise loss; the difference leaves out what a call
/// or a row costs whatever its size. These are whole tiles, since the last one of a row is searched
/// entry by entry.
pub(crate) const SIZES: [usize; 2] = [128, 256];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    Labels,
    Distributions,
    Values,
}

impl TargetKind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            TargetKind::Labels => "labels",
            TargetKind::Distributions => "distributions",
            TargetKind::Values => "values",
        }
    }
}

pub(crate) struct Case {
    pub(crate) entry: &'static Entry,
    pub(crate) element: &'static str,
    pub(crate) targets: TargetKind,
    pub(crate) order: Order,
    /// Evaluates the loss on so many numbers, or its kernel alone, between two marks.
    pub(crate) evaluate: fn(&Case, numbers: usize, kernel: bool, mark: fn()),
}

/// The cases of a loss, in the order of the table.
pub(crate) fn cases(entry: &'static Entry) -> Vec<Case> {
    [
        cases_of::<f16>(entry),
        cases_of::<bf16>(entry),
        cases_of::<f32>(entry),
        cases_of::<f64>(entry),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn cases_of<T: Tested>(entry: &'static Entry) -> Vec<Case> {
    let targets: &[TargetKind] = match entry.default_loss().accepts() {
        Targeting::Values => &[TargetKind::Values],
        Targeting::Labels => &[TargetKind::Labels],
        Targeting::LabelsOrDistributions => &[TargetKind::Labels, TargetKind::Distributions],
    };
    let orders = [Order::Value, Order::Gradient, Order::Curvature];
    let case =
        |targets, order| Case { entry, element: T::NAME, targets, order, evaluate: evaluate::<T> };
    targets.iter().flat_map(|&targets| orders.map(|order| case(targets, order))).collect()
}

fn evaluate<T: Tested>(case: &Case, numbers: usize, kernel: bool, mark: fn()) {
    let loss = case.entry.default_loss();
    let classwise = loss.family() == Family::Classwise;
    let (rows, classes) = if classwise { (1, numbers) } else { (numbers, 1) };
    let of = |domain| moderate::<T>(domain, numbers);
    let predictions = of(loss.prediction_domain());
    let values = match case.targets {
        TargetKind::Distributions => vec![T::from_f64(1.0 / classes as f64); numbers],
        _ => of(loss.target_domain()).into_iter().rev().collect(),
    };
    let labels = [0usize];
    if kernel {
        let targets = match case.targets {
            TargetKind::Labels => BlockTargets::Labels(&labels),
            _ => BlockTargets::Values(&values),
        };
        let [mut sums, mut factors] = [(); 2].map(|()| vec![T::Wide::ONE; rows]);
        let [mut gradient, mut curvature] = [(); 2].map(|()| vec![T::Wide::ZERO; numbers]);
        let mut scratch = Vec::new();
        let predictions = &predictions[..];
        let block = Block { predictions, planes: false, targets, classes, class_weights: None };
        twice(mark, || {
            let outputs = Outputs {
                values: &mut sums,
                gradient: &mut gradient,
                curvature: &mut curvature,
                factors: &mut factors,
                scratch: &mut scratch,
            };
            T::kernel(loss.as_ref()).run(&block, case.order, outputs);
        });
        return;
    }
    let targets = match case.targets {
        TargetKind::Labels => Targets::from(&labels),
        _ => Targets::Values(values.into()),
    };
    let call = loss.on((&predictions[..], classes), targets);
    let buffer = |needed| (case.order >= needed).then(|| vec![T::default(); numbers]);
    let (mut gradient, mut curvature) = (buffer(Order::Gradient), buffer(Order::Curvature));
    twice(mark, || {
        let (gradient, curvature) = (gradient.as_deref_mut(), curvature.as_deref_mut());
        let value = call.value_into(Buffers { values: None, gradient, curvature });
        value.unwrap_or_else(|error| panic!("{}: {error}", case.entry.name));
    });
}

/// The first time leaves out of the count what is done once and for all.
fn twice(mark: fn(), mut evaluate: impl FnMut()) {
    for mark in [|| (), mark] {
        mark();
        evaluate();
        mark();
    }
}

/// Numbers of a domain, rising: none is extreme, and what looks for the largest has to look at all.
fn moderate<T: Tested>(domain: Domain, count: usize) -> Vec<T> {
    let number = |place: usize| {
        let share = (place as f64 + 0.5) / count as f64;
        T::from_f64(match domain {
            Domain::Real | Domain::Logit => 8.0 * share - 4.0,
            Domain::Probability => 0.1 + 0.8 * share,
            Domain::LogProbability => -8.1 + 8.0 * share,
            Domain::Sign => {
                if place.is_multiple_of(2) {
                    1.0
                } else {
                    -1.0
                }
            }
        })
    };
    (0..count).map(number).collect()
}
