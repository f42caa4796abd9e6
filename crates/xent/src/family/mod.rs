//! The shapes a loss can have, and what every loss of a shape gets for free.

pub(crate) mod classwise;
mod labelled;
mod linear;
pub(crate) mod pointwise;
pub(crate) mod softmax;

use crate::catalogue::Catalogued;
use crate::error::Result;
use crate::number::Element;
use half::{bf16, f16};

/// How a loss reads its predictions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// ℓ(prediction, target) of single numbers: one value per element.
    Pointwise,
    /// ℓ(row of C predictions, class index or distribution): one value per row.
    Classwise,
}

impl Family {
    /// The name used in listings: `pointwise` or `classwise`.
    pub fn name(self) -> &'static str {
        match self {
            Family::Pointwise => "pointwise",
            Family::Classwise => "classwise",
        }
    }
}

/// What the numbers of an argument mean, and so which of them are legal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Domain {
    /// Any number; NaN goes in and comes out.
    Real,
    /// Log-odds, any number: the sigmoid or softmax of it is a probability.
    Logit,
    /// A probability: a number in [0, 1].
    Probability,
    /// The logarithm of a probability: a number in [−∞, 0], or slightly above by rounding.
    LogProbability,
    /// A side: −1 or 1.
    Sign,
}

impl Domain {
    /// The name used in listings, such as `probability`.
    pub fn name(self) -> &'static str {
        match self {
            Domain::Real => "real",
            Domain::Logit => "logit",
            Domain::Probability => "probability",
            Domain::LogProbability => "log-probability",
            Domain::Sign => "sign",
        }
    }

    /// Whether `value` is legal here.
    #[inline(always)]
    pub(crate) fn allows(self, value: f64) -> bool {
        match self {
            Domain::Real | Domain::Logit | Domain::LogProbability => true,
            Domain::Probability => (0.0..=1.0).contains(&value),
            Domain::Sign => value.abs() == 1.0,
        }
    }

    pub(crate) fn range(self) -> &'static str {
        match self {
            Domain::Real | Domain::Logit | Domain::LogProbability => "a number",
            Domain::Probability => "in [0, 1]",
            Domain::Sign => "-1 or 1",
        }
    }
}

/// Which derivatives to compute; each includes the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// The value alone.
    Value,
    /// Value and gradient.
    Gradient,
    /// Value, gradient and curvature (the diagonal of the Hessian).
    Curvature,
}

/// A loss, whatever its family: what front-ends and the engine take.
///
/// Not implemented by hand: every [`Pointwise`](pointwise::Pointwise) loss is one already, and
/// [`classwise_loss!`](crate::classwise_loss) makes a [`Classwise`](classwise::Classwise) one.
pub trait Loss: Kernel<f16> + Kernel<bf16> + Kernel<f32> + Kernel<f64> + Send + Sync {
    /// The shape of the loss.
    fn family(&self) -> Family;

    /// What the predictions mean.
    fn prediction_domain(&self) -> Domain;

    /// What targets given as values mean; class indices are always in `0..C`.
    fn target_domain(&self) -> Domain;

    /// The loss with its parameters in the catalogue's text form, such as `huber:delta=1.5`.
    fn name(&self) -> String {
        self.page().map_or_else(|| std::any::type_name::<Self>().to_owned(), |page| page.text())
    }

    /// Whether the parameters are in their legal ranges.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) names the first that is not.
    fn check(&self) -> Result<()> {
        self.page().map_or(Ok(()), |page| page.check())
    }

    /// The page in the catalogue, if the loss has one.
    fn page(&self) -> Option<&dyn Catalogued> {
        None
    }

    /// Whether class indices can be targets, and whether distributions can.
    fn accepts(&self) -> Targeting;

    /// How each class of one row comes to its share, for a classwise loss.
    #[doc(hidden)]
    fn steps(&self, row: &Block<'_, f64>) -> Option<Vec<classwise::Step>> {
        let _ = row;
        None
    }
}

/// Which kinds of targets a loss takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Targeting {
    /// A number for each prediction.
    Values,
    /// A class index for each row.
    Labels,
    /// A class index for each row, or a distribution over the classes.
    LabelsOrDistributions,
}

impl std::fmt::Debug for dyn Loss + '_ {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

/// The targets of a block of rows.
#[derive(Clone, Copy, Debug)]
pub enum BlockTargets<'a, T> {
    /// A class index for each row, all in `0..classes`.
    Labels(&'a [usize]),
    /// A number for each prediction.
    Values(&'a [T]),
}

/// Some consecutive rows of a call; a pointwise loss sees rows of one element.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a, T: Element> {
    /// Predictions row after row, or class after class.
    pub predictions: &'a [T],
    /// Whether they, the gradient and the curvature are class after class, as planes.
    pub planes: bool,
    /// Their targets.
    pub targets: BlockTargets<'a, T>,
    /// The length of a row.
    pub classes: usize,
    /// A weight for each class.
    pub class_weights: Option<&'a [T::Wide]>,
}

impl<T: Element> Block<'_, T> {
    /// Where the entry of a row and class is.
    #[inline(always)]
    fn place(&self) -> impl Fn(usize, usize) -> usize + use<T> {
        let rows = self.predictions.len() / self.classes;
        let (by_row, by_class) = if self.planes { (1, rows) } else { (self.classes, 1) };
        move |row, class| row * by_row + class * by_class
    }
}

/// Where a kernel writes: unreduced, unweighted and not yet rounded.
#[derive(Debug)]
pub struct Outputs<'a, W> {
    /// One per row.
    pub values: &'a mut [W],
    /// As the predictions, but for the factor of the row; not written for [`Order::Value`].
    pub gradient: &'a mut [W],
    /// One per row: what its gradient is still to be multiplied by, so that the engine can do it
    /// in the same step as the weight. All 1, unless the kernel writes something else; without
    /// meaning for a pointwise loss.
    pub factors: &'a mut [W],
    /// As the predictions; written for [`Order::Curvature`].
    pub curvature: &'a mut [W],
    /// Memory to work in, of any length and content; it lasts from block to block.
    pub scratch: &'a mut Vec<W>,
}

/// The mathematics of a loss over blocks of one element type. Weights, masks, reduction, rounding
/// and threads are the engine's.
pub trait Kernel<T: Element> {
    /// Fills `outputs` for every row of `block`.
    fn run(&self, block: &Block<'_, T>, order: Order, outputs: Outputs<'_, T::Wide>);

    /// Up to how many classes rows had better be turned into planes, where targets are class
    /// indices or are not, and classes have weights or have not; none where blocks cannot be planes.
    fn planes(&self, labelled: bool, weighted: bool) -> Option<usize> {
        let _ = (labelled, weighted);
        None
    }
}
