//! Optimisers, with the settings that are standard in the field.

mod adam;

use std::fmt;

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdaGradConfig, ModuleOptimizer, RmsPropConfig, SgdConfig};
use serde::{Deserialize, Serialize};

use adam::Adam;

/// How gradients change the weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimizer {
    /// Plain stochastic gradient descent.
    Sgd,
    /// Gradient descent with momentum 0.9.
    Momentum,
    /// Adam with β₁ = 0.9, β₂ = 0.999 and ε = 1e-8.
    Adam,
    /// Adam with decoupled weight decay on all parameters, of 0.01 unless given.
    AdamW,
    /// AdaGrad with ε = 1e-10.
    Adagrad,
    /// RMSprop with α = 0.99 and ε = 1e-8.
    RmsProp,
}

impl Optimizer {
    /// All optimisers, in the order in which to list them.
    pub const ALL: [Self; 6] =
        [Self::Sgd, Self::Momentum, Self::Adam, Self::AdamW, Self::Adagrad, Self::RmsProp];

    /// The name used on the command line and in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sgd => "sgd",
            Self::Momentum => "momentum",
            Self::Adam => "adam",
            Self::AdamW => "adamw",
            Self::Adagrad => "adagrad",
            Self::RmsProp => "rmsprop",
        }
    }

    /// A learning rate to start from on standardised features.
    pub fn default_learning_rate(self) -> f64 {
        match self {
            Self::Sgd | Self::Momentum | Self::Adagrad => 0.01,
            Self::Adam | Self::AdamW | Self::RmsProp => 0.001,
        }
    }

    /// With a weight decay, or that of the optimiser. But for AdamW, it is a
    /// penalty on all parameters, biases included, as in other frameworks.
    // Burn's defaults differ from the published ones that users know (ε = 1e-5,
    // a dampening of 0.1), so every setting is given.
    pub(crate) fn build(self, weight_decay: Option<f64>) -> ModuleOptimizer {
        const ADAMW_DECAY: f64 = 0.01;
        let lambda = weight_decay.unwrap_or(0.0) as f32;
        let penalty = (lambda > 0.0).then(|| WeightDecayConfig::new(lambda));
        match self {
            Self::Sgd => SgdConfig::new().with_weight_decay(penalty).init(),
            Self::Momentum => {
                let momentum = MomentumConfig::new().with_momentum(0.9).with_dampening(0.0);
                SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(penalty).init()
            }
            Self::Adam => Adam { penalty: lambda, decay: 0.0 }.into(),
            Self::AdamW => {
                let decay = weight_decay.unwrap_or(ADAMW_DECAY) as f32;
                Adam { penalty: 0.0, decay }.into()
            }
            Self::Adagrad => {
                AdaGradConfig::new().with_epsilon(1e-10).with_weight_decay(penalty).init()
            }
            Self::RmsProp => RmsPropConfig::new()
                .with_momentum(0.0)
                .with_epsilon(1e-8)
                .with_weight_decay(penalty)
                .init(),
        }
    }
}

impl fmt::Display for Optimizer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
