//! The same bits for any number of threads, with any instruction set, and for any memory layout.

use ndarray::{Array2, Array3, Axis};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;
use xent::{CrossEntropy, Evaluate, MeanSquaredError, Reduction, Targeting, bf16, f16};
use xent_testkit::sample::{self, BatchTargets, Tested};

/// Rows enough for several jobs of several blocks.
const ROWS: usize = 70_001;
const CLASSES: usize = 3;

/// One number for every bit that the catalogue computes of a large batch.
fn fingerprint<T: Tested>() -> u64 {
    let mut hasher = DefaultHasher::new();
    let mut rng = fastrand::Rng::with_seed(11);
    for entry in xent::catalogue() {
        let loss = (entry.build)(&sample::parameters(&mut rng, entry));
        let classes = if loss.accepts() == Targeting::Values { 1 } else { CLASSES };
        let (predictions, targets) = sample::batch::<T>(&mut rng, loss.as_ref(), ROWS, classes);
        let targets = match &targets {
            BatchTargets::Labels(labels) => xent::Targets::from(labels),
            BatchTargets::Values(values) => xent::Targets::Values(values.into()),
        };
        let call = loss.on((&predictions, classes), targets);
        let (value, gradient, curvature) = call.value_gradient_curvature().unwrap();
        value.to_bits().hash(&mut hasher);
        for number in gradient.iter().chain(&curvature) {
            number.to_f64().to_bits().hash(&mut hasher);
        }
    }
    hasher.finish()
}

fn fingerprints() -> [u64; 4] {
    [fingerprint::<f16>(), fingerprint::<bf16>(), fingerprint::<f32>(), fingerprint::<f64>()]
}

#[test]
fn threads_do_not_change_a_bit() {
    let both = || [fingerprint::<bf16>(), fingerprint::<f32>()];
    let expected = both();
    for threads in 1..=8 {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        assert_eq!(pool.install(both), expected, "{threads} threads");
    }
}

/// Runs this test again under each instruction set, since a process chooses one once and for all.
#[test]
fn instruction_sets_do_not_change_a_bit() {
    let expected = format!("fingerprints {:x?}", fingerprints());
    if std::env::var_os("XENT_ISA").is_some() {
        println!("{expected}");
        return;
    }
    for isa in ["portable", "avx2", "avx512"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "instruction_sets_do_not_change_a_bit", "--nocapture"])
            .env("XENT_ISA", isa)
            .output()
            .unwrap();
        let output = String::from_utf8(output.stdout).unwrap();
        assert!(output.contains(&expected), "{isa}: {output}");
    }
}

#[test]
fn arrays_of_any_layout_give_the_same() {
    let logits = Array2::from_shape_fn((5, 3), |(i, j)| (i * 3 + j) as f32 * 0.37 - 2.0);
    let turned = logits.t().as_standard_layout().into_owned();
    let labels = ndarray::arr1(&[0, 2, 1, 1, 0]);
    let loss = CrossEntropy::default();
    let (value, gradient) = loss.on(&logits, &labels).value_and_gradient().unwrap();
    let view = turned.t();
    assert!(!view.is_standard_layout());
    let (same, same_gradient) = loss.on(&view, &labels).value_and_gradient().unwrap();
    assert_eq!((value, &gradient), (same, &same_gradient));

    let mut turned = turned;
    let mut view = turned.view_mut().reversed_axes();
    let in_place = loss.on(&mut view, &labels).value_and_gradient_in_place().unwrap();
    assert_eq!((value, gradient.view()), (in_place, view.view()));

    let cube = Array3::from_shape_fn((2, 3, 4), |(i, j, k)| (i + 2 * j + 3 * k) as f64);
    let slanted = cube.view().permuted_axes([2, 0, 1]);
    let zeros = Array3::<f64>::zeros(slanted.raw_dim());
    let call = MeanSquaredError::default();
    let call = call.on(&slanted, &zeros).reduction(Reduction::Sum);
    let (value, gradient) = call.value_and_gradient().unwrap();
    assert_eq!(value, cube.mapv(|x| x * x).sum());
    assert_eq!(gradient, slanted.mapv(|x| 2.0 * x));
    assert_eq!(gradient.len_of(Axis(0)), 4);
}
