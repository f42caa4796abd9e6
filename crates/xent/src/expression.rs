//! Pointwise losses that are put together while a program runs.

use crate::dispatch::{TILE, Task, prefetch, vectorised};
use crate::error::{Error, Result};
use crate::family::{Block, BlockTargets, Domain, Family, Kernel, Loss, Order, Outputs, Targeting};
use crate::number::{Dual, Element, Real};

/// A pointwise loss given as steps, each a function of the results of steps before it; the last
/// one is the loss. For a front-end whose users write losses in a language of its own: derivatives
/// come exact from dual numbers, and a step runs over many elements at once.
///
/// ```
/// use xent::{Evaluate, Expression, Function, Operation};
/// // ln(1 + exp(-prediction * target))
/// let logistic = Expression::new("logistic", vec![
///     Operation::Prediction,
///     Operation::Target,
///     Operation::Multiply(0, 1),
///     Operation::Apply(Function::Negate, 2),
///     Operation::Apply(Function::Softplus, 3),
/// ])?;
/// let (value, gradient) = logistic.on(&[0.0], &[1.0]).value_and_gradient()?;
/// assert_eq!((value, gradient), (2f64.ln(), vec![-0.5]));
/// # Ok::<(), xent::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Expression {
    name: String,
    steps: Vec<Operation>,
}

/// A step of an [`Expression`]. Numbers of steps count from 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Operation {
    /// The prediction, which derivatives are taken by.
    Prediction,
    /// The target.
    Target,
    /// A number.
    Constant(f64),
    /// A function of one step.
    Apply(Function, usize),
    /// The sum of two steps.
    Add(usize, usize),
    /// The difference of two steps.
    Subtract(usize, usize),
    /// The product of two steps.
    Multiply(usize, usize),
    /// The quotient of two steps.
    Divide(usize, usize),
    /// A step that is not negative, to a constant power; x⁰ is 1.
    Power(usize, f64),
    /// The third step where the first is less than the second, else the fourth.
    IfLess(usize, usize, usize, usize),
}

impl Operation {
    /// The steps it takes.
    fn arguments(self) -> Vec<usize> {
        match self {
            Self::Prediction | Self::Target | Self::Constant(_) => vec![],
            Self::Apply(_, a) | Self::Power(a, _) => vec![a],
            Self::Add(a, b) | Self::Subtract(a, b) | Self::Multiply(a, b) | Self::Divide(a, b) => {
                vec![a, b]
            }
            Self::IfLess(a, b, then, otherwise) => vec![a, b, then, otherwise],
        }
    }
}

macro_rules! functions {
    ($($(#[doc = $documentation:literal])+ $function:ident $name:literal $method:ident,)*) => {
        /// A function of one number.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function {
            $($(#[doc = $documentation])+ $function,)*
        }

        impl Function {
            /// All of them, with what each is called in formulas and what it is.
            pub const ALL: &[(&'static str, Function, &'static str)] = &[
                $(($name, Function::$function, concat!($($documentation),+).trim_ascii()),)*
            ];
        }

        impl<W: Real> Registers<'_, W> {
            #[inline(always)]
            fn apply<R: Lane<W>>(&mut self, function: Function, a: usize) {
                match function {
                    $(Function::$function => self.combine([a], |[a]: [R; 1]| a.$method()),)*
                }
            }
        }
    };
}

functions! {
    /// The number with the other sign.
    Negate "negative" neg,
    /// e to the power of the number.
    Exp "exp" exp,
    /// exp(x) - 1, accurate near 0.
    ExpM1 "expm1" exp_m1,
    /// The natural logarithm: -inf at 0, NaN below.
    Ln "log" ln,
    /// log(1 + x), accurate near 0.
    Ln1p "log1p" ln_1p,
    /// The absolute value; its derivative at 0 is 0.
    Abs "abs" abs,
    /// -1, 0 or 1 by sign; its derivative is 0.
    Signum "sign" signum,
    /// The number where it is positive, else 0; its derivative at 0 is 0.
    Relu "relu" relu,
    /// The number times itself.
    Square "square" square,
    /// The logistic function 1 / (1 + exp(-x)).
    Sigmoid "sigmoid" sigmoid,
    /// log(1 + exp(x)), without overflow.
    Softplus "softplus" softplus,
    /// The hyperbolic tangent.
    Tanh "tanh" tanh,
    /// log(cosh(x)), without overflow.
    LnCosh "log_cosh" ln_cosh,
}

impl Expression {
    /// A loss from its steps.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there are no steps, or one takes a step that is not before it.
    pub fn new(name: impl Into<String>, steps: Vec<Operation>) -> Result<Self> {
        let name = name.into();
        if steps.is_empty() {
            return Err(Error::Unsupported(format!("{name}: an expression needs a step")));
        }
        for (number, step) in steps.iter().enumerate() {
            if let Some(later) = step.arguments().into_iter().find(|&argument| argument >= number) {
                return Err(Error::Unsupported(format!(
                    "{name}: step {number} takes step {later}, which is not before it"
                )));
            }
        }
        Ok(Self { name, steps })
    }

    /// The steps.
    pub fn steps(&self) -> &[Operation] {
        &self.steps
    }
}

impl Loss for Expression {
    fn family(&self) -> Family {
        Family::Pointwise
    }

    fn prediction_domain(&self) -> Domain {
        Domain::Real
    }

    fn target_domain(&self) -> Domain {
        Domain::Real
    }

    fn name(&self) -> String {
        self.name.clone()
    }

    fn accepts(&self) -> Targeting {
        Targeting::Values
    }
}

impl<T: Element> Kernel<T> for Expression {
    fn run(&self, block: &Block<'_, T>, order: Order, outputs: Outputs<'_, T::Wide>) {
        let BlockTargets::Values(targets) = block.targets else {
            unreachable!("the engine gives pointwise losses values");
        };
        let predictions = block.predictions;
        vectorised(Tiles { steps: &self.steps, predictions, targets, order, outputs });
    }
}

/// A number as it lies in the columns of a register, a lane to each element.
trait Lane<W>: Real {
    /// How many columns it takes.
    const COLUMNS: usize;

    fn variable(value: W) -> Self;

    fn fixed(value: W) -> Self;

    fn load(register: &[W], lane: usize) -> Self;

    fn store(self, register: &mut [W], lane: usize);
}

/// The value alone.
impl<W: Real> Lane<W> for W {
    const COLUMNS: usize = 1;

    #[inline(always)]
    fn variable(value: W) -> Self {
        value
    }

    #[inline(always)]
    fn fixed(value: W) -> Self {
        value
    }

    #[inline(always)]
    fn load(register: &[W], lane: usize) -> Self {
        register[lane]
    }

    #[inline(always)]
    fn store(self, register: &mut [W], lane: usize) {
        register[lane] = self;
    }
}

/// The value and its derivatives.
impl<W: Real> Lane<W> for Dual<W> {
    const COLUMNS: usize = 3;

    #[inline(always)]
    fn variable(value: W) -> Self {
        Self::variable(value)
    }

    #[inline(always)]
    fn fixed(value: W) -> Self {
        Self::fixed(value)
    }

    #[inline(always)]
    fn load(register: &[W], lane: usize) -> Self {
        let [value, first, second] = [0, 1, 2].map(|column| register[column * TILE + lane]);
        Self { value, first, second }
    }

    #[inline(always)]
    fn store(self, register: &mut [W], lane: usize) {
        register[lane] = self.value;
        register[TILE + lane] = self.first;
        register[2 * TILE + lane] = self.second;
    }
}

/// An expression over a block, tile by tile: a register of lanes for each step.
struct Tiles<'a, T: Element> {
    steps: &'a [Operation],
    predictions: &'a [T],
    targets: &'a [T],
    order: Order,
    outputs: Outputs<'a, T::Wide>,
}

impl<T: Element> Task for Tiles<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        match self.order {
            Order::Value => self.evaluate::<T::Wide>(),
            Order::Gradient | Order::Curvature => self.evaluate::<Dual<T::Wide>>(),
        }
    }
}

impl<T: Element> Tiles<'_, T> {
    #[inline(always)]
    fn evaluate<R: Lane<T::Wide>>(self) {
        let Outputs { values, gradient, curvature, scratch, .. } = self.outputs;
        let (size, mut outs) = (R::COLUMNS * TILE, [values, gradient, curvature]);
        scratch.clear();
        scratch.resize(self.steps.len() * size, T::Wide::ZERO);
        let tiles = self.predictions.chunks(TILE).zip(self.targets.chunks(TILE));
        for (tile, (predictions, targets)) in tiles.enumerate() {
            prefetch(predictions);
            prefetch(targets);
            for (number, &step) in self.steps.iter().enumerate() {
                let (done, free) = scratch.split_at_mut(number * size);
                let mut registers = Registers { done, out: &mut free[..size], size };
                match step {
                    Operation::Prediction => {
                        registers.fill(predictions.len(), |i| R::variable(predictions[i].widen()));
                    }
                    Operation::Target => {
                        registers.fill(targets.len(), |i| R::fixed(targets[i].widen()));
                    }
                    step => registers.compute::<R>(step),
                }
            }
            let loss = &scratch[(self.steps.len() - 1) * size..];
            for (out, column) in outs.iter_mut().zip(loss.chunks(TILE)) {
                let start = (tile * TILE).min(out.len());
                let out = &mut out[start..];
                let count = predictions.len().min(out.len());
                out[..count].copy_from_slice(&column[..count]);
            }
        }
    }
}

/// The results of the steps so far, and where that of the next one goes.
struct Registers<'a, W> {
    done: &'a [W],
    out: &'a mut [W],
    size: usize,
}

impl<W: Real> Registers<'_, W> {
    #[inline(always)]
    fn fill<R: Lane<W>>(&mut self, count: usize, number: impl Fn(usize) -> R) {
        (0..count).for_each(|lane| number(lane).store(self.out, lane));
    }

    #[inline(always)]
    fn combine<R: Lane<W>, const N: usize>(
        &mut self,
        arguments: [usize; N],
        function: impl Fn([R; N]) -> R,
    ) {
        let registers = arguments.map(|step| &self.done[step * self.size..][..self.size]);
        for lane in 0..TILE {
            function(registers.map(|register| R::load(register, lane))).store(self.out, lane);
        }
    }

    #[inline(always)]
    fn compute<R: Lane<W>>(&mut self, step: Operation) {
        match step {
            Operation::Prediction | Operation::Target => {}
            Operation::Constant(value) => self.fill(TILE, |_| R::constant(value)),
            Operation::Apply(function, a) => self.apply::<R>(function, a),
            Operation::Add(a, b) => self.combine([a, b], |[a, b]: [R; 2]| a + b),
            Operation::Subtract(a, b) => self.combine([a, b], |[a, b]: [R; 2]| a - b),
            Operation::Multiply(a, b) => self.combine([a, b], |[a, b]: [R; 2]| a * b),
            Operation::Divide(a, b) => self.combine([a, b], |[a, b]: [R; 2]| a / b),
            Operation::Power(a, exponent) => {
                self.combine([a], |[a]: [R; 1]| a.powf(exponent));
            }
            Operation::IfLess(a, b, then, otherwise) => {
                self.combine([a, b, then, otherwise], |[a, b, then, otherwise]: [R; 4]| {
                    a.if_less(b, then, otherwise)
                });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Evaluate, Pointwise};

    /// Every operation and function at once, as steps and as a loss in Rust.
    struct All;

    impl Pointwise for All {
        fn value<R: Real>(&self, prediction: R, target: R) -> R {
            let functions = [
                R::neg,
                R::exp,
                R::exp_m1,
                R::ln,
                R::ln_1p,
                R::abs,
                R::signum,
                R::relu,
                R::square,
                R::sigmoid,
                R::softplus,
                R::tanh,
                R::ln_cosh,
            ];
            let mut sum = R::constant(0.5);
            for function in functions {
                sum = sum + function(prediction) * target;
            }
            let quotient = (sum - prediction) / target;
            prediction.if_less(target, quotient, prediction.powf(1.5))
        }
    }

    fn all() -> Expression {
        let mut steps = vec![Operation::Prediction, Operation::Target, Operation::Constant(0.5)];
        for &(_, function, _) in Function::ALL {
            let sum = steps.len() - 1;
            steps.push(Operation::Apply(function, 0));
            steps.push(Operation::Multiply(sum + 1, 1));
            steps.push(Operation::Add(sum, sum + 2));
        }
        let sum = steps.len() - 1;
        steps.extend([
            Operation::Subtract(sum, 0),
            Operation::Divide(sum + 1, 1),
            Operation::Power(0, 1.5),
            Operation::IfLess(0, 1, sum + 2, sum + 3),
        ]);
        Expression::new("all", steps).expect("steps in order")
    }

    #[test]
    fn steps_give_the_bits_of_the_loss_written_in_rust() {
        let predictions: Vec<f64> = (1..=300).map(|i| f64::from(i) / 64.0).collect();
        let targets: Vec<f64> = (1..=300).map(|i| f64::from(i * 7 % 300) / 64.0).collect();
        let call = |loss: &dyn Loss| {
            let values = loss.on(&predictions, &targets).values();
            (values, loss.on(&predictions, &targets).value_gradient_curvature())
        };
        assert_eq!(call(&all()), call(&All));
        let narrow = |numbers: &[f64]| numbers.iter().map(|&x| x as f32).collect::<Vec<_>>();
        let (predictions, targets) = (narrow(&predictions), narrow(&targets));
        let call = |loss: &dyn Loss| {
            let values = loss.on(&predictions, &targets).values();
            (values, loss.on(&predictions, &targets).value_gradient_curvature())
        };
        assert_eq!(call(&all()), call(&All));
    }

    #[test]
    fn steps_out_of_order_are_refused() {
        let error = Expression::new("odd", vec![Operation::Prediction, Operation::Add(0, 1)]);
        assert_eq!(
            error.expect_err("a step that takes itself").to_string(),
            "odd: step 1 takes step 1, which is not before it"
        );
        assert!(Expression::new("none", Vec::new()).is_err());
    }

    #[test]
    fn weights_and_sums_work_as_with_any_loss() {
        let steps = vec![Operation::Prediction, Operation::Apply(Function::Square, 0)];
        let loss = Expression::new("square", steps).expect("steps in order");
        let sums = loss.on(&[1.0, 2.0, 3.0], &[0.0; 3]).weights(&[1.0, 0.0, 2.0]).sums();
        assert_eq!(sums.map(|sums| (sums.loss, sums.weight)), Ok((19.0, 3.0)));
    }
}
