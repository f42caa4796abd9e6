use super::*;
use xent::{bf16, f16};

const SCALAR: Inputs<'static> =
    Inputs { shape: Shape::Scalar, prediction: &[], target: &[], weight: &[], parameters: &[] };
const ROW: Inputs<'static> = Inputs { shape: Shape::Row, ..SCALAR };

const CROSS_ENTROPY: &str = "-sum(target * log_softmax(prediction))";
const HUBER: &str = "if abs(e) <= delta then e^2 / 2 else delta * (abs(e) - delta / 2) \
                     where e = prediction - target";
const FOCAL: &str = "-sum(target * softmax_others(prediction)^gamma * log_softmax(prediction))";

const POINTWISE: [&str; 8] = [
    "abs(x) * sign(x) where x = prediction",
    "exp(x) - expm1(-x) + cosh(2 * x) where x = prediction",
    "log(2 + x) / log1p(x^2) where x = prediction",
    "sqrt(3 + x) * tanh(x) + logcosh(3 * x) where x = prediction",
    "sigmoid(x) * log_sigmoid(-2 * x) - softplus(x^3) where x = prediction",
    "max(x, x^2) + min(x, 2 - x) where x = prediction",
    "(2 + x)^(1 + x) + (2 + x)^-1.5 + 2^x where x = prediction",
    "if x < 0.5 and x > -0.5 or x == 7 then 1 / (3 + x) else x^5 where x = prediction",
];

const ROWWISE: [&str; 7] = [
    CROSS_ENTROPY,
    FOCAL,
    "sum(weight * softmax(prediction) * prediction) / sum(weight)",
    "logsumexp(prediction / 2)^2 + logsumexp(sum(prediction^2) * weight + prediction)",
    "sum(softmax(prediction^2 - sum(weight * prediction)) * softmax_others(prediction))",
    "sum((1 - target) * max(0, 1 - sum(target * prediction) + prediction)^gamma) / classes",
    "sum(if prediction > 0 then prediction^3 else weight * prediction^2)",
];

fn exact(text: &str, inputs: &Inputs<'_>) -> Exact {
    Formula::parse(text).unwrap().evaluate(inputs, Format::F64).unwrap()
}

fn scalar(text: &str, x: f64) -> Exact {
    exact(text, &Inputs { prediction: &[x], ..SCALAR })
}

/// (value, gradient, curvature) rounded to f64.
fn rounded(exact: &Exact) -> (f64, Vec<f64>, Vec<f64>) {
    let round = |numbers: &[Big]| numbers.iter().map(Big::to_f64).collect();
    (exact.value.to_f64(), round(&exact.gradient), round(&exact.curvature))
}

/// The digits are mpmath's, with its numerical derivatives at 2,500 digits.
#[test]
fn digits_agree_with_mpmath() {
    let check = |what: &str, number: &Big, digits: &str| {
        assert_eq!(format!("{number:.28}"), digits, "{what}");
    };
    let row = Inputs { prediction: &[20.0, 0.0, 0.0], target: &[1.0, 0.0, 0.0], ..ROW };
    let result = exact(CROSS_ENTROPY, &row);
    check("confident value", &result.value, "4.122307236380407168699398065e-9");
    check("confident gradient", &result.gradient[0], "-4.122307227883698704817610592e-9");
    check("confident curvature", &result.curvature[0], "4.122307210890281823755425947e-9");

    for (x, digits) in [
        (1e-3, "4.999999166666889096988176322e-7"),
        (1.5, "8.554401710137967493416937984e-1"),
        (-1e-150, "5.000000000000000062953582322e-301"),
    ] {
        check("logcosh", &scalar("logcosh(prediction)", x).value, digits);
    }
    check(
        "softplus far left",
        &scalar("softplus(prediction)", -700.5).value,
        "5.98019611863979120641210733e-305",
    );
    check(
        "softplus",
        &scalar("softplus(prediction)", 2.25).value,
        "2.350206558916747211673152827e0",
    );

    let parameters = &[("gamma", 0.7)];
    let target = &[1.0, 0.0, 0.0];
    let row = Inputs { prediction: &[1.5, -0.25, 0.75], target, parameters, ..ROW };
    for text in [FOCAL, &FOCAL.replace("softmax_others(prediction)", "(1 - softmax(prediction))")] {
        let result = exact(text, &row);
        check("focal value", &result.value, "2.590056438651024185796859845e-1");
        check("focal gradient", &result.gradient[0], "-3.141068389822541998278211971e-1");
        check("focal curvature", &result.curvature[0], "3.009799582540387315986742899e-1");
        check("focal other gradient", &result.gradient[1], "8.447633973792363610218801207e-2");
        check("focal other curvature", &result.curvature[1], "8.352687917412776578768912702e-2");
    }
    let result = exact(FOCAL, &Inputs { prediction: &[30.0, -0.25, 0.75], ..row });
    check("confident focal value", &result.value, "4.325020648748951236320839259e-22");
    check("confident focal gradient", &result.gradient[0], "-7.352535102871810526514735359e-22");
    check("confident focal curvature", &result.curvature[0], "1.249930967487828033402168444e-21");

    let brier = "sum((softmax(prediction) - target)^2) / classes";
    let row = Inputs { prediction: &[0.5, 2.0, -1.0], target: &[0.0, 1.0, 0.0], ..ROW };
    let result = exact(brier, &row);
    check("brier value", &result.value, "2.607504884712496796961693087e-2");
    check("brier gradient", &result.gradient[2], "4.570705537483147239336527905e-3");
    check("brier curvature", &result.curvature[2], "5.815562959060170397255641671e-3");

    let mixed = "(tanh(x) * sqrt(1 + x^2) + log1p(x * x) / cosh(x))^2.5 - expm1(x) * sigmoid(x) \
                 where x = prediction";
    let result = scalar(mixed, 0.8125);
    check("mixed value", &result.value, "8.45294036500857455229319843e-1");
    check("mixed gradient", &result.gradient[0], "3.715689837888517701408712505e0");
    check("mixed curvature", &result.curvature[0], "5.675969505012444107367153056e0");
}

/// h is 2^−40, so that both differences are off by about 2^−80 and rounding by 2^−48 or less.
#[test]
fn derivatives_agree_with_finite_differences() {
    let step = 2f64.powi(-40);
    let rows = ROWWISE.map(|text| (text, [1.25, -0.375, 0.625], ROW));
    let near = POINTWISE.iter().flat_map(|&text| {
        [-0.84375, -0.28125, 0.34375, 1.40625].map(|x| (text, [x, 0.0, 0.0], SCALAR))
    });
    for (text, point, inputs) in near.chain(rows) {
        let classes = if inputs.shape == Shape::Row { 3 } else { 1 };
        let inputs = Inputs {
            target: &[0.25, 0.75, 0.0][..classes],
            weight: &[0.5, 2.0, 1.25][..classes],
            parameters: &[("gamma", 1.5)],
            ..inputs
        };
        let at = |entry: usize, shift: f64| {
            let mut moved = point;
            moved[entry] += shift;
            exact(text, &Inputs { prediction: &moved[..classes], ..inputs })
        };
        let result = at(0, 0.0);
        for entry in 0..classes {
            let (up, down) = (at(entry, step).value, at(entry, -step).value);
            let first = up.subtract(&down).divide(&up.constant(2.0 * step)).to_f64();
            let bend = up.subtract(&result.value).subtract(&result.value.subtract(&down));
            let second = bend.divide(&up.constant(step * step)).to_f64();
            let close = |difference: f64, jet: f64| {
                (difference - jet).abs() <= 1e-11 * (jet.abs() + result.value.to_f64().abs())
            };
            let (gradient, curvature) =
                (result.gradient[entry].to_f64(), result.curvature[entry].to_f64());
            assert!(close(first, gradient), "{text} at {point:?}: {first} {gradient}");
            assert!(close(second, curvature), "{text} at {point:?}: {second} {curvature}");
        }
    }
}

#[test]
fn error_bounds_cover_the_error() {
    let steps = (0..40).map(|n| f64::from(n * 37 % 101) / 9.0 - 5.0);
    let points: Vec<f64> = steps.collect();
    // y carries an error of 40 bits more than rounding into each function.
    let rough = ["log(y^2)", "sqrt(y^2)", "expm1(y / 20)", "log1p(y^2 / 40)", "tanh(y)"]
        .map(|f| format!("{f} where y = prediction / 3 + 1000000000000 - 1000000000000"));
    let scalars = rough.iter().map(String::as_str).chain(POINTWISE).map(|text| (text, SCALAR));
    let all = scalars.chain(ROWWISE.map(|text| (text, ROW)));
    for (text, inputs) in all {
        let formula = Formula::parse(text).unwrap();
        for point in points.windows(3) {
            let classes = if inputs.shape == Shape::Row { 3 } else { 1 };
            let inputs = Inputs {
                prediction: &point[..classes],
                target: &[0.3, 0.7, 0.0][..classes],
                weight: &[0.1, 1.7, 1.3][..classes],
                parameters: &[("gamma", 1.1)],
                ..inputs
            };
            let [rough, fine] = [64, 512].map(|bits| {
                Exact::new(Evaluation::new(&formula, &inputs, bits).run().unwrap(), classes, bits)
            });
            let rough = [rough.gradient, rough.curvature, vec![rough.value]].concat();
            let fine = [fine.gradient, fine.curvature, vec![fine.value]].concat();
            for (rough, fine) in rough.iter().zip(&fine) {
                let covered =
                    fine.is_nan() && rough.is_nan() || fine.subtract(rough).contains_zero();
                assert!(covered, "{text} at {point:?}: {rough} instead of {fine}");
            }
        }
    }
}

#[test]
fn huber_takes_the_inner_branch_at_its_edge() {
    let at = |e: f64| {
        let inputs = Inputs { prediction: &[e], target: &[0.0], ..SCALAR };
        rounded(&exact(HUBER, &Inputs { parameters: &[("delta", 1.5)], ..inputs }))
    };
    assert_eq!(at(1.5), (1.125, vec![1.5], vec![1.0]));
    assert_eq!(at(-2.0), (1.875, vec![-1.5], vec![0.0]));
    assert_eq!(at(1e300), (1.5e300, vec![1.5], vec![0.0]));
}

#[test]
fn every_form_of_the_losses_evaluates() {
    let parameters = &[
        ("quantile", 0.25),
        ("pos_weight", 2.0),
        ("label_smoothing", 0.1),
        ("alpha", 0.25),
        ("gamma", 2.0),
        ("margin", 1.0),
        ("p", 1.0),
    ];
    let scalar =
        Inputs { prediction: &[0.75], target: &[1.0], weight: &[1.0], parameters, ..SCALAR };
    let row = Inputs {
        prediction: &[0.75, 0.5, -1.0],
        target: &[0.0, 1.0, 0.0],
        weight: &[1.0, 2.0, 3.0],
        parameters,
        ..ROW
    };
    let (p, q) = (1.0 / (1.0 + f64::exp(-0.75)), 1.0 / (1.0 + f64::exp(0.75)));
    for (text, inputs, value) in [
        ("(prediction - target)^2", scalar, 0.0625),
        (
            "max(quantile * (target - prediction), (quantile - 1) * (target - prediction))",
            scalar,
            0.0625,
        ),
        (
            "pos_weight * target * softplus(-prediction) + (1 - target) * softplus(prediction)",
            scalar,
            -2.0 * p.ln(),
        ),
        ("-(target * log(prediction) + (1 - target) * log(1 - prediction))", scalar, -0.75f64.ln()),
        ("(sigmoid(prediction) - target)^2", scalar, q * q),
        (
            "if alpha < 0 then f else (alpha * target + (1 - alpha) * (1 - target)) * f where
             f = target * (1 - s)^gamma * softplus(-prediction)
               + (1 - target) * s^gamma * softplus(prediction),
             s = sigmoid(prediction)",
            scalar,
            -0.25 * q * q * p.ln(),
        ),
        (
            "sum((1 - target) * max(0, margin - sum(target * prediction) + prediction)^p) / classes",
            row,
            1.25 / 3.0,
        ),
    ] {
        let result = exact(text, &inputs);
        assert!(ulps(value, &result.value, Format::F64) < 4.0, "{text}: {}", result.value);
    }
    for (whole, parts) in [
        (
            "-sum(weight * q * log_softmax(prediction)) \
             where q = (1 - label_smoothing) * target + label_smoothing / classes",
            "sum(weight * q * (logsumexp(prediction) - prediction)) \
             where q = target - label_smoothing * (target - 1 / classes)",
        ),
        (
            "-alpha * sum(weight * target * (1 - p)^gamma * log_softmax(prediction)) \
             where p = softmax(prediction)",
            "sum(weight * target * softmax_others(prediction)^2 * -log(softmax(prediction))) / 4",
        ),
    ] {
        let (whole, parts) = (exact(whole, &row), exact(parts, &row));
        assert!(ulps(parts.value.to_f64(), &whole.value, Format::F64) < 1.0);
        assert!(ulps(parts.gradient[1].to_f64(), &whole.gradient[1], Format::F64) < 4.0);
    }
}

#[test]
fn extreme_predictions_stay_finite() {
    let logcosh = |x| rounded(&scalar("logcosh(prediction)", x));
    assert_eq!(logcosh(1e300), (1e300, vec![1.0], vec![0.0]));
    assert_eq!(logcosh(1e-300), (0.0, vec![1e-300], vec![1.0]));
    let softplus = |x| rounded(&scalar("softplus(prediction)", x));
    assert_eq!(softplus(-1e300), (0.0, vec![0.0], vec![0.0]));
    assert_eq!(softplus(1e300), (1e300, vec![1.0], vec![0.0]));
    assert_eq!(rounded(&scalar("1 / (1 + exp(-prediction))", -1e300)), (0.0, vec![0.0], vec![0.0]));

    let target = &[1.0, 0.0];
    let row = Inputs { prediction: &[1e300, 1e-300], target, ..ROW };
    assert_eq!(rounded(&exact(CROSS_ENTROPY, &row)), (0.0, vec![0.0; 2], vec![0.0; 2]));
    let wrong = Inputs { prediction: &[-1e300, 1e300], target, ..ROW };
    let result = rounded(&exact(CROSS_ENTROPY, &wrong));
    assert_eq!(result, (2e300, vec![-1.0, 1.0], vec![0.0; 2]));
    for gamma in [0.3, 1.7, 2.0] {
        for prediction in [[1e4, 0.0], [1e300, -1e300]] {
            let inputs = Inputs { prediction: &prediction, parameters: &[("gamma", gamma)], ..row };
            assert_eq!(rounded(&exact(FOCAL, &inputs)), (0.0, vec![0.0; 2], vec![0.0; 2]));
        }
    }
}

#[test]
fn minus_infinity_is_a_legal_prediction() {
    let row = Inputs {
        prediction: &[1.0, f64::NEG_INFINITY, 1.0],
        target: &[1.0, 0.0, 0.0],
        parameters: &[("gamma", 0.5)],
        ..ROW
    };
    let (value, gradient, curvature) = rounded(&exact(CROSS_ENTROPY, &row));
    assert_eq!(value, std::f64::consts::LN_2);
    assert_eq!((gradient, curvature), (vec![-0.5, 0.0, 0.5], vec![0.25, 0.0, 0.25]));
    let (_, gradient, curvature) = rounded(&exact(FOCAL, &row));
    assert_eq!((gradient[1], curvature[1]), (0.0, 0.0));

    let impossible = Inputs { target: &[0.0, 1.0, 0.0], ..row };
    let (value, gradient, _) = rounded(&exact(CROSS_ENTROPY, &impossible));
    assert_eq!((value, gradient), (f64::INFINITY, vec![0.5, -1.0, 0.5]));
    let alone = Inputs { prediction: &[0.0, f64::NEG_INFINITY, f64::NEG_INFINITY], ..row };
    assert_eq!(rounded(&exact(FOCAL, &alone)), (0.0, vec![0.0; 3], vec![0.0; 3]));
    let nothing = Inputs { prediction: &[f64::NEG_INFINITY; 3], ..row };
    assert!(exact(CROSS_ENTROPY, &nothing).value.is_nan());
}

#[test]
fn conventions_hold_at_kinks_and_zeros() {
    let at = |text, x| {
        let (value, gradient, curvature) = rounded(&scalar(text, x));
        (value, gradient[0], curvature[0])
    };
    let infinity = f64::INFINITY;
    assert_eq!(at("abs(prediction)", -0.0), (0.0, 0.0, 0.0));
    assert_eq!(at("max(2 * prediction, 3 * prediction)", 0.0), (0.0, 3.0, 0.0));
    assert_eq!(at("min(2 * prediction, 3 * prediction)", 0.0), (0.0, 3.0, 0.0));
    assert_eq!(at("0 * log(prediction)", 0.0), (0.0, 0.0, 0.0));
    assert_eq!(at("log(prediction)", 0.0), (-infinity, infinity, -infinity));
    assert_eq!(at("prediction^0", 0.0), (1.0, 0.0, 0.0));
    assert_eq!(at("prediction^1", 0.0), (0.0, 1.0, 0.0));
    assert_eq!(at("prediction^2", 0.0), (0.0, 0.0, 2.0));
    assert_eq!(at("prediction^1.5", 0.0), (0.0, 0.0, infinity));
    assert_eq!(at("-prediction^2", 3.0), (-9.0, -6.0, -2.0));
    assert_eq!(at("2^prediction^2", 1.0).0, 2.0);
    assert!(at("prediction^0.5", -1.0).0.is_nan());
    assert!(at("abs(prediction)", f64::NAN).0.is_nan());
    assert!(at("max(0, prediction)", f64::NAN).0.is_nan());
    assert!(at("max(prediction, 0)", f64::NAN).0.is_nan());
}

#[test]
fn cancellation_is_seen_and_paid_for() {
    let lost = scalar("1 - sigmoid(prediction)", 600.0);
    assert_eq!(ulps((-600.0f64).exp(), &lost.value, Format::F64).round(), 0.0);
    assert!(lost.bits >= 1024, "{}", lost.bits);
    let kept = scalar("sigmoid(-prediction)", 600.0);
    assert_eq!(kept.bits, FIRST_BITS);
    assert_eq!(kept.value.to_f64(), lost.value.to_f64());

    let tie = scalar("if prediction + 1 - prediction == 1 then 1 else 2", 1e300);
    assert_eq!(tie.value.to_f64(), 1.0);
    let unresolved = Formula::parse("(1 - softmax(prediction))^0.5").unwrap();
    let row = Inputs { prediction: &[1.0, 0.0], ..ROW };
    assert!(matches!(unresolved.evaluate(&row, Format::F64), Err(EvaluateError::Kind { .. })));
    let unresolved = Formula::parse("sum((1 - softmax(prediction))^0.5)").unwrap();
    let row = Inputs { prediction: &[1e6, 0.0], ..ROW };
    let error = unresolved.evaluate(&row, Format::F64).unwrap_err();
    assert!(matches!(error, EvaluateError::Unresolved { bits: LAST_BITS, .. }), "{error}");
}

#[test]
fn ulps_are_those_of_the_format() {
    let at = |x: f64| Big::exact(x, 128);
    let tiny = f64::from_bits(1);
    assert_eq!(ulps(1.0 + f64::EPSILON, &at(1.0), Format::F64), 1.0);
    assert_eq!(ulps(1.0 - f64::EPSILON / 2.0, &at(1.0), Format::F64), 0.5);
    assert_eq!(ulps(1.0, &at(1.0 - f64::EPSILON / 2.0), Format::F64), 1.0);
    assert_eq!(ulps(f64::from(1.0 + f32::EPSILON), &at(1.0), Format::F32), 1.0);
    assert_eq!(ulps(0.0, &at(3.0 * tiny), Format::F64), 3.0);
    assert_eq!(ulps(0.0, &at(3.0 * f64::from(f32::from_bits(1))), Format::F32), 3.0);
    assert_eq!(ulps(tiny, &at(tiny).divide(&at(4.0)), Format::F64), 0.75);
    assert_eq!(ulps(0.0, &at(0.0), Format::F32), 0.0);
    assert_eq!(ulps(-0.0, &at(0.0), Format::F32), 0.0);

    let max = at(f64::MAX);
    let half_ulp = at(2f64.powi(970));
    let infinite = [f64::INFINITY, f64::NEG_INFINITY, f64::NAN].map(at);
    assert_eq!(ulps(f64::INFINITY, &max, Format::F64), f64::INFINITY);
    assert_eq!(ulps(f64::INFINITY, &max.add(&half_ulp), Format::F64), 0.0);
    assert_eq!(ulps(f64::MAX, &max.add(&half_ulp), Format::F64), 0.5);
    assert_eq!(ulps(f64::INFINITY, &max, Format::F32), 0.0);
    assert_eq!(ulps(f64::NEG_INFINITY, &max, Format::F32), f64::INFINITY);
    assert_eq!(ulps(f64::INFINITY, &infinite[0], Format::F64), 0.0);
    assert_eq!(ulps(f64::INFINITY, &infinite[1], Format::F64), f64::INFINITY);
    assert_eq!(ulps(f64::MAX, &infinite[0], Format::F64), f64::INFINITY);
    assert_eq!(ulps(f64::NAN, &infinite[2], Format::F64), 0.0);
    assert_eq!(ulps(f64::NAN, &max, Format::F64), f64::INFINITY);
    assert_eq!(ulps(1.0, &infinite[2], Format::F64), f64::INFINITY);
}

/// Every number of 16 bits, the ties between neighbours, and what lies next to a tie.
#[test]
fn numbers_are_rounded_once() {
    let at = |x: f64| Big::exact(x, 512);
    let nudge = at(2f64.powi(-250));
    let half = |bits| f16::from_bits(bits).to_f64();
    let brain = |bits| bf16::from_bits(bits).to_f64();
    for (format, infinity, beyond, number) in [
        (Format::F16, 0x7c00, 2f64.powi(16), half as fn(u16) -> f64),
        (Format::BF16, 0x7f80, 2f64.powi(128), brain),
    ] {
        for bits in 0..infinity {
            let (low, above) = (number(bits), number(bits + 1));
            let high = above.min(beyond);
            let even = if bits % 2 == 0 { low } else { above };
            let tie = at(f64::midpoint(low, high));
            assert_eq!(at(low).round(format), low);
            assert_eq!(tie.round(format), even, "{tie}");
            assert_eq!(tie.add(&nudge).round(format), above, "{tie}");
            assert_eq!(tie.subtract(&nudge).negate().round(format), -low, "{tie}");
        }
    }
}

/// The products of hardware are the exact ones rounded once, from the largest to the subnormal.
#[test]
fn products_are_rounded_as_hardware_does() {
    let at = |x: f64| Big::exact(x, 128);
    let mut rng = fastrand::Rng::with_seed(1);
    for power in (0..4).flat_map(|_| -1080..1030) {
        let (x, y) = (2.0 * rng.f64(), (1.0 + rng.f64()) * f64::from(power).exp2());
        assert_eq!(at(x).multiply(&at(y)).to_f64(), x * y, "{x:e} {y:e}");
        let (x, y) = (x as f32, y as f32);
        let product = at(x.into()).multiply(&at(y.into()));
        assert_eq!(product.to_f32(), x * y, "{x:e} {y:e}");
    }
}

#[test]
fn parse_errors_point_at_the_place() {
    let message = |text| Formula::parse(text).unwrap_err().to_string();
    assert_eq!(
        message("(prediction - target"),
        "expected `)`, found the end of the formula at column 21:\n  \
         (prediction - target\n                      ^"
    );
    for (text, position) in [
        ("", 0),
        ("prediction +", 12),
        ("soft(prediction)", 0),
        ("1 + max(prediction)", 4),
        ("prediction $ 2", 11),
        ("1.2.3", 0),
        ("0.1234567890123456", 0),
        ("if prediction then 1 else 2", 14),
        ("if prediction < 1 then 1", 24),
        ("prediction target", 11),
        ("a where a = b, b = 2 * a", 8),
        ("a where a = 1, a = 2", 15),
        ("a where if = 1", 8),
        ("μ * (α -", 8),
    ] {
        assert_eq!(Formula::parse(text).unwrap_err().position, position, "{text}");
    }
}

#[test]
fn inputs_must_fit_the_formula() {
    let evaluate = |text: &str, inputs: Inputs<'_>| {
        Formula::parse(text).unwrap().evaluate(&inputs, Format::F32).unwrap_err()
    };
    let row = Inputs { prediction: &[1.0, 2.0], ..ROW };
    assert!(matches!(
        evaluate("sum(prediction) * gama", Inputs { parameters: &[("gamma", 1.0)], ..row }),
        EvaluateError::UnknownName { name, .. } if name == "gama"
    ));
    assert!(matches!(evaluate("target", row), EvaluateError::UnknownName { .. }));
    assert!(matches!(
        evaluate("1", Inputs { shape: Shape::Scalar, ..row }),
        EvaluateError::Prediction { length: 2, .. }
    ));
    assert!(matches!(evaluate("1", ROW), EvaluateError::Prediction { length: 0, .. }));
    assert!(matches!(
        evaluate("1", Inputs { weight: &[1.0], ..row }),
        EvaluateError::Length { argument: "weight", length: 1, expected: 2 }
    ));
    assert!(matches!(evaluate("sum(1)", row), EvaluateError::Kind { .. }));
    let formula = Formula::parse(HUBER).unwrap();
    assert_eq!(formula.names(), ["delta", "prediction", "target"]);
}
