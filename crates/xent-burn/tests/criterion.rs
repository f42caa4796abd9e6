//! The operation gives what the core gives, bit for bit, through Burn's autodiff.

use burn::tensor::{Device, Int, Tensor, TensorData};
use xent::{Domain, Evaluate, Loss, Targeting};
use xent_burn::{Criterion, Targets};

const LOGITS: [f32; 12] = [2.0, 1.0, 0.1, -3.0, 4.0, 20.0, 0.0, 0.5, 0.5, -1.25, 7.0, 1e-3];
const LABELS: [i64; 4] = [0, 2, 1, 0];

fn logits(device: &Device) -> Tensor<2> {
    Tensor::from_data(TensorData::new(LOGITS.to_vec(), [4, 3]), device)
}

fn labels(labels: &[i64], device: &Device) -> Targets {
    Targets::Classes(Tensor::<1, Int>::from_data(
        TensorData::new(labels.to_vec(), [labels.len()]),
        device,
    ))
}

fn cross_entropy() -> Criterion {
    Criterion::new(xent::loss("cross_entropy").unwrap())
}

fn core_value_and_gradient() -> (f64, Vec<f32>) {
    let loss = xent::loss("cross_entropy").unwrap();
    loss.on((&LOGITS[..], 3), &LABELS[..]).value_and_gradient().unwrap()
}

fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

#[test]
fn value_and_gradient_are_those_of_the_core() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).require_grad();
    let loss = cross_entropy().forward(logits.clone(), labels(&LABELS, &device)).unwrap();
    let gradient = values(logits.grad(&loss.backward()).unwrap());

    let (value, expected) = core_value_and_gradient();
    assert_eq!(bits(&values(loss)), bits(&[value as f32]));
    assert_eq!(bits(&gradient), bits(&expected));
}

#[test]
fn gradient_flows_through_a_model() {
    let device = Device::flex().autodiff();
    let features =
        Tensor::<2>::from_data([[1.0, -2.0], [0.5, 3.0], [2.0, 0.0], [1.0, 1.0]], &device);
    let weights =
        Tensor::<2>::from_data([[0.1, 0.2, -0.3], [0.4, -0.5, 0.6]], &device).require_grad();
    let logits = features.clone().matmul(weights.clone());
    let host = values(logits.clone().inner());
    let loss = cross_entropy().forward(logits, labels(&LABELS, &device)).unwrap();
    let gradient = values(weights.grad(&loss.backward()).unwrap());

    let core = xent::loss("cross_entropy").unwrap();
    let (_, of_logits) = core.on((&host[..], 3), &LABELS[..]).value_and_gradient().unwrap();
    let of_logits = Tensor::<2>::from_data(TensorData::new(of_logits, [4, 3]), &device.inner());
    let expected = features.inner().transpose().matmul(of_logits);
    assert_eq!(bits(&gradient), bits(&values(expected)));
}

#[test]
fn what_follows_the_loss_scales_the_gradient() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).require_grad();
    let loss = cross_entropy().forward(logits.clone(), labels(&LABELS, &device)).unwrap();
    let gradients = loss.mul_scalar(-3.0).backward();
    let expected: Vec<f32> = core_value_and_gradient().1.iter().map(|g| g * -3.0).collect();
    assert_eq!(bits(&values(logits.grad(&gradients).unwrap())), bits(&expected));
}

#[test]
fn two_losses_of_one_model_add_up() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).require_grad();
    let loss = || cross_entropy().forward(logits.clone(), labels(&LABELS, &device)).unwrap();
    let gradients = (loss() + loss()).backward();
    let expected: Vec<f32> = core_value_and_gradient().1.iter().map(|g| g + g).collect();
    assert_eq!(bits(&values(logits.grad(&gradients).unwrap())), bits(&expected));
}

#[test]
fn no_gradient_is_needed() {
    let (value, _) = core_value_and_gradient();
    for device in [Device::flex(), Device::flex().autodiff()] {
        let loss = cross_entropy().forward(logits(&device), labels(&LABELS, &device)).unwrap();
        assert_eq!(loss.dims(), [1]);
        assert_eq!(bits(&values(loss)), bits(&[value as f32]));
    }
}

#[test]
fn layout_in_memory_does_not_matter() {
    let device = Device::flex().autodiff();
    let columns: Vec<f32> = (0..12).map(|i| LOGITS[i % 4 * 3 + i / 4]).collect();
    let transposed =
        Tensor::<2>::from_data(TensorData::new(columns, [3, 4]), &device).require_grad();
    let loss =
        cross_entropy().forward(transposed.clone().transpose(), labels(&LABELS, &device)).unwrap();
    let gradient = transposed.grad(&loss.backward()).unwrap().transpose();

    let (value, expected) = core_value_and_gradient();
    assert_eq!(bits(&values(loss)), bits(&[value as f32]));
    assert_eq!(bits(&values(gradient)), bits(&expected));
}

#[test]
fn predictions_used_elsewhere_stay_as_they_are() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).require_grad();
    let shared = logits.clone();
    cross_entropy().forward(logits, labels(&LABELS, &device)).unwrap();
    assert_eq!(bits(&values(shared)), bits(&LOGITS));
}

#[test]
fn weights_count_as_in_the_core() {
    let device = Device::flex().autodiff();
    let (row, class) = ([1.0f32, 0.5, 2.0, 0.0], [1.0f32, 3.0, 0.25]);
    let logits = logits(&device).require_grad();
    let loss = cross_entropy()
        .class_weights(class)
        .forward_weighted(logits.clone(), labels(&LABELS, &device), Tensor::from_data(row, &device))
        .unwrap();
    let gradient = values(logits.grad(&loss.backward()).unwrap());

    let core = xent::loss("cross_entropy").unwrap();
    let call = core.on((&LOGITS[..], 3), &LABELS[..]);
    let (value, expected) = call.weights(&row).class_weights(&class).value_and_gradient().unwrap();
    assert_eq!(bits(&values(loss)), bits(&[value as f32]));
    assert_eq!(bits(&gradient), bits(&expected));
}

#[test]
fn row_weights_cover_every_column_of_a_pointwise_loss() {
    let device = Device::flex();
    let criterion = Criterion::new(xent::loss("mean_squared_error").unwrap());
    let loss = criterion
        .forward_weighted(
            Tensor::from_data([[1.0, 2.0], [3.0, 4.0]], &device),
            Targets::Values(Tensor::from_data([[0.0, 0.0], [0.0, 0.0]], &device)),
            Tensor::from_data([3.0, 1.0], &device),
        )
        .unwrap();
    assert_eq!(values(loss), [(3.0 * (1.0 + 4.0) + 1.0 * (9.0 + 16.0)) / 8.0]);
}

#[test]
fn ignored_rows_get_no_gradient() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).require_grad();
    let loss = cross_entropy()
        .ignore_index(-100)
        .forward(logits.clone(), labels(&[0, -100, 1, 0], &device))
        .unwrap();
    let gradient = values(logits.grad(&loss.backward()).unwrap());
    assert_eq!(gradient[3..6], [0.0; 3]);
    assert_ne!(gradient[0], 0.0);
}

#[test]
fn errors_of_the_loss_are_returned() {
    let device = Device::flex().autodiff();
    let forward = |targets| cross_entropy().forward(logits(&device).require_grad(), targets);
    assert_eq!(
        forward(labels(&[0, 1, 3, 0], &device)).unwrap_err(),
        xent::Error::Label { index: 2, value: 3, classes: 3 }
    );
    assert!(matches!(
        forward(labels(&[0, 1], &device)).unwrap_err(),
        xent::Error::Shape { argument: "targets", .. }
    ));
    let weighted = cross_entropy().forward_weighted(
        logits(&device),
        labels(&LABELS, &device),
        Tensor::from_data([1.0, 2.0], &device),
    );
    assert!(matches!(weighted.unwrap_err(), xent::Error::Shape { argument: "weights", .. }));
}

#[test]
fn other_float_types_come_back_as_they_went() {
    let device = Device::flex().autodiff();
    let logits = logits(&device).cast(burn::tensor::FloatDType::F64).require_grad();
    let loss = cross_entropy().forward(logits.clone(), labels(&LABELS, &device)).unwrap();
    let gradient = logits.grad(&loss.backward()).unwrap().into_data();
    let expected: Vec<f64> = core_value_and_gradient().1.iter().map(|&g| f64::from(g)).collect();
    assert_eq!(gradient.try_into_vec::<f64>().unwrap(), expected);
}

/// Predictions and targets that are legal for a loss: four rows of three.
fn legal(loss: &dyn Loss) -> (Vec<f32>, Vec<f32>) {
    let number = |domain, i: usize| {
        let share = [0.2, 0.5, 0.3][i % 3];
        match domain {
            Domain::Real | Domain::Logit => LOGITS[i],
            Domain::Probability => share,
            Domain::LogProbability => f32::ln(share),
            Domain::Sign => [1.0, -1.0, -1.0, 1.0][i % 4],
        }
    };
    let numbers = |domain| (0..LOGITS.len()).map(|i| number(domain, i)).collect();
    (numbers(loss.prediction_domain()), numbers(loss.target_domain()))
}

#[test]
fn every_loss_of_the_catalogue_is_differentiable() {
    let device = Device::flex().autodiff();
    for entry in xent::catalogue() {
        let loss = xent::loss(entry.name).unwrap();
        let (predictions, targets) = legal(loss.as_ref());
        let tensor = |values: &[f32]| {
            Tensor::<2>::from_data(TensorData::new(values.to_vec(), [4, 3]), &device)
        };
        let leaf = tensor(&predictions).require_grad();
        let with_labels = loss.accepts() != Targeting::Values;
        let (expected, targets) = if with_labels {
            let call = loss.on((&predictions[..], 3), &LABELS);
            (call.value_and_gradient(), labels(&LABELS, &device))
        } else {
            let call = loss.on((&predictions[..], 3), &targets);
            (call.value_and_gradient(), Targets::Values(tensor(&targets)))
        };
        let (value, expected) = expected.unwrap();
        let loss = Criterion::new(loss).forward(leaf.clone(), targets).unwrap();
        let gradient = values(leaf.grad(&loss.backward()).unwrap());
        assert_eq!(bits(&values(loss)), bits(&[value as f32]), "{}", entry.name);
        assert_eq!(bits(&gradient), bits(&expected), "{}", entry.name);
    }
}
