//! Candle: the functions of `candle_nn::loss`, and their backward pass.

use super::serve::Run;
use crate::case::{Case, Extra, Number, Output};
use crate::inputs::{Inputs, Sample, TargetData};
use candle_core::{DType, Device, Result, Tensor, Var, WithDType};
use candle_nn::loss;
use std::hint::black_box;
use xent::{bf16, f16};

pub(super) fn prepare(case: &Case) -> std::result::Result<Run, String> {
    match case.number {
        Number::F16 => build::<f16>(case),
        Number::Bf16 => build::<bf16>(case),
        Number::F32 => build::<f32>(case),
        Number::F64 => build::<f64>(case),
    }
}

fn build<T: Sample + WithDType>(case: &Case) -> std::result::Result<Run, String> {
    let function: fn(&Tensor, &Tensor) -> Result<Tensor> = match &case.loss[..] {
        "cross_entropy" => loss::cross_entropy,
        "mse" => loss::mse,
        "huber" => |predictions, targets| loss::huber(predictions, targets, 1.0),
        "bce_with_logits" => loss::binary_cross_entropy_with_logit,
        other => return Err(format!("it has no {other}")),
    };
    if case.shape.len() > 2 {
        return Err("its classes are along the last axis".to_owned());
    }
    if case.extra != Extra::Nothing {
        return Err(format!("it has no {}", case.extra.name()));
    }
    let (predictions, targets) = tensors::<T>(case).map_err(|error| error.to_string())?;
    let with_gradient = case.output == Output::Gradient;
    let run = move || {
        if !with_gradient {
            return scalar(&function(&predictions, &targets)?);
        }
        let value = function(predictions.as_tensor(), &targets)?;
        black_box(value.backward()?);
        scalar(&value)
    };
    Ok(Box::new(move || run().map_err(|error| error.to_string())))
}

fn tensors<T: Sample + WithDType>(case: &Case) -> Result<(Var, Tensor)> {
    let catalogued = xent::loss(&case.loss).map_err(candle_core::Error::wrap)?;
    let inputs = Inputs::<T>::new(case, &*catalogued);
    let predictions = Tensor::from_vec(inputs.predictions, &case.shape[..], &Device::Cpu)?;
    let targets = match inputs.targets {
        TargetData::Labels(labels) => {
            let rows = labels.len();
            Tensor::from_vec(labels, rows, &Device::Cpu)?.to_dtype(DType::U32)?
        }
        TargetData::Values(values) => Tensor::from_vec(values, &case.shape[..], &Device::Cpu)?,
    };
    Ok((Var::from_tensor(&predictions)?, targets))
}

fn scalar(value: &Tensor) -> Result<f64> {
    value.to_dtype(DType::F64)?.to_scalar()
}
