//! The elementary functions that the kernels of `f32` data are made of, each rounded to `f32`,
//! against a function of twice the digits.
//!
//! The greatest errors over all 2³² inputs, as `every_f32` prints them:
//!
//! | function | greatest error | at |
//! |---|---:|---:|
//! | `exp` | 0.500000 | -1.456709e1 |
//! | `exp_coarse` | 0.500769 | -1.196351e-1 |
//! | `exp_m1` | 0.500000 | 3.7697285e-7 |
//! | `ln` | 0.500000 | 3.079322e-20 |
//! | `ln_1p` | 0.500000 | 7.152559e-7 |
//! | `sigmoid` | 0.500000 | -6.9737434e-6 |
//! | `softplus` | 0.500312 | -2.842017e1 |
//! | `tanh` | 0.500000 | 1.4914835e-3 |
//! | `sech_squared` | 0.500000 | 1.166477e0 |
//! | `ln_cosh` | 0.500655 | 4.312705e-5 |

use fastrand::Rng;
use rayon::prelude::*;
use xent::Real;
use xent_testkit::oracle::{Format, Formula, Inputs, Shape, ulps};

/// Greatest error in units in the last place of `f32`: half is the rounding, the rest is what an
/// error of 2⁻³³ before it can add.
const LIMIT: f64 = 0.502;
/// Greatest error in units in the last place of `f64` where no coarser one is promised.
const WIDE_LIMIT: f64 = 3.0;

/// One function in three forms.
struct Function {
    name: &'static str,
    /// As kernels compute it.
    wide: fn(f64) -> f64,
    /// As the system's library computes it, good to a few units in the last place of `f64`.
    reference: fn(f64) -> f64,
    /// As the oracle evaluates it.
    formula: &'static str,
    /// The relative error promised where that is more than [`WIDE_LIMIT`].
    relative: f64,
    /// Where results are neither subnormal nor infinite.
    domain: (f64, f64),
}

const fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}

const FUNCTIONS: [Function; 10] = [
    Function {
        name: "exp",
        wide: Real::exp,
        reference: f64::exp,
        formula: "exp(prediction)",
        relative: 0.0,
        domain: (-708.0, 709.0),
    },
    Function {
        name: "exp_coarse",
        wide: Real::exp_coarse,
        reference: f64::exp,
        formula: "exp(prediction)",
        relative: power_of_two(-33),
        domain: (-708.0, 708.0),
    },
    Function {
        name: "exp_m1",
        wide: Real::exp_m1,
        reference: f64::exp_m1,
        formula: "expm1(prediction)",
        relative: 0.0,
        domain: (f64::NEG_INFINITY, 709.0),
    },
    Function {
        name: "ln",
        wide: Real::ln,
        reference: f64::ln,
        formula: "log(prediction)",
        relative: 0.0,
        domain: (0.0, f64::INFINITY),
    },
    Function {
        name: "ln_1p",
        wide: Real::ln_1p,
        reference: f64::ln_1p,
        formula: "log1p(prediction)",
        relative: 0.0,
        domain: (-1.0, f64::INFINITY),
    },
    Function {
        name: "sigmoid",
        wide: Real::sigmoid,
        reference: |x| {
            let e = (-x.abs()).exp();
            if x < 0.0 { e / (1.0 + e) } else { 1.0 / (1.0 + e) }
        },
        formula: "sigmoid(prediction)",
        relative: 0.0,
        domain: (-708.0, f64::INFINITY),
    },
    Function {
        name: "softplus",
        wide: Real::softplus,
        reference: |x| {
            let positive = if x < 0.0 { 0.0 } else { x };
            positive + (-x.abs()).exp().ln_1p()
        },
        formula: "softplus(prediction)",
        relative: power_of_two(-35),
        domain: (-708.0, f64::INFINITY),
    },
    Function {
        name: "tanh",
        wide: Real::tanh,
        reference: f64::tanh,
        formula: "tanh(prediction)",
        relative: 0.0,
        domain: (f64::NEG_INFINITY, f64::INFINITY),
    },
    Function {
        name: "sech_squared",
        wide: Real::sech_squared,
        reference: |x| 1.0 / x.cosh().powi(2),
        formula: "1 / cosh(prediction)^2",
        relative: power_of_two(-50),
        domain: (-354.0, 354.0),
    },
    Function {
        name: "ln_cosh",
        wide: Real::ln_cosh,
        reference: |x| {
            let x = x.abs();
            let far = x + ((-2.0 * x).exp().ln_1p() - std::f64::consts::LN_2);
            if x < 1.0 { 0.5 * x.sinh().powi(2).ln_1p() } else { far }
        },
        formula: "logcosh(prediction)",
        relative: power_of_two(-34),
        domain: (f64::NEG_INFINITY, f64::INFINITY),
    },
];

impl Function {
    /// The error of the result rounded to `f32`, in units of its last place.
    fn error(&self, x: f32) -> f64 {
        let x = f64::from(x);
        let (got, truth) = ((self.wide)(x) as f32, (self.reference)(x));
        let nearest = truth as f32;
        if !got.is_finite() || !nearest.is_finite() {
            let same = got == nearest || (got.is_nan() && nearest.is_nan());
            return if same { 0.0 } else { f64::INFINITY };
        }
        let smallest_normal = f64::from(f32::MIN_POSITIVE).to_bits() >> 52;
        let exponent = (truth.abs().to_bits() >> 52).max(smallest_normal);
        let unit = f64::from_bits((exponent - 23) << 52);
        (f64::from(got) - truth).abs() / unit
    }

    /// The greatest error, and an input that has it.
    fn worst(&self, inputs: impl Iterator<Item = u32>) -> (f64, f32) {
        let errors = inputs.map(f32::from_bits).map(|x| (self.error(x), x));
        errors.fold((0.0, 0.0), greater)
    }

    fn assert_exact(&self, (error, x): (f64, f32)) {
        assert!(error <= LIMIT, "{} of {x:e} is off by {error} ulp", self.name);
    }
}

fn greater(a: (f64, f32), b: (f64, f32)) -> (f64, f32) {
    if b.0 > a.0 { b } else { a }
}

#[test]
#[ignore = "takes half an hour"]
fn every_f32() {
    println!("| function | greatest error | at |\n|---|---:|---:|");
    for function in &FUNCTIONS {
        let worst = (0..1u32 << 16)
            .into_par_iter()
            .map(|upper| function.worst((0..1u32 << 16).map(|lower| (upper << 16) | lower)))
            .reduce(|| (0.0, 0.0), greater);
        println!("| `{}` | {:.6} | {:e} |", function.name, worst.0, worst.1);
        function.assert_exact(worst);
    }
}

/// Numbers all over, and the neighbours of those where a formula changes: powers of √2, where
/// exponents are split off, and multiples of half of ln 2, where exp turns to the next power, to
/// the limits of the range and beyond.
#[test]
fn some_f32() {
    let powers = (-298..=256).map(|power| (f64::from(power) / 2.0).exp2());
    let multiples = (0..=2100).map(|n| f64::from(n) * std::f64::consts::LN_2 / 2.0);
    let limits = [708.0, 709.0, f64::INFINITY];
    let special: Vec<u32> =
        powers.chain(multiples).chain(limits).map(|x| (x as f32).to_bits()).collect();
    for function in &FUNCTIONS {
        let near = special.iter().flat_map(|&bits| bits.saturating_sub(32)..=bits + 32);
        let both_signs = near.flat_map(|bits| [bits, bits | 1 << 31]);
        let all_over = (0..=u32::MAX).step_by(16_381);
        function.assert_exact(function.worst(both_signs.chain(all_over)));
    }
}

/// Before rounding, at numbers that `f32` data lead to.
#[test]
fn wide_results_are_as_good_as_promised() {
    let mut rng = Rng::with_seed(1);
    for function in &FUNCTIONS {
        let formula = Formula::parse(function.formula).unwrap();
        let (low, high) = function.domain;
        for _ in 0..2000 {
            let sign = if low < 0.0 && rng.bool() { -1.0 } else { 1.0 };
            let x = match rng.u8(..4) {
                0 => sign * 10f64.powf(200.0 * rng.f64() - 100.0),
                1 => sign * (1.0 + (rng.f64() - 0.5) * 2f64.powi(-rng.i32(0..50))),
                2 => sign * 2.0 * rng.f64(),
                _ => sign * 800.0 * rng.f64(),
            };
            if x <= low || x >= high {
                continue;
            }
            let inputs = Inputs {
                shape: Shape::Scalar,
                prediction: &[x],
                target: &[],
                weight: &[],
                parameters: &[],
            };
            let truth = formula.evaluate(&inputs, Format::F64).unwrap().value;
            let size = truth.to_f64().abs();
            let promised = function.relative * size / (size.next_up() - size);
            let error = ulps((function.wide)(x), &truth, Format::F64);
            let name = function.name;
            assert!(error <= promised.max(WIDE_LIMIT), "{name} of {x:e} is off by {error} ulp");
        }
    }
}
