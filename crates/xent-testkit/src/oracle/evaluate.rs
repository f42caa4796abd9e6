//! Walking a formula's expression tree at one precision.

use std::cell::{Cell, OnceCell};
use std::cmp::Ordering;
use std::rc::Rc;

use super::big::{Big, Comparison};
use super::jet::{Jet, Softmax};
use super::parse::{Condition, Expression, Function, Operator, Relation};
use super::{EvaluateError, Formula, Inputs, Shape};

/// A number or a row.
enum Value {
    Number(Jet),
    Row(Vec<Jet>),
}

use Value::{Number, Row};

type Outcome<T> = Result<T, EvaluateError>;

pub(super) struct Evaluation<'a> {
    formula: &'a Formula,
    inputs: &'a Inputs<'a>,
    bits: usize,
    bindings: Vec<OnceCell<Rc<Value>>>,
    prediction: Rc<Value>,
    /// Whether a branch was taken on a comparison within the error bounds.
    uncertain: Cell<bool>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(formula: &'a Formula, inputs: &'a Inputs<'a>, bits: usize) -> Self {
        let predictions = inputs.prediction.iter().enumerate();
        let jets = predictions.map(|(entry, &x)| Jet::prediction(Big::exact(x, bits), entry));
        let bindings = formula.bindings.iter().map(|_| OnceCell::new()).collect();
        let prediction = Rc::new(shaped(inputs.shape, jets.collect()));
        Self { formula, inputs, bits, bindings, prediction, uncertain: Cell::new(false) }
    }

    pub(super) fn is_uncertain(&self) -> bool {
        self.uncertain.get()
    }

    pub(super) fn run(&self) -> Outcome<Jet> {
        match &*self.value(&self.formula.body)? {
            Number(jet) => Ok(jet.clone()),
            Row(_) => Err(self.misfit("the result is a row; reduce it with `sum`")),
        }
    }

    fn misfit(&self, problem: &'static str) -> EvaluateError {
        EvaluateError::Kind { problem, formula: self.formula.text.clone() }
    }

    fn constant(&self, x: f64) -> Jet {
        Jet::constant(Big::exact(x, self.bits))
    }

    fn value(&self, expression: &Expression) -> Outcome<Rc<Value>> {
        match expression {
            Expression::Number(numerator, denominator) => {
                let number = self.constant(*numerator).divide(&self.constant(*denominator));
                Ok(Rc::new(Number(number)))
            }
            Expression::Name(name) => self.input(name),
            Expression::Binding(index) => {
                if let Some(value) = self.bindings[*index].get() {
                    return Ok(Rc::clone(value));
                }
                let value = self.value(&self.formula.bindings[*index])?;
                Ok(Rc::clone(self.bindings[*index].get_or_init(|| value)))
            }
            Expression::Negative(inner) => Ok(Rc::new(each(&*self.value(inner)?, Jet::negate))),
            Expression::Binary(operator, parts) => {
                let [a, b] = [self.value(&parts[0])?, self.value(&parts[1])?];
                self.pairwise(&a, &b, |a, b| match operator {
                    Operator::Add => a.add(b),
                    Operator::Subtract => a.add(&b.negate()),
                    Operator::Multiply => a.multiply(b),
                    Operator::Divide => a.divide(b),
                    Operator::Power => a.power(b),
                })
            }
            Expression::Call(function, arguments) => self.call(*function, arguments),
            Expression::If(condition, parts) => self.choose(condition, parts),
        }
    }

    fn input(&self, name: &str) -> Outcome<Rc<Value>> {
        let inputs = self.inputs;
        let values = match name {
            "prediction" => return Ok(Rc::clone(&self.prediction)),
            "classes" => {
                return Ok(Rc::new(Number(self.constant(inputs.prediction.len() as f64))));
            }
            "target" => inputs.target,
            "weight" => inputs.weight,
            _ => &[],
        };
        if !values.is_empty() {
            let jets = values.iter().map(|&x| self.constant(x)).collect();
            return Ok(Rc::new(shaped(inputs.shape, jets)));
        }
        match inputs.parameters.iter().find(|(known, _)| *known == name) {
            Some((_, x)) => Ok(Rc::new(Number(self.constant(*x)))),
            None => Err(EvaluateError::UnknownName {
                name: name.to_owned(),
                formula: self.formula.text.clone(),
            }),
        }
    }

    fn pairwise(&self, a: &Value, b: &Value, f: impl Fn(&Jet, &Jet) -> Jet) -> Outcome<Rc<Value>> {
        Ok(Rc::new(match (a, b) {
            (Number(a), b) => each(b, |b| f(a, b)),
            (a, Number(b)) => each(a, |a| f(a, b)),
            (Row(a), Row(b)) => Row(a.iter().zip(b).map(|(a, b)| f(a, b)).collect()),
        }))
    }

    fn call(&self, function: Function, arguments: &[Expression]) -> Outcome<Rc<Value>> {
        let first = self.value(&arguments[0])?;
        let one = |f: fn(&Jet) -> Jet| Ok(Rc::new(each(&first, f)));
        match function {
            Function::Abs => Ok(Rc::new(each(&first, |x| self.abs(x)))),
            Function::Sign => Ok(Rc::new(each(&first, |x| self.constant(self.sign(x))))),
            Function::Exp => one(Jet::exp),
            Function::Expm1 => one(Jet::exp_m1),
            Function::Log => one(Jet::ln),
            Function::Log1p => one(Jet::ln_1p),
            Function::Sqrt => one(Jet::sqrt),
            Function::Cosh => one(Jet::cosh),
            Function::Tanh => one(Jet::tanh),
            Function::Logcosh => one(Jet::logcosh),
            Function::Sigmoid => one(Jet::sigmoid),
            Function::LogSigmoid => one(|x| x.negate().softplus().negate()),
            Function::Softplus => one(Jet::softplus),
            Function::Max => self.extreme(&first, &arguments[1], Relation::Greater),
            Function::Min => self.extreme(&first, &arguments[1], Relation::Less),
            Function::Sum => {
                let sum = self.row(&first)?.iter().fold(self.constant(0.0), |sum, x| sum.add(x));
                Ok(Rc::new(Number(sum)))
            }
            Function::Softmax => Ok(Rc::new(Row(self.softmax(&first)?.shares()))),
            Function::SoftmaxOthers => Ok(Rc::new(Row(self.softmax(&first)?.others()))),
            Function::LogSoftmax => Ok(Rc::new(Row(self.softmax(&first)?.logs()))),
            Function::Logsumexp => Ok(Rc::new(Number(self.softmax(&first)?.log_sum()))),
        }
    }

    fn row<'v>(&self, value: &'v Value) -> Outcome<&'v [Jet]> {
        match value {
            Row(row) => Ok(row),
            Number(_) => Err(self.misfit("a number stands where a function needs a row")),
        }
    }

    fn softmax<'v>(&self, value: &'v Value) -> Outcome<Softmax<'v>> {
        Softmax::new(self.row(value)?).ok_or_else(|| self.misfit("the softmax of an empty row"))
    }

    fn abs(&self, x: &Jet) -> Jet {
        if x.value.is_nan() { x.clone() } else { x.multiply(&self.constant(self.sign(x))) }
    }

    fn sign(&self, x: &Jet) -> f64 {
        match self.order(x, &self.constant(0.0)) {
            Some(Ordering::Less) => -1.0,
            Some(Ordering::Equal) => 0.0,
            Some(Ordering::Greater) => 1.0,
            None => f64::NAN,
        }
    }

    fn extreme(&self, a: &Value, b: &Expression, relation: Relation) -> Outcome<Rc<Value>> {
        let b = self.value(b)?;
        self.pairwise(a, &b, |a, b| {
            if a.value.is_nan() || self.holds(relation, a, b) { a.clone() } else { b.clone() }
        })
    }

    fn choose(&self, condition: &Condition, parts: &[Expression; 2]) -> Outcome<Rc<Value>> {
        let flags = match self.condition(condition)? {
            Flags::Number(holds) => return self.value(&parts[usize::from(!holds)]),
            Flags::Row(flags) => flags,
        };
        let [yes, no] = [self.value(&parts[0])?, self.value(&parts[1])?];
        let pick = |(j, holds): (usize, &bool)| match if *holds { &*yes } else { &*no } {
            Number(jet) => jet.clone(),
            Row(row) => row[j].clone(),
        };
        Ok(Rc::new(Row(flags.iter().enumerate().map(pick).collect())))
    }

    fn condition(&self, condition: &Condition) -> Outcome<Flags> {
        match condition {
            Condition::Compare(relation, [a, b]) => {
                let [a, b] = [self.value(a)?, self.value(b)?];
                let holds = |a: &Jet, b: &Jet| self.holds(*relation, a, b);
                Ok(match (&*a, &*b) {
                    (Number(a), Number(b)) => Flags::Number(holds(a, b)),
                    (Number(a), Row(b)) => Flags::Row(b.iter().map(|b| holds(a, b)).collect()),
                    (Row(a), Number(b)) => Flags::Row(a.iter().map(|a| holds(a, b)).collect()),
                    (Row(a), Row(b)) => {
                        Flags::Row(a.iter().zip(b).map(|(a, b)| holds(a, b)).collect())
                    }
                })
            }
            Condition::And(parts) => {
                Ok(self.condition(&parts[0])?.combine(self.condition(&parts[1])?, |a, b| a && b))
            }
            Condition::Or(parts) => {
                Ok(self.condition(&parts[0])?.combine(self.condition(&parts[1])?, |a, b| a || b))
            }
        }
    }

    fn holds(&self, relation: Relation, a: &Jet, b: &Jet) -> bool {
        self.order(a, b).is_some_and(|order| match relation {
            Relation::Less => order.is_lt(),
            Relation::LessOrEqual => order.is_le(),
            Relation::Greater => order.is_gt(),
            Relation::GreaterOrEqual => order.is_ge(),
            Relation::Equal => order.is_eq(),
        })
    }

    fn order(&self, a: &Jet, b: &Jet) -> Option<Ordering> {
        match a.value.compare(&b.value) {
            Comparison::Certain(order) => Some(order),
            Comparison::Uncertain => {
                self.uncertain.set(true);
                Some(Ordering::Equal)
            }
            Comparison::Unordered => None,
        }
    }
}

/// What a condition says of a number or of each entry of a row.
enum Flags {
    Number(bool),
    Row(Vec<bool>),
}

impl Flags {
    fn combine(self, other: Self, f: fn(bool, bool) -> bool) -> Self {
        match (self, other) {
            (Self::Number(a), Self::Number(b)) => Self::Number(f(a, b)),
            (Self::Row(row), Self::Number(b)) => {
                Self::Row(row.into_iter().map(|a| f(a, b)).collect())
            }
            (Self::Number(a), Self::Row(row)) => {
                Self::Row(row.into_iter().map(|b| f(a, b)).collect())
            }
            (Self::Row(a), Self::Row(b)) => {
                Self::Row(a.into_iter().zip(b).map(|(a, b)| f(a, b)).collect())
            }
        }
    }
}

fn each(value: &Value, f: impl Fn(&Jet) -> Jet) -> Value {
    match value {
        Number(jet) => Number(f(jet)),
        Row(row) => Row(row.iter().map(f).collect()),
    }
}

fn shaped(shape: Shape, mut jets: Vec<Jet>) -> Value {
    match (shape, jets.pop()) {
        (Shape::Scalar, Some(jet)) => Number(jet),
        (_, last) => {
            jets.extend(last);
            Row(jets)
        }
    }
}
