//! Sums without rounding errors.

/// Limbs of 32 bits for every bit that a finite `f64` can have, from 2⁻¹⁰⁷⁴
/// on, and for carries beyond the largest.
const LIMBS: usize = 68;

/// How many numbers can be added before a limb could overflow.
const MOST_PENDING: u32 = 1 << 30;

/// A sum of `f64` that is exact until it is read, so that numbers may be added
/// in any order and sums be merged in any order, to the same bits.
///
/// ```
/// use xent_train::exact::ExactSum;
/// let sum: ExactSum = [1e100, 1.0, -1e100].into_iter().collect();
/// assert_eq!(sum.value(), 1.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct ExactSum {
    /// Σ limbs[i] · 2^(32 i − 1074).
    limbs: [i64; LIMBS],
    /// How many numbers were added since carries were propagated.
    pending: u32,
    /// The sum of what is infinite or NaN.
    special: f64,
}

impl Default for ExactSum {
    fn default() -> Self {
        Self { limbs: [0; LIMBS], pending: 0, special: 0.0 }
    }
}

impl ExactSum {
    /// Adds a number; infinite ones and NaN count as in other sums.
    pub fn add(&mut self, number: f64) {
        const MANTISSA: u64 = (1 << 52) - 1;
        let bits = number.to_bits();
        let exponent = (bits >> 52 & 0x7ff) as usize;
        if exponent == 0x7ff {
            self.special += number;
            return;
        }
        let leading = u64::from(exponent > 0) << 52;
        let place = exponent.saturating_sub(1);
        let shifted = u128::from(bits & MANTISSA | leading) << (place % 32);
        for (part, limb) in self.limbs[place / 32..][..3].iter_mut().enumerate() {
            let digits = i64::from((shifted >> (32 * part)) as u32);
            *limb += if number.is_sign_negative() { -digits } else { digits };
        }
        self.pending += 1;
        if self.pending == MOST_PENDING {
            self.propagate();
        }
    }

    /// Adds the numbers of another sum.
    pub fn merge(&mut self, other: &Self) {
        let mut other = other.clone();
        other.propagate();
        self.propagate();
        self.limbs.iter_mut().zip(&other.limbs).for_each(|(limb, other)| *limb += other);
        self.special += other.special;
        self.pending += 1;
    }

    /// The sum, rounded once.
    pub fn value(&self) -> f64 {
        if self.special != 0.0 {
            return self.special;
        }
        let mut sum = self.clone();
        sum.propagate();
        let is_negative = sum.limbs[LIMBS - 1] < 0;
        if is_negative {
            sum.limbs.iter_mut().for_each(|limb| *limb = -*limb);
            sum.propagate();
        }
        let Some(top) = sum.limbs.iter().rposition(|&limb| limb != 0) else { return 0.0 };
        let lowest = top.saturating_sub(3);
        let digits = sum.limbs[lowest..=top].iter().rev();
        let mut leading = digits.fold(0u128, |number, &limb| number << 32 | limb as u128);
        // What is below decides only whether a tie is one.
        leading |= u128::from(sum.limbs[..lowest].iter().any(|&limb| limb != 0));
        let magnitude = leading as f64 * power_of_two(32 * lowest as i32 - 1074);
        if is_negative { -magnitude } else { magnitude }
    }

    /// Brings every limb but the last into 0..2³².
    fn propagate(&mut self) {
        let mut carry = 0;
        for limb in &mut self.limbs[..LIMBS - 1] {
            let sum = *limb + carry;
            carry = sum >> 32;
            *limb = sum & 0xffff_ffff;
        }
        self.limbs[LIMBS - 1] += carry;
        self.pending = 1;
    }
}

impl FromIterator<f64> for ExactSum {
    fn from_iter<I: IntoIterator<Item = f64>>(numbers: I) -> Self {
        let mut sum = Self::default();
        numbers.into_iter().for_each(|number| sum.add(number));
        sum
    }
}

/// 2ⁿ for −1074 ≤ n ≤ 1023.
fn power_of_two(n: i32) -> f64 {
    match n {
        -1074..-1022 => f64::from_bits(1 << (n + 1074)),
        _ => f64::from_bits(((n + 1023) as u64) << 52),
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha8Rng;
    use rand::{RngExt as _, SeedableRng as _};

    use super::*;

    fn sum(numbers: &[f64]) -> f64 {
        numbers.iter().copied().collect::<ExactSum>().value()
    }

    #[test]
    fn one_number_is_its_own_sum() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..100_000 {
            let number = f64::from_bits(random.random());
            if number.is_finite() {
                assert_eq!(sum(&[number]), number);
                assert_eq!(sum(&[number, number, -number]), number);
            }
        }
    }

    #[test]
    fn two_numbers_are_rounded_as_the_processor_does() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        for _ in 0..100_000 {
            let a = f64::from_bits(random.random());
            // Of like exponent, so that ties and cancellation occur.
            let shift = random.random_range(-60..60);
            let b = f64::from_bits(
                random.random::<u64>() & ((1 << 63) | ((1 << 52) - 1))
                    | a.to_bits() & (0x7ff << 52),
            ) * power_of_two(shift);
            if a.is_finite() && b.is_finite() {
                assert_eq!(sum(&[a, b]), a + b, "{a:e} {b:e}");
            }
        }
        assert_eq!(sum(&[f64::MAX, f64::MAX]), f64::INFINITY);
        assert_eq!(sum(&[f64::MAX, f64::MAX, -f64::MAX]), f64::MAX);
        assert_eq!(sum(&[1.0, 2f64.powi(-53)]), 1.0);
        assert_eq!(sum(&[1.0, 2f64.powi(-53), 2f64.powi(-1074)]), 1.0 + f64::EPSILON);
    }

    #[test]
    fn neither_order_nor_parts_change_a_bit() {
        let mut random = ChaCha8Rng::seed_from_u64(3);
        let mut numbers: Vec<f64> = (0..3000)
            .map(|_| random.random_range(-1.0..1.0) * 2f64.powi(random.random_range(-300..300)))
            .collect();
        let whole = sum(&numbers);
        for _ in 0..20 {
            let mut parts = vec![ExactSum::default(); random.random_range(1..9)];
            let last = numbers.len() - 1;
            for index in 0..numbers.len() {
                numbers.swap(index, random.random_range(0..=last));
            }
            for &number in &numbers {
                let part = random.random_range(0..parts.len());
                parts[part].add(number);
            }
            let mut all = ExactSum::default();
            parts.iter().for_each(|part| all.merge(part));
            assert_eq!(all.value(), whole);
        }
    }

    #[test]
    fn carries_are_propagated_in_time() {
        let mut sum = ExactSum { pending: MOST_PENDING - 1, ..ExactSum::default() };
        let full = f64::from(u32::MAX);
        sum.add(full);
        assert_eq!(sum.pending, 1);
        sum.add(-full);
        assert_eq!(sum.value(), 0.0);
    }

    #[test]
    fn infinite_numbers_stay() {
        assert_eq!(sum(&[1.0, f64::INFINITY]), f64::INFINITY);
        assert!(sum(&[f64::NEG_INFINITY, f64::INFINITY]).is_nan());
        assert!(sum(&[1.0, f64::NAN]).is_nan());
        assert_eq!(sum(&[]), 0.0);
    }
}
