//! What every loss obeys, whatever its formula.
//!
//! Each law panics with the loss and the input that break it.

use crate::oracle::Formula;
use crate::sample::{self, BatchTargets, Tested};
use fastrand::Rng;
use xent::catalogue::Entry;
use xent::{
    Buffers, Call, Domain, Error, Evaluate, Family, Loss, Predictions, Reduction, Targeting,
    Targets, WhenEmpty, bf16, f16,
};

const SEED: u64 = 7;

/// A law, by name, for one number type.
pub type Law = (&'static str, fn(&Entry));

/// All laws, for every number type.
pub fn laws() -> Vec<(&'static str, Law)> {
    let mut all = vec![("", ("page", page as fn(&Entry))), ("", ("text_form", text_form))];
    all.push(("", ("parameter_ranges", parameter_ranges)));
    all.extend(typed_laws::<f16>().map(|law| ("f16", law)));
    all.extend(typed_laws::<bf16>().map(|law| ("bf16", law)));
    all.extend(typed_laws::<f32>().map(|law| ("f32", law)));
    all.extend(typed_laws::<f64>().map(|law| ("f64", law)));
    all
}

fn typed_laws<T: Tested>() -> [Law; 12] {
    [
        ("every_length", every_length::<T>),
        ("every_class_count", every_class_count::<T>),
        ("mask_is_subset", mask_is_subset::<T>),
        ("ignored_is_masked", ignored_is_masked::<T>),
        ("weight_is_repetition", weight_is_repetition::<T>),
        ("sums_merge", sums_merge::<T>),
        ("buffers_agree", buffers_agree::<T>),
        ("nan_goes_through", nan_goes_through::<T>),
        ("nothing_left", nothing_left::<T>),
        ("bad_shapes", bad_shapes::<T>),
        ("bad_numbers", bad_numbers::<T>),
        ("bad_targets", bad_targets::<T>),
    ]
}

/// A loss on a batch.
struct Case<T: Tested> {
    loss: Box<dyn Loss>,
    classes: usize,
    predictions: Vec<T>,
    targets: BatchTargets<T>,
}

/// Bits of the values, the gradient and the curvature of a call.
#[derive(Debug, PartialEq)]
struct Results {
    loss: u64,
    weight: u64,
    values: Vec<u64>,
    gradient: Vec<u64>,
    curvature: Vec<u64>,
}

impl<T: Tested> Case<T> {
    fn new(rng: &mut Rng, entry: &Entry, rows: usize) -> Self {
        let loss = (entry.build)(&sample::parameters(rng, entry));
        let classes = if loss.family() == Family::Classwise { 1 + rng.usize(..6) } else { 1 };
        Self::with_classes(rng, loss, rows, classes)
    }

    fn with_classes(rng: &mut Rng, loss: Box<dyn Loss>, rows: usize, classes: usize) -> Self {
        let (predictions, targets) = sample::batch(rng, loss.as_ref(), rows, classes);
        Self { loss, classes, predictions, targets }
    }

    fn rows(&self) -> usize {
        self.predictions.len() / self.classes
    }

    fn targets(&self) -> Targets<'_, T> {
        match &self.targets {
            BatchTargets::Labels(labels) => labels.into(),
            BatchTargets::Values(values) => Targets::Values(values.into()),
        }
    }

    fn call(&self) -> Call<'_, (&[T], usize)> {
        self.loss.on((&self.predictions[..], self.classes), self.targets())
    }

    /// These rows, in this order.
    fn select(&self, rows: &[usize]) -> Self {
        let entries = |row: &usize| row * self.classes..(row + 1) * self.classes;
        let pick = |all: &[T]| rows.iter().flat_map(|row| all[entries(row)].to_vec()).collect();
        Self {
            loss: xent::loss(&self.loss.name()).expect("the text form reads back"),
            classes: self.classes,
            predictions: pick(&self.predictions),
            targets: match &self.targets {
                BatchTargets::Labels(labels) => {
                    BatchTargets::Labels(rows.iter().map(|&row| labels[row]).collect())
                }
                BatchTargets::Values(values) => BatchTargets::Values(pick(values)),
            },
        }
    }
}

fn bits<T: Tested>(numbers: &[T]) -> Vec<u64> {
    numbers.iter().map(|number| (number.to_f64() + 0.0).to_bits()).collect()
}

fn results<T: Tested, P: Predictions<Element = T>>(
    call: &Call<'_, P>,
    rows: usize,
    entries: usize,
) -> Results {
    let mut values = vec![T::default(); rows];
    let (mut gradient, mut curvature) = (vec![T::default(); entries], vec![T::default(); entries]);
    let sums = call
        .evaluate_into(Buffers {
            values: Some(&mut values),
            gradient: Some(&mut gradient),
            curvature: Some(&mut curvature),
        })
        .unwrap_or_else(|error| panic!("{error}"));
    Results {
        loss: sums.loss.to_bits(),
        weight: sums.weight.to_bits(),
        values: bits(&values),
        gradient: bits(&gradient),
        curvature: bits(&curvature),
    }
}

fn all_results<T: Tested>(case: &Case<T>) -> Results {
    results(&case.call().reduction(Reduction::None), case.rows(), case.predictions.len())
}

/// The page has all its parts, and its formula speaks of the loss's parameters and of nothing else.
fn page(entry: &Entry) {
    let page = entry.page();
    assert!(page.summary.ends_with('.'), "summary: {}", page.summary);
    for heading in ["When to use", "Pitfalls", "Example", "Reference"] {
        let found = page.sections.iter().any(|(found, text)| found == heading && !text.is_empty());
        assert!(found, "{} has no section {heading}", entry.name);
    }
    let formula = Formula::parse(&page.formula).unwrap_or_else(|error| panic!("{error}"));
    let inputs = ["prediction", "target", "weight", "classes"];
    for name in formula.names() {
        let known = entry.parameters.iter().any(|parameter| parameter.name == name);
        assert!(known || inputs.contains(&name.as_str()), "{}: what is {name}?", entry.name);
    }
    for parameter in entry.parameters {
        let used = formula.names().iter().any(|name| name == parameter.name);
        assert!(used, "{}: the formula does not use {}", entry.name, parameter.name);
        assert!(parameter.range.contains(parameter.default), "{}", parameter.name);
        assert!(parameter.documentation.ends_with('.'), "{}", parameter.documentation);
    }
}

/// Names and parameters survive being written and read.
fn text_form(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..50 {
        let name = (entry.build)(&sample::parameters(&mut rng, entry)).name();
        assert_eq!(xent::loss(&name).expect("its own name").name(), name);
    }
    for alias in entry.aliases {
        assert_eq!(xent::loss(alias).expect("an alias").name(), entry.name);
    }
    let misspelt = &entry.name[1..];
    let nearest = match xent::loss(misspelt) {
        Err(Error::UnknownLoss { nearest, .. }) => nearest.expect("a name is near"),
        other => panic!("{misspelt} gave {other:?}"),
    };
    assert!(xent::loss(&nearest).is_ok());
    let unknown = format!("{}:no_such=1", entry.name);
    assert!(matches!(xent::loss(&unknown), Err(Error::UnknownParameter { .. })));
}

/// A parameter outside its range is refused, in text and in a struct.
fn parameter_ranges(entry: &Entry) {
    for (index, parameter) in entry.parameters.iter().enumerate() {
        for illegal in [sample::illegal_parameter(parameter.range), f64::NAN] {
            let text = format!("{}:{}={illegal}", entry.name, parameter.name);
            let refused = |error: Error| match error {
                Error::Parameter { parameter: name, .. } => assert_eq!(name, parameter.name),
                other => panic!("{text} gave {other}"),
            };
            refused(xent::loss(&text).expect_err(&text));
            let mut values: Vec<f64> = entry.parameters.iter().map(|p| p.default).collect();
            values[index] = illegal;
            let loss = (entry.build)(&values);
            let mut rng = Rng::with_seed(SEED);
            let case = Case::<f32>::with_classes(&mut rng, loss, 1, 1);
            refused(case.call().value().expect_err(&text));
        }
    }
}

/// Rows do not know of each other: any number of them gives what each gives alone.
fn every_length<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for rows in 0..=300 {
        let case = Case::<T>::new(&mut rng, entry, rows);
        let together = all_results(&case);
        let row = rng.usize(..rows.max(1)).min(rows.saturating_sub(1));
        if rows > 0 {
            let alone = all_results(&case.select(&[row]));
            let at = row * case.classes..(row + 1) * case.classes;
            assert_eq!(together.values[row..=row], alone.values, "{:?}", case.loss);
            assert_eq!(together.gradient[at.clone()], alone.gradient, "{:?}", case.loss);
            assert_eq!(together.curvature[at], alone.curvature, "{:?}", case.loss);
        }
        let sums = case.call().sums().expect("a sum over no rows is 0");
        assert_eq!(sums.weight, rows as f64);
    }
}

/// Classes have no order: turning a row and its label by one turns the gradient and leaves the
/// value, up to the order of the sum.
fn every_class_count<T: Tested>(entry: &Entry) {
    if entry.default_loss().family() == Family::Pointwise {
        return;
    }
    let mut rng = Rng::with_seed(SEED);
    for classes in 1..=300 {
        let loss = (entry.build)(&sample::parameters(&mut rng, entry));
        let case = Case::<T>::with_classes(&mut rng, loss, 1, classes);
        let mut turned = case.select(&[0]);
        turned.predictions.rotate_right(1);
        if let BatchTargets::Labels(labels) = &mut turned.targets {
            labels[0] = (labels[0] + 1) % classes as i64;
        }
        let (straight, mut turned) = (all_results(&case), all_results(&turned));
        turned.gradient.rotate_left(1);
        turned.curvature.rotate_left(1);
        let pairs = [
            (&straight.values, &turned.values),
            (&straight.gradient, &turned.gradient),
            (&straight.curvature, &turned.curvature),
        ];
        let scale = f64::from_bits(straight.values[0]).abs();
        for (a, b) in pairs.into_iter().flat_map(|(a, b)| a.iter().zip(b)) {
            let (a, b) = (f64::from_bits(*a), f64::from_bits(*b));
            let ulp = (T::from_f64(a.abs()).next().to_f64() - a.abs()).abs();
            let close = (a - b).abs() <= ulp || (a - b).abs() <= scale * 2f64.powi(-50);
            assert!(close || a == b, "{:?} of {classes} classes: {a:e} and {b:e}", case.loss);
        }
    }
}

/// A masked batch is the batch of the rows left; masked rows may hold anything.
fn mask_is_subset<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..100 {
        let rows = 1 + rng.usize(..40);
        let mut case = Case::<T>::new(&mut rng, entry, rows);
        let mask: Vec<bool> = (0..rows).map(|row| row == 0 || rng.bool()).collect();
        let kept: Vec<usize> = (0..rows).filter(|&row| mask[row]).collect();
        let subset = case.select(&kept);
        for row in (0..rows).filter(|&row| !mask[row]) {
            case.predictions[row * case.classes] = T::from_f64(f64::NAN);
            match &mut case.targets {
                BatchTargets::Labels(labels) => labels[row] = 9999,
                BatchTargets::Values(values) => values[row] = T::from_f64(f64::NAN),
            }
        }
        for reduction in [Reduction::None, Reduction::Sum, Reduction::Mean] {
            let call = case.call().mask(&mask).reduction(reduction);
            let masked = results(&call, rows, case.predictions.len());
            let expected =
                results(&subset.call().reduction(reduction), kept.len(), subset.predictions.len());
            let classes = case.classes;
            for (new, &row) in kept.iter().enumerate() {
                let (here, there) =
                    (row * classes..(row + 1) * classes, new * classes..(new + 1) * classes);
                assert_eq!(masked.values[row], expected.values[new]);
                assert_eq!(masked.gradient[here.clone()], expected.gradient[there.clone()]);
                assert_eq!(masked.curvature[here], expected.curvature[there]);
            }
            for row in (0..rows).filter(|&row| !mask[row]) {
                assert_eq!(masked.values[row], 0);
                let at = row * classes..(row + 1) * classes;
                assert!(masked.gradient[at].iter().all(|&gradient| gradient == 0));
            }
            assert_eq!(masked.weight, expected.weight);
        }
    }
}

/// A row with the label to ignore is a masked row.
fn ignored_is_masked<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for (ignore_index, set) in [(xent::IGNORE_INDEX, false), (255, true), (0, true)] {
        let mut case = Case::<T>::new(&mut rng, entry, 20);
        let BatchTargets::Labels(labels) = &mut case.targets else { return };
        let mask: Vec<bool> = (0..20).map(|row| row % 3 != 0).collect();
        for (label, &kept) in labels.iter_mut().zip(&mask) {
            *label = if kept { (*label).max(1).min(case.classes as i64 - 1) } else { ignore_index };
        }
        if case.classes == 1 {
            continue;
        }
        let call = if set { case.call().ignore_index(ignore_index) } else { case.call() };
        let ignored = results(&call, 20, case.predictions.len());
        let masked = results(&case.call().ignore_index(77).mask(&mask), 20, case.predictions.len());
        assert_eq!(ignored, masked, "{:?}", case.loss);
    }
}

/// A weight of n is n rows; 0 is none. Powers of two, so that rounding cannot hide a mistake.
fn weight_is_repetition<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..50 {
        let rows = 2 + rng.usize(..20);
        let case = Case::<T>::new(&mut rng, entry, rows);
        let counts: Vec<usize> =
            (0..rows).map(|row| if row == 0 { 1 } else { [0, 1, 2, 4][rng.usize(..4)] }).collect();
        let weights: Vec<T> = counts.iter().map(|&count| T::from_f64(count as f64)).collect();
        let repeated: Vec<usize> =
            (0..rows).flat_map(|row| std::iter::repeat_n(row, counts[row])).collect();
        let repeated = case.select(&repeated);
        let weighted = case.call().weights(&weights).sums().expect("weights are legal");
        let expected = repeated.call().sums().expect("rows are legal");
        assert_eq!(weighted.weight, expected.weight);
        let tolerance = expected.loss.abs() * 1e-15;
        let equal =
            weighted.loss == expected.loss || (weighted.loss.is_nan() && expected.loss.is_nan());
        let close = (weighted.loss - expected.loss).abs() <= tolerance;
        assert!(equal || close, "{:?}: {weighted:?} {expected:?}", case.loss);
        let plain = case.call().reduction(Reduction::Sum).value_and_gradient().expect("legal").1;
        let call = case.call().weights(&weights).reduction(Reduction::Sum);
        let gradient = call.value_and_gradient().expect("legal").1;
        for (entry, (&weighted, &plain)) in gradient.iter().zip(&plain).enumerate() {
            let count = counts[entry / case.classes] as f64;
            let expected = plain.to_f64() * count;
            let exact = expected.abs().max(weighted.to_f64().abs()) > T::TINY * 8.0;
            let same = bits(&[weighted]) == bits(&[T::from_f64(expected)]);
            assert!(!exact || same, "{:?}: {weighted} {expected}", case.loss);
        }
    }
}

/// Sums of parts add up to the sums of the whole.
fn sums_merge<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for _ in 0..30 {
        let rows = 2 + rng.usize(..3000);
        let case = Case::<T>::new(&mut rng, entry, rows);
        let cut = rng.usize(1..rows);
        let part = |range: std::ops::Range<usize>| {
            let rows: Vec<usize> = range.collect();
            case.select(&rows).call().sums().expect("legal")
        };
        let (merged, whole) = (part(0..cut) + part(cut..rows), case.call().sums().expect("legal"));
        assert_eq!(merged.weight, whole.weight);
        let magnitude: f64 =
            case.call().values().expect("legal").iter().map(|v| v.to_f64().abs()).sum();
        let close = (merged.loss - whole.loss).abs() <= magnitude * 1e-15;
        assert!(close || merged.loss == whole.loss || magnitude.is_infinite(), "{:?}", case.loss);
    }
}

/// New buffers, given ones and the predictions' own hold the same bits.
fn buffers_agree<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    for rows in [1, 7, 64, 1025, 5000] {
        let case = Case::<T>::new(&mut rng, entry, rows);
        let (value, fresh) = case.call().value_and_gradient().expect("legal");
        let mut given = vec![T::from_f64(f64::NAN); fresh.len()];
        let again = case.call().value_and_gradient_into(&mut given).expect("legal");
        let mut own = case.predictions.clone();
        let in_place = case
            .loss
            .on((&mut own[..], case.classes), case.targets())
            .value_and_gradient_in_place()
            .expect("legal");
        let alone = case.call().value().expect("legal");
        let (third, third_gradient, _) = case.call().value_gradient_curvature().expect("legal");
        for other in [again, in_place, alone, third] {
            assert_eq!(value.to_bits(), other.to_bits(), "{:?}", case.loss);
        }
        for other in [given, own, third_gradient] {
            assert_eq!(bits(&fresh), bits(&other), "{:?}", case.loss);
        }
    }
}

/// NaN in an unrestricted prediction comes out of its row, and of no other.
fn nan_goes_through<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    let loss = (entry.build)(&sample::parameters(&mut rng, entry));
    let classes = if loss.family() == Family::Classwise { 3 } else { 1 };
    let mut case = Case::<T>::with_classes(&mut rng, loss, 5, classes);
    let clean = case.call().values().expect("legal");
    let label = match &case.targets {
        BatchTargets::Labels(labels) => labels[2] as usize,
        BatchTargets::Values(_) => 0,
    };
    case.predictions[2 * classes + label] = T::from_f64(f64::NAN);
    if case.loss.prediction_domain() == Domain::Probability {
        let error = case.call().values().expect_err("NaN is no probability");
        assert!(matches!(error, Error::OutOfRange { argument: "predictions", .. }), "{error}");
        return;
    }
    let values = case.call().values().expect("NaN is legal");
    assert!(values[2].to_f64().is_nan(), "{:?} hides NaN: {}", case.loss, values[2]);
    let (_, gradient) = case.call().value_and_gradient().expect("NaN is legal");
    let gradient = gradient[2 * classes + label];
    // Losses of log-probabilities are linear, so their gradients hold whatever those are.
    let is_linear = case.loss.prediction_domain() == Domain::LogProbability;
    assert!(is_linear || gradient.to_f64().is_nan(), "{:?} hides NaN: {gradient}", case.loss);
    for row in [0, 1, 3, 4] {
        assert_eq!(bits(&values[row..=row]), bits(&clean[row..=row]));
    }
}

/// The mean over no rows is an error, or 0 if asked for.
fn nothing_left<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    let case = Case::<T>::new(&mut rng, entry, 3);
    let mask = [false; 3];
    let error = case.call().mask(&mask).value().expect_err("no rows");
    assert_eq!(error, Error::Empty { rows: 3 });
    let zero = case.call().mask(&mask).when_empty(WhenEmpty::Zero).value_and_gradient();
    let (value, gradient) = zero.expect("zero was asked for");
    assert_eq!(value, 0.0);
    assert!(gradient.iter().all(|entry| entry.to_f64() == 0.0));
    let weights = [T::from_f64(0.0); 3];
    let error = case.call().weights(&weights).value().expect_err("no weight");
    assert_eq!(error, Error::Empty { rows: 3 });
}

/// Arguments of the wrong length are named.
fn bad_shapes<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    let case = Case::<T>::new(&mut rng, entry, 4);
    let named = |error: Error, name: &str| match error {
        Error::Shape { argument, .. } => assert_eq!(argument, name),
        other => panic!("expected a shape error for {name}, got {other}"),
    };
    named(case.call().weights(&[T::default(); 3]).value().expect_err("3 weights"), "weights");
    named(case.call().mask(&[true; 5]).value().expect_err("5 in a mask"), "mask");
    let mut buffer = vec![T::default(); case.predictions.len() + 1];
    let error = case.call().value_and_gradient_into(&mut buffer).expect_err("a long buffer");
    named(error, "gradient buffer");
    let short = case.select(&[0, 1, 2]);
    let call = case.loss.on((&case.predictions[..], case.classes), short.targets());
    named(call.value().expect_err("3 targets"), "targets");
    if case.loss.family() == Family::Classwise {
        let weights = vec![T::from_f64(1.0); case.classes + 1];
        let error = case.call().class_weights(&weights).value().expect_err("a class too many");
        named(error, "class_weights");
        let odd = case.loss.on((&case.predictions[..], case.predictions.len() + 1), case.targets());
        named(odd.value().expect_err("no whole row"), "predictions");
    } else {
        let error = case.call().class_weights(&[T::from_f64(1.0)]).value().expect_err("no classes");
        assert!(matches!(error, Error::Unsupported(_)), "{error}");
    }
}

/// Weights and probabilities outside their range are named with place and value.
fn bad_numbers<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    let mut case = Case::<T>::new(&mut rng, entry, 4);
    let named = |error: Error, name: &str, place: usize| match error {
        Error::OutOfRange { argument, index, .. } => assert_eq!((argument, index), (name, place)),
        other => panic!("expected a range error for {name}, got {other}"),
    };
    for bad in [-1.0, f64::NAN, f64::INFINITY] {
        let mut weights = [T::from_f64(1.0); 4];
        weights[3] = T::from_f64(bad);
        named(case.call().weights(&weights).value().expect_err("bad weight"), "weights", 3);
        if case.loss.family() == Family::Classwise {
            let mut weights = vec![T::from_f64(1.0); case.classes];
            weights[0] = T::from_f64(bad);
            let error = case.call().class_weights(&weights).value().expect_err("bad weight");
            named(error, "class_weights", 0);
        }
    }
    if case.loss.prediction_domain() == Domain::Probability {
        for bad in [-0.25, 1.5] {
            case.predictions[3] = T::from_f64(bad);
            named(case.call().value().expect_err("no probability"), "predictions", 3);
        }
    }
}

/// Labels that are no class, and targets outside their range, are named with place and value.
fn bad_targets<T: Tested>(entry: &Entry) {
    let mut rng = Rng::with_seed(SEED);
    let mut case = Case::<T>::new(&mut rng, entry, 4);
    let domain = case.loss.target_domain();
    match &mut case.targets {
        BatchTargets::Labels(labels) => {
            for bad in [-1, case.classes as i64] {
                labels[2] = bad;
                let expected = Error::Label { index: 2, value: bad, classes: case.classes };
                let call =
                    case.loss.on((&case.predictions[..], case.classes), Targets::from(&*labels));
                assert_eq!(call.value().expect_err("no class"), expected);
            }
        }
        BatchTargets::Values(values) => {
            let bad = match domain {
                Domain::Probability => 1.25,
                Domain::Sign => 0.0,
                _ => return,
            };
            values[2] = T::from_f64(bad);
            let error = case.call().value().expect_err("out of range");
            assert!(matches!(error, Error::OutOfRange { argument: "targets", index: 2, .. }));
            let mut replaced = case.predictions.clone();
            let call = case.loss.on((&mut replaced[..], case.classes), case.targets());
            assert_eq!(call.value_and_gradient_in_place().expect_err("out of range"), error);
            assert_eq!(replaced, case.predictions, "an error leaves predictions as they were");
        }
    }
    let numbers = vec![T::from_f64(0.5); case.predictions.len()];
    let error = match case.loss.accepts() {
        Targeting::Values => case.loss.on(&case.predictions, &[0i64; 4]).value(),
        Targeting::Labels => case
            .loss
            .on((&case.predictions[..], case.classes), Targets::Values(numbers.into()))
            .value(),
        Targeting::LabelsOrDistributions => return,
    };
    assert!(matches!(error, Err(Error::TargetKind { .. })));
}
