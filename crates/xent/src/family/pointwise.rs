//! Losses ℓ(prediction, target) of single numbers.

use super::{Block, BlockTargets, Domain, Family, Kernel, Loss, Order, Outputs, Targeting};
use crate::catalogue::Catalogued;
use crate::dispatch::{TILE, Task, prefetch, vectorised};
use crate::number::{Dual, Element, Real};

/// A loss of one prediction and one target.
///
/// `value` is all that a loss needs; its derivatives then come exact from [`Dual`] numbers, and
/// reductions, weights, masks, threads and front-ends work with it. `gradient` and `curvature`
/// are written by hand where a closed form is faster or keeps more digits. All are to be
/// `#[inline(always)]`: only then are they compiled for the vectors of the processor.
///
/// ```
/// use xent::{Pointwise, Evaluate, Real};
///
/// /// |prediction - target|³
/// struct Cubic;
///
/// impl Pointwise for Cubic {
///     #[inline(always)]
///     fn value<R: Real>(&self, prediction: R, target: R) -> R {
///         let distance = (prediction - target).abs();
///         distance * distance * distance
///     }
/// }
///
/// let (value, gradient) = Cubic.on(&[3.0, 1.0], &[1.0, 1.0]).value_and_gradient()?;
/// assert_eq!(value, 4.0);
/// assert_eq!(gradient, [6.0, 0.0]);
/// # Ok::<(), xent::Error>(())
/// ```
pub trait Pointwise: Send + Sync {
    /// What the prediction means.
    const PREDICTION: Domain = Domain::Real;
    /// What the target means.
    const TARGET: Domain = Domain::Real;

    /// ℓ(prediction, target).
    fn value<R: Real>(&self, prediction: R, target: R) -> R;

    /// ∂ℓ/∂prediction.
    #[inline(always)]
    fn gradient<R: Real>(&self, prediction: R, target: R) -> R {
        self.value(Dual::variable(prediction), Dual::fixed(target)).first
    }

    /// ∂²ℓ/∂prediction².
    #[inline(always)]
    fn curvature<R: Real>(&self, prediction: R, target: R) -> R {
        self.value(Dual::variable(prediction), Dual::fixed(target)).second
    }

    /// Hands itself to `run`. A loss that takes much longer for some values of its parameters than
    /// for the usual ones hands those over as constants, so that the compiler sees them.
    #[inline(always)]
    fn with_usual_parameters(&self, run: impl FnOnce(&Self)) {
        run(self);
    }

    /// The page in the catalogue; a loss of your own has none.
    fn page(&self) -> Option<&dyn Catalogued> {
        None
    }
}

impl<L: Pointwise> Loss for L {
    fn family(&self) -> Family {
        Family::Pointwise
    }

    fn prediction_domain(&self) -> Domain {
        L::PREDICTION
    }

    fn target_domain(&self) -> Domain {
        L::TARGET
    }

    fn page(&self) -> Option<&dyn Catalogued> {
        Pointwise::page(self)
    }

    fn accepts(&self) -> Targeting {
        Targeting::Values
    }
}

impl<L: Pointwise, T: Element> Kernel<T> for L {
    fn run(&self, block: &Block<'_, T>, order: Order, outputs: Outputs<'_, T::Wide>) {
        let BlockTargets::Values(targets) = block.targets else {
            unreachable!("the engine gives pointwise losses values");
        };
        vectorised(Elements {
            loss: self,
            predictions: block.predictions,
            targets,
            order,
            outputs,
        });
    }
}

struct Elements<'a, L, T: Element> {
    loss: &'a L,
    predictions: &'a [T],
    targets: &'a [T],
    order: Order,
    outputs: Outputs<'a, T::Wide>,
}

impl<L: Pointwise, T: Element> Task for Elements<'_, L, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let loss = self.loss;
        loss.with_usual_parameters(
            #[inline(always)]
            |loss| self.tile_by_tile(loss),
        );
    }
}

impl<L: Pointwise, T: Element> Elements<'_, L, T> {
    #[inline(always)]
    fn tile_by_tile(self, loss: &L) {
        let Self { predictions, targets, order, outputs, .. } = self;
        let Outputs { values, gradient, curvature, .. } = outputs;
        let tiles = predictions.chunks(TILE).zip(targets.chunks(TILE));
        let tiles = tiles.zip(values.chunks_mut(TILE)).map(
            #[inline(always)]
            |((predictions, targets), values)| {
                prefetch(predictions);
                prefetch(targets);
                let inputs = predictions.iter().zip(targets).map(|(p, t)| (p.widen(), t.widen()));
                (inputs, values)
            },
        );
        // One loop for all of an order, so that what they have in common is computed once.
        match order {
            Order::Value => {
                for (inputs, values) in tiles {
                    for ((p, t), value) in inputs.zip(values) {
                        *value = loss.value(p, t);
                    }
                }
            }
            Order::Gradient => {
                for ((inputs, values), gradient) in tiles.zip(gradient.chunks_mut(TILE)) {
                    for (((p, t), value), gradient) in inputs.zip(values).zip(gradient) {
                        *value = loss.value(p, t);
                        *gradient = loss.gradient(p, t);
                    }
                }
            }
            Order::Curvature => {
                let outputs = gradient.chunks_mut(TILE).zip(curvature.chunks_mut(TILE));
                for ((inputs, values), (gradient, curvature)) in tiles.zip(outputs) {
                    let outputs = values.iter_mut().zip(gradient).zip(curvature);
                    for ((p, t), ((value, gradient), curvature)) in inputs.zip(outputs) {
                        *value = loss.value(p, t);
                        *gradient = loss.gradient(p, t);
                        *curvature = loss.curvature(p, t);
                    }
                }
            }
        }
    }
}
