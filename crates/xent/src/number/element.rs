//! The types that predictions and targets are stored in.

use super::half::{Binary16, Brain16, Format};
use super::{Double, Real, wide};
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

/// [`exp_coarse`](Real::exp_coarse) of numbers, as good as the polynomial.
#[inline(always)]
fn exps<const N: usize>(
    singles: impl Iterator<Item = f32>,
    coefficients: &[f64; N],
    exponentials: &mut [f64],
) {
    const LOW: f32 = wide::EXP_UNDERFLOW as f32;
    const HIGH: f32 = wide::EXP_OVERFLOW as f32;
    for (e, x) in exponentials.iter_mut().zip(singles) {
        let x = if x < LOW { LOW } else { x };
        let x = if x > HIGH { HIGH } else { x };
        *e = wide::exp_within(f64::from(x), coefficients);
    }
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

computed_in_f64!(f32, "f32", |single| single, |single| single, {
    #[inline(always)]
    fn exps_coarse(numbers: &[f32], exponentials: &mut [f64]) {
        exps(numbers.iter().copied(), &wide::EXP_COARSE, exponentials);
    }
});

computed_in_f64!(
    bf16,
    "bf16",
    |half: bf16| Brain16::widen(half.to_bits()),
    |single| bf16::from_bits(Brain16::narrow(single)),
    {
        #[inline(always)]
        fn exps_coarse(numbers: &[bf16], exponentials: &mut [f64]) {
            let singles = numbers.iter().map(|half| Brain16::widen(half.to_bits()));
            exps(singles, &wide::EXP_ROUGH, exponentials);
        }
    }
);

// Processors convert `f16` by themselves, eight at a time.
computed_in_f64!(
    f16,
    "f16",
    |half: f16| Binary16::widen(half.to_bits()),
    |single| f16::from_bits(Binary16::narrow(single)),
    {
        #[inline(always)]
        fn exps_coarse(numbers: &[f16], exponentials: &mut [f64]) {
            let mut singles = [0.0; TILE];
            for (numbers, out) in numbers.chunks(TILE).zip(exponentials.chunks_mut(TILE)) {
                let singles = &mut singles[..numbers.len()];
                numbers.convert_to_f32_slice(singles);
                exps(singles.iter().copied(), &wide::EXP_ROUGH, out);
            }
        }

        #[inline(always)]
        fn weigh_all(wide: &[f64], weight: f64, rounded: &mut [f16]) {
            let mut singles = [0.0; TILE];
            for (wide, rounded) in wide.chunks(TILE).zip(rounded.chunks_mut(TILE)) {
                f32::weigh_all(wide, weight, &mut singles);
                let count = wide.len();
                rounded[..count].convert_from_f32_slice(&singles[..count]);
            }
        }
    }
);

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

#[cfg(test)]
mod tests {
    use super::Element;
    use half::{bf16, f16};

    fn check<T: Element<Wide = f64>>(number: T, bits: i32) {
        let x = number.to_f64();
        let mut actual = [0.0];
        T::exps_coarse(&[number], &mut actual);
        let expected = x.clamp(-708.0, 709.0).exp();
        let close = (actual[0] / expected - 1.0).abs() <= 2f64.powi(-bits);
        assert!(close || x.is_nan() && actual[0].is_nan(), "{x}: {actual:?}, not {expected:e}");
    }

    #[test]
    fn coarse_exponentials_are_as_good_as_they_say() {
        for bits in 0..=u16::MAX {
            check(f16::from_bits(bits), 22);
            check(bf16::from_bits(bits), 22);
            check(f32::from_bits(u32::from(bits) << 16 | 0x5a5a), 33);
        }
    }
}
