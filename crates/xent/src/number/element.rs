//! The types that predictions and targets are stored in.

use super::half::{Binary16, Brain16, Format, HalfExp};
use super::{Double, Real};
use crate::dispatch::TILE;
use crate::family::{Kernel, Loss};
use half::slice::HalfFloatSliceExt;
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

    /// [`exp_coarse`](Real::exp_coarse) of each number, to 2⁻²² for `f16` and `bf16`.
    #[doc(hidden)]
    #[inline(always)]
    fn exps_coarse(numbers: &[Self], exponentials: &mut [Self::Wide]) {
        for (e, number) in exponentials.iter_mut().zip(numbers) {
            *e = number.widen().exp_coarse();
        }
    }

    /// [`weighed`](Self::weighed) of each number.
    #[doc(hidden)]
    #[inline(always)]
    fn weigh_all(wide: &[Self::Wide], weight: Self::Wide, rounded: &mut [Self]) {
        for (rounded, &wide) in rounded.iter_mut().zip(wide) {
            *rounded = Self::weighed(wide, weight);
        }
    }

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
    ($element:ty, $name:literal, $widen:expr, $narrow:expr, { $($methods:item)* }) => {
        impl Element for $element {
            type Wide = f64;
            const NAME: &'static str = $name;
            const LOWEST: Self = <$element>::NEG_INFINITY;
            const WIDE_HAS_RANGE: bool = true;

            #[inline(always)]
            fn widen(self) -> f64 {
                f64::from($widen(self))
            }

            #[inline(always)]
            fn narrow(wide: f64) -> Self {
                $narrow(wide as f32)
            }

            $($methods)*

            #[inline(always)]
            fn wide_to_f64(wide: f64) -> f64 {
                wide
            }

            #[inline(always)]
            fn to_f64(self) -> f64 {
                self.widen()
            }

            fn kernel(loss: &dyn Loss) -> &dyn Kernel<Self> {
                loss
            }
        }
    };
}

computed_in_f64!(f32, "f32", |single| single, |single| single, {});

/// What is done with `f32` is a loop of its own, for the compiler takes as many numbers at a time as
/// the widest of them allow.
macro_rules! half {
    ($element:ty, $name:literal, $format:ty, $widen_all:expr, $narrow_all:expr) => {
        computed_in_f64!(
            $element,
            $name,
            |half: Self| <$format>::widen(half.to_bits()),
            |single| <$element>::from_bits(<$format>::narrow(single)),
            {
                #[inline(always)]
                fn exps_coarse(numbers: &[Self], exponentials: &mut [f64]) {
                    let (mut shares, mut powers) = ([0.0; TILE], [0; TILE]);
                    for (numbers, out) in numbers.chunks(TILE).zip(exponentials.chunks_mut(TILE)) {
                        $widen_all(numbers, &mut shares[..numbers.len()]);
                        for (share, power) in shares.iter_mut().zip(&mut powers) {
                            HalfExp { share: *share, power: *power } = HalfExp::of(*share);
                        }
                        for (out, (&share, &power)) in
                            out.iter_mut().zip(shares.iter().zip(&powers))
                        {
                            *out = HalfExp { share, power }.widen();
                        }
                    }
                }

                #[inline(always)]
                fn weigh_all(wide: &[f64], weight: f64, rounded: &mut [Self]) {
                    let mut singles = [0.0f32; TILE];
                    for (wide, rounded) in wide.chunks(TILE).zip(rounded.chunks_mut(TILE)) {
                        for (single, &wide) in singles.iter_mut().zip(wide) {
                            *single = weight.weigh(wide) as f32;
                        }
                        $narrow_all(&singles[..wide.len()], &mut rounded[..wide.len()]);
                    }
                }
            }
        );
    };
}

// Processors convert `f16` by themselves, eight at a time.
half!(
    f16,
    "f16",
    Binary16,
    |halves: &[f16], singles: &mut [f32]| halves.convert_to_f32_slice(singles),
    |singles: &[f32], halves: &mut [f16]| halves.convert_from_f32_slice(singles)
);
half!(bf16, "bf16", Brain16, widen_brains, narrow_brains);

#[inline(always)]
fn widen_brains(halves: &[bf16], singles: &mut [f32]) {
    for (single, half) in singles.iter_mut().zip(halves) {
        *single = Brain16::widen(half.to_bits());
    }
}

#[inline(always)]
fn narrow_brains(singles: &[f32], halves: &mut [bf16]) {
    for (half, &single) in halves.iter_mut().zip(singles) {
        *half = bf16::from_bits(Brain16::narrow(single));
    }
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
