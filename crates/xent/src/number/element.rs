//! The types that predictions and targets are stored in.

use super::half::{Binary16, Brain16, Format};
use super::{Double, Real};
use crate::family::{Kernel, Loss};
use half::{bf16, f16};
use std::fmt::{Debug, Display};

mod sealed {
    pub trait Sealed {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}

/// A type that predictions, targets and weights are stored in: `f32`, `f64`, `f16` or `bf16`.
pub trait Element:
    sealed::Sealed + Copy + Debug + Default + Display + PartialOrd + Send + Sync + 'static
{
    /// The number that losses over this type are computed with.
    type Wide: Real + Default + Debug;

    /// The name of the type, such as `"f32"`.
    const NAME: &'static str;

    /// The value below all others: −∞.
    const LOWEST: Self;

    /// Whether wide numbers reach far beyond the range of this type.
    #[doc(hidden)]
    const WIDE_HAS_RANGE: bool;

    /// The exact value as a wide number.
    fn widen(self) -> Self::Wide;

    /// The nearest value of this type.
    fn narrow(wide: Self::Wide) -> Self;

    /// The nearest value to `weight · wide`; 0 where `weight` is 0, whatever `wide` is.
    #[doc(hidden)]
    #[inline(always)]
    fn weighed(wide: Self::Wide, weight: Self::Wide) -> Self {
        Self::narrow(weight.weigh(wide))
    }

    /// The nearest `f64` to a wide number.
    fn wide_to_f64(wide: Self::Wide) -> f64;

    /// The exact value as an `f64`.
    fn to_f64(self) -> f64;

    #[doc(hidden)]
    fn kernel(loss: &dyn Loss) -> &dyn Kernel<Self>;
}

macro_rules! computed_in_f64 {
    ($($element:ty = $name:literal, $lowest:expr, $widen:expr, $narrow:expr;)*) => {$(
        impl Element for $element {
            type Wide = f64;
            const NAME: &'static str = $name;
            const LOWEST: Self = $lowest;
            const WIDE_HAS_RANGE: bool = true;

            #[inline(always)]
            fn widen(self) -> f64 {
                $widen(self)
            }

            #[inline(always)]
            fn narrow(wide: f64) -> Self {
                $narrow(wide)
            }

            #[inline(always)]
            fn wide_to_f64(wide: f64) -> f64 {
                wide
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                $widen(self)
            }

            fn kernel(loss: &dyn Loss) -> &dyn Kernel<Self> {
                loss
            }
        }
    )*};
}

computed_in_f64! {
    f16 = "f16", f16::NEG_INFINITY, |half: f16| Binary16::widen(half.to_bits()),
        |wide| f16::from_bits(Binary16::narrow(wide));
    bf16 = "bf16", bf16::NEG_INFINITY, |half: bf16| Brain16::widen(half.to_bits()),
        |wide| bf16::from_bits(Brain16::narrow(wide));
    f32 = "f32", f32::NEG_INFINITY, f64::from, |wide| wide as f32;
}

impl Element for f64 {
    type Wide = Double;
    const NAME: &'static str = "f64";
    const LOWEST: Self = f64::NEG_INFINITY;
    const WIDE_HAS_RANGE: bool = false;

    #[inline(always)]
    fn widen(self) -> Double {
        Double::constant(self)
    }

    #[inline(always)]
    fn narrow(wide: Double) -> Self {
        wide.to_f64()
    }

    #[inline(always)]
    fn weighed(wide: Double, weight: Double) -> Self {
        wide.rounded_product(weight)
    }

    #[inline(always)]
    fn wide_to_f64(wide: Double) -> f64 {
        wide.to_f64()
    }

    #[inline(always)]
    fn to_f64(self) -> f64 {
        self
    }

    fn kernel(loss: &dyn Loss) -> &dyn Kernel<Self> {
        loss
    }
}
