//! What is done to gradients before a step: penalties, norm and clipping.

use burn::module::{ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Tensor, TensorData};
use xent::penalty::{l1, l2};

use crate::model::{Model, device, host_values};

/// Value and gradient of a penalty on weights, for a λ.
type Penalty = fn(&[f32], f64) -> xent::Result<(f64, Vec<f32>)>;

/// Adds the gradients of λ₁·Σ|w| and λ₂/2·Σw² over weights.
pub(super) fn penalise<M: Model>(
    model: &M,
    gradients: &mut GradientsParams,
    lambda_1: f64,
    lambda_2: f64,
) {
    let penalties = [(lambda_1, l1 as Penalty), (lambda_2, l2)];
    if penalties.iter().any(|(lambda, _)| *lambda != 0.0) {
        model.visit(&mut Penalise { penalties, gradients });
    }
}

/// The Euclidean norm over all parameters.
pub(super) fn norm<M: Model>(model: &M, gradients: &GradientsParams) -> f64 {
    let mut norm = Norm { gradients, squares: 0.0 };
    model.visit(&mut norm);
    norm.squares.sqrt()
}

/// Scales gradients whose norm is above `most` down to it.
pub(super) fn clip<M: Model>(model: &M, gradients: &mut GradientsParams, most: f64) {
    let norm = norm(model, gradients);
    if norm > most {
        model.visit(&mut Scale { factor: most / norm, gradients });
    }
}

struct Penalise<'a> {
    penalties: [(f64, Penalty); 2],
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Penalise<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        // Biases, of one dimension, are not penalised.
        if D == 1 {
            return;
        }
        let Some(mut gradient) = self.gradients.remove::<D>(param.id) else { return };
        let weights = param.val().inner();
        let shape = weights.dims();
        let weights = host_values(weights);
        for (lambda, penalty) in self.penalties {
            if lambda != 0.0 {
                let (_, slope) = penalty(&weights, lambda).expect("settings were checked");
                let slope = TensorData::new(slope, shape);
                gradient = gradient + Tensor::from_data(slope, &device().inner());
            }
        }
        self.gradients.register(param.id, gradient);
    }
}

struct Norm<'a> {
    gradients: &'a GradientsParams,
    squares: f64,
}

impl ModuleVisitor for Norm<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            let squares = host_values(gradient).into_iter().map(|g| f64::from(g).powi(2));
            self.squares += squares.sum::<f64>();
        }
    }
}

struct Scale<'a> {
    factor: f64,
    gradients: &'a mut GradientsParams,
}

impl ModuleVisitor for Scale<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.remove::<D>(param.id) {
            self.gradients.register(param.id, gradient.mul_scalar(self.factor));
        }
    }
}
