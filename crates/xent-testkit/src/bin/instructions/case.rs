//! What is counted: every loss, type, kind of targets and order.

use fastrand::Rng;
use serde::Serialize;
use xent::catalogue::Entry;
use xent::{Buffers, Domain, Evaluate, Family, Order, Targeting, Targets, bf16, f16};
use xent_testkit::sample::Tested;

/// How many numbers are evaluated; the difference leaves out what a call costs whatever its size.
pub(crate) const SIZES: [usize; 2] = [256, 512];
/// Of a classwise loss.
const ROWS: usize = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TargetKind {
    Labels,
    Distributions,
    Values,
}

pub(crate) struct Case {
    pub(crate) entry: &'static Entry,
    pub(crate) element: &'static str,
    pub(crate) targets: TargetKind,
    pub(crate) order: Order,
    /// Evaluates the loss on so many numbers twice, the second time between two marks.
    pub(crate) evaluate: fn(&Case, usize, mark: fn()),
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

fn evaluate<T: Tested>(case: &Case, numbers: usize, mark: fn()) {
    let loss = case.entry.default_loss();
    let mut rng = Rng::with_seed(1);
    let mut of = |domain| moderate::<T>(&mut rng, domain, numbers);
    let predictions = of(loss.prediction_domain());
    let classes = if loss.family() == Family::Classwise { numbers / ROWS } else { 1 };
    let targets = match case.targets {
        TargetKind::Labels => Targets::from(&[0i64, 1]),
        TargetKind::Distributions => {
            Targets::Values(vec![T::from_f64(1.0 / classes as f64); numbers].into())
        }
        TargetKind::Values => Targets::Values(of(loss.target_domain()).into()),
    };
    let call = loss.on((&predictions[..], classes), targets);
    let buffer = |needed| (case.order >= needed).then(|| vec![T::default(); numbers]);
    let (mut gradient, mut curvature) = (buffer(Order::Gradient), buffer(Order::Curvature));
    for mark in [|| (), mark] {
        let (gradient, curvature) = (gradient.as_deref_mut(), curvature.as_deref_mut());
        let buffers = Buffers { values: None, gradient, curvature };
        mark();
        let value = call.value_into(buffers);
        mark();
        value.unwrap_or_else(|error| panic!("{}: {error}", case.entry.name));
    }
}

/// Numbers of a domain that no branch for extreme ones is taken for.
fn moderate<T: Tested>(rng: &mut Rng, domain: Domain, count: usize) -> Vec<T> {
    let number = |share: f64| match domain {
        Domain::Real | Domain::Logit => 8.0 * share - 4.0,
        Domain::Probability => 0.1 + 0.8 * share,
        Domain::LogProbability => -0.1 - 8.0 * share,
        Domain::Sign => (share - 0.5).signum(),
    };
    (0..count).map(|_| T::from_f64(number(rng.f64()))).collect()
}
