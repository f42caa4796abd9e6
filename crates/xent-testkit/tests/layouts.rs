//! Where the classes lie in memory changes nothing: any axis, planes, rows apart, in place.

use fastrand::Rng;
use ndarray::{Array, Array2, Array4, s};
use xent::{
    Buffers, Call, Error, Evaluate, Family, Loss, Predictions, Reduction, Targeting, Targets, loss,
};

/// Bits of the values, the gradient and the curvature.
type Results = [Vec<u32>; 3];

fn results<P: Predictions<Element = f32>>(call: Call<'_, P>, rows: usize, len: usize) -> Results {
    let (mut values, mut gradient, mut curvature) =
        (vec![0.0; rows], vec![0.0; len], vec![0.0; len]);
    call.evaluate_into(Buffers {
        values: Some(&mut values),
        gradient: Some(&mut gradient),
        curvature: Some(&mut curvature),
    })
    .unwrap();
    [values, gradient, curvature].map(|numbers| numbers.into_iter().map(f32::to_bits).collect())
}

fn classwise() -> impl Iterator<Item = Box<dyn Loss>> {
    let all = xent::catalogue().iter().map(|entry| loss(entry.name).unwrap());
    all.filter(|loss| loss.family() == Family::Classwise)
}

/// Logarithms of probabilities, or probabilities for a loss that wants them.
fn predictions(loss: &dyn Loss, shape: [usize; 4], rng: &mut Rng) -> Array4<f32> {
    let logit = Array::from_shape_simple_fn(shape, || 20.0 * rng.f32() - 15.0);
    match loss.prediction_domain() {
        xent::Domain::Probability => logit.mapv(|logit| (logit / 20.0 + 0.75).clamp(0.0, 1.0)),
        _ => logit,
    }
}

/// The axis `from` moved to the end, in memory too.
fn rows_of(array: &Array4<f32>, from: usize) -> Array4<f32> {
    let mut axes = vec![0, 1, 2, 3];
    axes.remove(from);
    axes.push(from);
    array.view().permuted_axes([axes[0], axes[1], axes[2], axes[3]]).as_standard_layout().to_owned()
}

#[test]
fn any_axis_can_be_that_of_the_classes() {
    let mut rng = Rng::with_seed(1);
    for loss in classwise() {
        for shape in [[3, 5, 4, 7], [2, 3, 40, 41], [1, 33, 3, 100], [2, 1, 3, 3], [1, 700, 5, 5]] {
            let planes = predictions(loss.as_ref(), shape, &mut rng);
            let rows = rows_of(&planes, 1);
            let (count, classes) = (planes.len() / shape[1], shape[1]);
            let labels: Vec<i64> = (0..count)
                .map(|_| if rng.u8(..9) == 0 { -100 } else { rng.i64(0..classes as i64) })
                .collect();
            let weights: Vec<f32> = (0..count).map(|_| rng.f32() + 0.1).collect();
            let call = |axis| loss.on(&planes, &labels).weights(&weights).axis(axis);
            let expected = results(loss.on(&rows, &labels).weights(&weights), count, planes.len());
            let got = results(call(1), count, planes.len());
            assert_eq!(got[0], expected[0], "{} values {shape:?}", loss.name());
            assert_eq!(call(1).value().unwrap(), call(-3).value().unwrap());
            for (got, expected) in got.iter().zip(&expected).skip(1) {
                let expected = Array::from_shape_vec(rows.raw_dim(), expected.clone()).unwrap();
                let expected = expected.permuted_axes([0, 3, 1, 2]);
                assert!(got.iter().eq(expected.iter()), "{} {shape:?}", loss.name());
            }
            let mut replaced = planes.clone();
            let value = loss
                .on(&mut replaced, &labels)
                .weights(&weights)
                .axis(1)
                .value_and_gradient_in_place();
            let (apart, gradient) = call(1).value_and_gradient().unwrap();
            assert_eq!(value.unwrap(), apart, "{}", loss.name());
            assert_eq!(replaced, gradient, "{}", loss.name());
        }
    }
}

#[test]
fn distributions_lie_as_the_predictions_do() {
    let mut rng = Rng::with_seed(2);
    for loss in classwise().filter(|loss| loss.accepts() == Targeting::LabelsOrDistributions) {
        let planes = predictions(loss.as_ref(), [2, 6, 5, 9], &mut rng);
        let shares: Array4<f32> = Array::from_shape_simple_fn([2, 6, 5, 9], || rng.f32());
        let (rows, row_shares) = (rows_of(&planes, 1), rows_of(&shares, 1));
        let expected = results(loss.on(&rows, &row_shares), 90, planes.len());
        let got = results(loss.on(&planes, &shares).axis(1), 90, planes.len());
        assert_eq!(got[0], expected[0], "{}", loss.name());
    }
}

#[test]
fn rows_apart_are_read_where_they_are() {
    let mut rng = Rng::with_seed(3);
    for loss in classwise() {
        for classes in [3, 40, 1500] {
            let shape = [1, 1, 14, classes + 5];
            let wide: Array2<f32> = predictions(loss.as_ref(), shape, &mut rng)
                .into_shape_with_order((14, classes + 5))
                .unwrap();
            let view = wide.slice(s![..;2, 3..classes + 3]);
            let together = view.as_standard_layout().to_owned();
            assert!(view.as_slice().is_none());
            let labels: Vec<i64> = (0..7).map(|_| rng.i64(0..classes as i64)).collect();
            let expected = results(loss.on(&together, &labels), 7, together.len());
            assert_eq!(results(loss.on(&view, &labels), 7, together.len()), expected);
            let value = loss.on(&view, &labels).value().unwrap();
            assert_eq!(value, loss.on(&together, &labels).value().unwrap());
        }
    }
}

#[test]
fn images_without_pixels_are_no_rows() {
    let (logits, labels) = (Array::<f32, _>::zeros((2, 3, 0)), Vec::<i64>::new());
    for loss in classwise() {
        let call = loss.on(&logits, &labels).axis(1);
        assert!(matches!(call.value_and_gradient(), Err(Error::Empty { .. })));
        let (sum, gradient) = call.reduction(Reduction::Sum).value_and_gradient().unwrap();
        assert_eq!((sum, gradient.shape()), (0.0, logits.shape()), "{}", loss.name());
    }
}

#[test]
fn an_axis_has_to_be_there() {
    let logits = Array::<f32, _>::zeros((2, 3, 4));
    let labels = vec![0i64; 8];
    let cross_entropy = loss("cross_entropy").unwrap();
    let error = cross_entropy.on(&logits, &labels).axis(3).value().unwrap_err();
    assert!(error.to_string().contains("axis: 3") && error.to_string().contains("-3..=2"));
    assert!(cross_entropy.on(&logits, &labels).axis(-2).value().is_ok());
    assert!(matches!(
        cross_entropy.on((&[0.0f32; 5], [2, 3]), &[0, 1]).value(),
        Err(Error::Shape { argument: "predictions", .. })
    ));
    let targets: Targets<'_, f32> = (&[0.0f32; 3]).into();
    let error = loss("mse").unwrap().on(&[0.0f32; 3], targets).axis(0).value().unwrap_err();
    assert!(error.to_string().contains("pointwise"));
}

#[test]
fn one_class_has_a_distribution_too() {
    let (zeros, ones) = ([0f32; 4], [1f32; 4]);
    let (value, gradient) =
        xent::CrossEntropy::default().on((&zeros, 1), &ones).value_and_gradient().unwrap();
    assert_eq!((value, gradient), (0.0, vec![0.0; 4]));
}
