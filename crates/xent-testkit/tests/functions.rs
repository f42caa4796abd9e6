//! What is not in the catalogue: information quantities, the losses of a GAN, and losses that
//! have only a value.

use fastrand::Rng;
use xent::adversarial::Game;
use xent::{
    Class, Classwise, Domain, Evaluate, Huber, Link, LogCosh, MseSoftmax, Pointwise, Real,
    Reduction, SigmoidFocal, SoftmaxFocal, classwise_loss, information,
};
use xent_testkit::oracle::{Exact, Format, Formula, Inputs, Shape, ulps};

/// Rounding, and next to nothing else.
const ROUNDED: f64 = 0.51;

fn exact(formula: &str, prediction: &[f64], target: &[f64], shape: Shape) -> Exact {
    let inputs = Inputs { shape, prediction, target, weight: &[], parameters: &[] };
    Formula::parse(formula).unwrap().evaluate(&inputs, Format::F64).unwrap()
}

fn assert_exact(got: f64, formula: &str, prediction: &[f64], target: &[f64]) {
    let shape = if prediction.len() == 1 { Shape::Scalar } else { Shape::Row };
    let truth = exact(formula, prediction, target, shape).value;
    let error = ulps(got, &truth, Format::F64);
    assert!(error <= ROUNDED, "{formula} of {prediction:?}: {got:e} is off by {error} ulp");
}

fn logits(rng: &mut Rng) -> Vec<f64> {
    let scale = [0.01, 1.0, 30.0, 300.0][rng.usize(..4)];
    (0..2 + rng.usize(..6)).map(|_| scale * (2.0 * rng.f64() - 1.0)).collect()
}

fn distribution(rng: &mut Rng, classes: usize) -> Vec<f64> {
    let raw: Vec<f64> = (0..classes).map(|_| rng.f64() + f64::from(rng.u8(..2))).collect();
    let total: f64 = raw.iter().sum();
    raw.iter().map(|share| share / total).collect()
}

#[test]
fn functions_of_logits_are_exact() {
    let mut rng = Rng::with_seed(1);
    for _ in 0..300 {
        let row = logits(&mut rng);
        assert_exact(information::sigmoid(row[0]), "sigmoid(prediction)", &row[..1], &[]);
        assert_exact(information::softplus(row[0]), "softplus(prediction)", &row[..1], &[]);
        assert_exact(information::log_sum_exp(&row), "logsumexp(prediction)", &row, &[]);
        for class in 0..row.len() {
            let mut only = vec![0.0; row.len()];
            only[class] = 1.0;
            let softmax = information::softmax(&row)[class];
            assert_exact(softmax, "sum(target * softmax(prediction))", &row, &only);
            let score = information::log_softmax(&row)[class];
            assert_exact(score, "sum(target * log_softmax(prediction))", &row, &only);
        }
    }
}

#[test]
fn log_odds_are_exact() {
    let mut rng = Rng::with_seed(4);
    for _ in 0..300 {
        let small = 10f64.powf(-300.0 * rng.f64());
        for p in [small, 1.0 - small, rng.f64(), 0.5 + small, 0.5 - small, 0.25 - small.min(0.2)] {
            let log_odds = information::logit(p);
            if (0.0..1.0).contains(&p) && log_odds != 0.0 {
                assert_exact(log_odds, "log(prediction) - log1p(-prediction)", &[p], &[]);
            }
        }
    }
    let ends = [0.0, 1.0].map(information::logit);
    assert_eq!(ends, [f64::NEG_INFINITY, f64::INFINITY]);
    for outside in [-0.1, 1.1, f64::NAN] {
        assert!(information::logit(outside).is_nan());
    }
}

#[test]
fn the_jacobian_of_the_softmax_is_its_derivative() {
    let mut rng = Rng::with_seed(2);
    for _ in 0..50 {
        let row = logits(&mut rng);
        let classes = row.len();
        let jacobian = information::softmax_jacobian(&row);
        let mut only = vec![0.0; classes];
        for class in 0..classes {
            only.fill(0.0);
            only[class] = 1.0;
            let truth = exact("sum(target * softmax(prediction))", &row, &only, Shape::Row);
            let column = information::softmax_jacobian_product(&row, &only).unwrap();
            for other in 0..classes {
                let entry = jacobian[class * classes + other];
                let error = ulps(entry, &truth.gradient[other], Format::F64);
                assert!(error <= ROUNDED, "{row:?}: {entry:e} is off by {error} ulp");
                let error = ulps(column[other], &truth.gradient[other], Format::F64);
                assert!(error <= ROUNDED, "{row:?}: product is off by {error} ulp");
            }
        }
    }
}

#[test]
fn quantities_of_distributions_are_exact() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..200 {
        let classes = 2 + rng.usize(..6);
        let (p, mut q) = (distribution(&mut rng, classes), distribution(&mut rng, classes));
        assert_exact(
            information::entropy(&p).unwrap(),
            "-sum(prediction * log(prediction))",
            &p,
            &[],
        );
        let cross = "-sum(prediction * log(target))";
        assert_exact(information::cross_entropy(&p, &q).unwrap(), cross, &p, &q);
        let divergence = "sum(prediction * (log(prediction) - log(target)))";
        assert_exact(information::kl_divergence(&p, &q).unwrap(), divergence, &p, &q);
        q[0] = 0.0;
        assert_eq!(information::kl_divergence(&p, &q).unwrap(), f64::INFINITY);
    }
    assert!(information::entropy(&[0.5, 1.5]).is_err());
    assert!(information::kl_divergence(&[0.5, 0.5], &[1.0]).is_err());
}

#[test]
fn games_play_by_their_formulas() {
    let rules = [
        (Game::Minimax, "softplus(-prediction)", "softplus(prediction)", "-softplus(prediction)"),
        (
            Game::NonSaturating,
            "softplus(-prediction)",
            "softplus(prediction)",
            "softplus(-prediction)",
        ),
        (
            Game::LeastSquares,
            "(prediction - 1)^2 / 2",
            "prediction^2 / 2",
            "(prediction - 1)^2 / 2",
        ),
        (Game::Hinge, "max(1 - prediction, 0)", "max(1 + prediction, 0)", "-prediction"),
    ];
    let check = |got: (f64, f64), formula: &str, logit: f64| {
        let truth = exact(formula, &[logit], &[], Shape::Scalar);
        for (got, truth) in [(got.0, &truth.value), (got.1, &truth.gradient[0])] {
            let error = ulps(got, truth, Format::F64);
            assert!(error <= ROUNDED, "{formula} of {logit}: {got:e} is off by {error} ulp");
        }
    };
    for (game, real_rule, fake_rule, generator_rule) in rules {
        for logit in [-800.0, -30.0, -1.0, -0.25, 0.0, 1e-9, 0.5, 1.0, 7.5, 60.0] {
            let both = game.discriminator(&[logit], &[0.0]).unwrap();
            let without = game.discriminator(&[f64::INFINITY], &[logit]);
            let fake = without.map(|both| both.fake_gradient[0]).unwrap();
            let truth = exact(fake_rule, &[logit], &[], Shape::Scalar);
            assert!(ulps(fake, &truth.gradient[0], Format::F64) <= ROUNDED);
            let truth = exact(real_rule, &[logit], &[], Shape::Scalar);
            assert!(ulps(both.real_gradient[0], &truth.gradient[0], Format::F64) <= ROUNDED);
            let (value, gradient) = game.generator(&[logit]).unwrap();
            check((value, gradient[0]), generator_rule, logit);
        }
        let mean = game.discriminator(&[1.0, 2.0], &[0.5]).unwrap();
        let parts = [(real_rule, 1.0, 0.5), (real_rule, 2.0, 0.5), (fake_rule, 0.5, 1.0)];
        let expected: f64 = parts
            .map(|(rule, logit, share)| {
                share * exact(rule, &[logit], &[], Shape::Scalar).value.to_f64()
            })
            .iter()
            .sum();
        assert!((mean.value - expected).abs() <= 2.0 * f64::EPSILON * expected.abs());
        assert!(game.generator::<f32>(&[]).is_err());
    }
}

/// A loss of the catalogue that has forgotten its derivatives.
struct ByValue<L>(L);

impl<L: Pointwise> Pointwise for ByValue<L> {
    const PREDICTION: Domain = L::PREDICTION;
    const TARGET: Domain = L::TARGET;

    fn value<R: Real>(&self, prediction: R, target: R) -> R {
        self.0.value(prediction, target)
    }
}

fn one_step_apart(a: f32, b: f32) -> bool {
    a == b || a.next_up() == b || a.next_down() == b
}

fn derives_itself<L: Pointwise>(loss: L, targets: &[f32]) {
    let mut rng = Rng::with_seed(4);
    let predictions: Vec<f32> = targets.iter().map(|_| 8.0 * rng.f32() - 4.0).collect();
    let all = |loss: &dyn xent::Loss| {
        let call = loss.on(&predictions, targets).reduction(Reduction::Sum);
        call.value_gradient_curvature().unwrap()
    };
    let (value, gradient, curvature) = all(&loss);
    let derived = all(&ByValue(loss));
    assert_eq!(derived.0, value);
    for (a, b) in gradient.iter().zip(&derived.1).chain(curvature.iter().zip(&derived.2)) {
        assert!(one_step_apart(*a, *b), "{a} {b}");
    }
}

#[test]
fn a_value_is_enough_for_a_pointwise_loss() {
    let mut rng = Rng::with_seed(5);
    let mut targets =
        |pick: fn(f32) -> f32| -> Vec<f32> { (0..500).map(|_| pick(rng.f32())).collect() };
    derives_itself(Huber { delta: 0.8 }, &targets(|x| x));
    derives_itself(LogCosh {}, &targets(|x| x));
    derives_itself(SigmoidFocal { gamma: 1.7, alpha: 0.3 }, &targets(f32::round));
}

macro_rules! by_value {
    ($name:ident, $loss:ty, $proportional:literal) => {
        struct $name($loss);

        impl Classwise for $name {
            const LINK: Link = Link::Softmax;
            const PROPORTIONAL: bool = $proportional;

            fn value<R: Real>(&self, class: Class<R>) -> R {
                self.0.value(class)
            }
        }
        classwise_loss!($name);
    };
}
by_value!(FocalByValue, SoftmaxFocal, true);
by_value!(MseByValue, MseSoftmax, false);

#[test]
fn a_value_is_enough_for_a_classwise_loss() {
    let mut rng = Rng::with_seed(6);
    let focal = SoftmaxFocal { gamma: 1.7, alpha: 0.5 };
    let pairs: [(&dyn xent::Loss, &dyn xent::Loss); 2] =
        [(&focal, &FocalByValue(focal)), (&MseSoftmax {}, &MseByValue(MseSoftmax {}))];
    for _ in 0..200 {
        let row: Vec<f32> = logits(&mut rng).iter().map(|&logit| logit as f32 / 30.0).collect();
        let label = [rng.usize(..row.len())];
        for (by_hand, derived) in pairs {
            let (value, gradient, curvature) =
                by_hand.on(&row, &label).value_gradient_curvature().unwrap();
            let derived = derived.on(&row, &label).value_gradient_curvature().unwrap();
            assert_eq!(derived.0, value);
            for (a, b) in gradient.iter().zip(&derived.1).chain(curvature.iter().zip(&derived.2)) {
                assert!(one_step_apart(*a, *b), "{row:?}: {a} {b}");
            }
        }
    }
}
