//! Losses whose curvature is kept from being too small.

use crate::dispatch::{Task, vectorised};
use crate::error::Result;
use crate::family::{Block, Domain, Family, Kernel, Loss, Order, Outputs, Targeting};
use crate::number::{Element, Real};

/// A loss whose curvature is never below a floor, for steps that divide by it: value and gradient
/// stay. A weight counts for the floor as it does for the curvature.
///
/// ```
/// use xent::{Evaluate, Floored, MeanAbsoluteError};
/// let loss = Floored::new(&MeanAbsoluteError {}, 1.0);
/// let (_, gradient, curvature) = loss.on(&[3.0], &[1.0]).value_gradient_curvature()?;
/// assert_eq!((gradient, curvature), (vec![1.0], vec![1.0]));
/// # Ok::<(), xent::Error>(())
/// ```
pub struct Floored<'a> {
    loss: &'a dyn Loss,
    floor: f64,
}

impl<'a> Floored<'a> {
    /// `loss`, with a curvature of `floor` where its own is less.
    pub fn new(loss: &'a dyn Loss, floor: f64) -> Self {
        Self { loss, floor }
    }
}

impl Loss for Floored<'_> {
    fn family(&self) -> Family {
        self.loss.family()
    }

    fn prediction_domain(&self) -> Domain {
        self.loss.prediction_domain()
    }

    fn target_domain(&self) -> Domain {
        self.loss.target_domain()
    }

    fn name(&self) -> String {
        self.loss.name()
    }

    fn check(&self) -> Result<()> {
        self.loss.check()
    }

    fn accepts(&self) -> Targeting {
        self.loss.accepts()
    }
}

impl<T: Element> Kernel<T> for Floored<'_> {
    fn run(&self, block: &Block<'_, T>, order: Order, outputs: Outputs<'_, T::Wide>) {
        let Outputs { values, gradient, curvature, factors, scratch } = outputs;
        let outputs = Outputs { values, gradient, curvature: &mut *curvature, factors, scratch };
        T::kernel(self.loss).run(block, order, outputs);
        vectorised(Raise { curvature, floor: T::Wide::constant(self.floor) });
    }

    fn planes(&self, labelled: bool, weighted: bool) -> Option<usize> {
        T::kernel(self.loss).planes(labelled, weighted)
    }
}

struct Raise<'a, W> {
    curvature: &'a mut [W],
    floor: W,
}

impl<W: Real> Task for Raise<'_, W> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Self { curvature, floor } = self;
        for curvature in curvature {
            *curvature = curvature.if_less(floor, floor, *curvature);
        }
    }
}
