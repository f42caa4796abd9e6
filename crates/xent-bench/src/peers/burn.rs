//! Burn on its CPU backend: the modules of `burn::nn::loss`, and their backward pass.

use super::serve::Run;
use crate::case::{Case, Extra, Number, Output};
use crate::inputs::{Inputs, TargetData};
use burn::nn::loss::{
    BinaryCrossEntropyLossConfig, CrossEntropyLossConfig, HuberLossConfig, MseLoss, Reduction,
};
use burn::tensor::{Device, Int, Tensor, TensorData};
use std::hint::black_box;

pub(super) fn prepare(case: &Case) -> Result<Run, String> {
    if case.shape.len() > 2 {
        return Err("its classes are along the last axis".to_owned());
    }
    if case.number != Number::F32 {
        return Err(format!("it computes in f32, not in {}", case.number.name()));
    }
    let catalogued = xent::loss(&case.loss).map_err(|error| error.to_string())?;
    let inputs = Inputs::<f32>::new(case, &*catalogued);
    let device = match case.output {
        Output::Value => Device::flex(),
        Output::Gradient | Output::InPlace => Device::flex().autodiff(),
    };
    match (&case.loss[..], case.extra) {
        ("mse", _) => {
            let targets = values(&inputs.targets, &device)?;
            elements(case, inputs.predictions, &device, move |predictions| {
                MseLoss::new().forward(predictions, targets.clone(), Reduction::Mean)
            })
        }
        ("huber", _) => {
            let (targets, huber) = (values(&inputs.targets, &device)?, HuberLossConfig::new(1.0));
            let huber = huber.init();
            elements(case, inputs.predictions, &device, move |predictions| {
                huber.forward(predictions, targets.clone(), Reduction::Mean)
            })
        }
        ("bce_with_logits", _) => {
            let targets = values(&inputs.targets, &device)?.int();
            let entropy = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&device);
            elements(case, inputs.predictions, &device, move |predictions| {
                entropy.forward(predictions, targets.clone())
            })
        }
        ("cross_entropy" | "cross_entropy:label_smoothing=0.1", extra) => {
            cross_entropy(case, extra, inputs, &device)
        }
        (other, _) => Err(format!("it has no {other}")),
    }
}

fn cross_entropy(
    case: &Case,
    extra: Extra,
    inputs: Inputs<f32>,
    device: &Device,
) -> Result<Run, String> {
    if !matches!(extra, Extra::Nothing | Extra::ClassWeights) {
        return Err(format!("it has no {}", extra.name()));
    }
    let TargetData::Labels(labels) = inputs.targets else {
        return Err("it takes labels only".to_owned());
    };
    let smoothing = case.loss.ends_with("label_smoothing=0.1").then_some(0.1);
    let entropy = CrossEntropyLossConfig::new()
        .with_weights(inputs.class_weights)
        .with_smoothing(smoothing)
        .init(device);
    let rows = labels.len();
    let labels = Tensor::<1, Int>::from_data(TensorData::new(labels, [rows]), device);
    let logits = TensorData::new(inputs.predictions, [rows, case.classes()]);
    runs(case, Tensor::<2>::from_data(logits, device), move |logits| {
        entropy.forward(logits, labels.clone())
    })
}

fn values(targets: &TargetData<f32>, device: &Device) -> Result<Tensor<1>, String> {
    match targets {
        TargetData::Values(values) => Ok(Tensor::from_floats(&values[..], device)),
        TargetData::Labels(_) => Err("a pointwise loss has no labels".to_owned()),
    }
}

fn elements(
    case: &Case,
    predictions: Vec<f32>,
    device: &Device,
    loss: impl Fn(Tensor<1>) -> Tensor<1> + 'static,
) -> Result<Run, String> {
    runs(case, Tensor::from_floats(&predictions[..], device), loss)
}

fn runs<const D: usize>(
    case: &Case,
    predictions: Tensor<D>,
    loss: impl Fn(Tensor<D>) -> Tensor<1> + 'static,
) -> Result<Run, String> {
    if case.output == Output::Value {
        return Ok(Box::new(move || Ok(f64::from(loss(predictions.clone()).into_scalar::<f32>()))));
    }
    let predictions = predictions.require_grad();
    Ok(Box::new(move || {
        let value = loss(predictions.clone());
        let gradients = value.backward();
        black_box(predictions.grad(&gradients));
        Ok(f64::from(value.into_scalar::<f32>()))
    }))
}
