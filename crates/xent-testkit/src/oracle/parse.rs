//! From the text of a formula to its expression tree.

use thiserror::Error;

use super::Formula;

/// A formula that does not follow the grammar of [`oracle`](super).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{problem} at column {}:\n  {text}\n  {:>column$}", position + 1, "^", column = position + 1)]
pub struct ParseError {
    /// What is wrong.
    pub problem: String,
    /// Where, in characters from the start of the text.
    pub position: usize,
    /// The formula, on one line.
    pub text: String,
}

#[derive(Clone, Debug)]
pub(super) enum Expression {
    /// numerator / denominator, both exact.
    Number(f64, f64),
    Name(String),
    /// Index into the formula's bindings.
    Binding(usize),
    Negative(Box<Expression>),
    Binary(Operator, Box<[Expression; 2]>),
    Call(Function, Vec<Expression>),
    If(Box<Condition>, Box<[Expression; 2]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Power,
}

#[derive(Clone, Debug)]
pub(super) enum Condition {
    Compare(Relation, [Expression; 2]),
    And(Box<[Condition; 2]>),
    Or(Box<[Condition; 2]>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Relation {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Function {
    Abs,
    Sign,
    Exp,
    Expm1,
    Log,
    Log1p,
    Sqrt,
    Cosh,
    Tanh,
    Logcosh,
    Sigmoid,
    LogSigmoid,
    Softplus,
    Max,
    Min,
    Sum,
    Softmax,
    SoftmaxOthers,
    LogSoftmax,
    Logsumexp,
}

/// Every function by name, with the number of its arguments.
const FUNCTIONS: [(&str, Function, usize); 20] = [
    ("abs", Function::Abs, 1),
    ("sign", Function::Sign, 1),
    ("exp", Function::Exp, 1),
    ("expm1", Function::Expm1, 1),
    ("log", Function::Log, 1),
    ("log1p", Function::Log1p, 1),
    ("sqrt", Function::Sqrt, 1),
    ("cosh", Function::Cosh, 1),
    ("tanh", Function::Tanh, 1),
    ("logcosh", Function::Logcosh, 1),
    ("sigmoid", Function::Sigmoid, 1),
    ("log_sigmoid", Function::LogSigmoid, 1),
    ("softplus", Function::Softplus, 1),
    ("max", Function::Max, 2),
    ("min", Function::Min, 2),
    ("sum", Function::Sum, 1),
    ("softmax", Function::Softmax, 1),
    ("softmax_others", Function::SoftmaxOthers, 1),
    ("log_softmax", Function::LogSoftmax, 1),
    ("logsumexp", Function::Logsumexp, 1),
];

const KEYWORDS: [&str; 6] = ["if", "then", "else", "where", "and", "or"];

#[derive(Clone, Debug, PartialEq)]
struct Token {
    kind: Kind,
    /// In characters from the start of the text.
    position: usize,
}

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Number(f64, f64),
    Word(String),
    Symbol(&'static str),
    End,
}

/// Longer symbols first, so that `<=` is not read as `<`.
const SYMBOLS: [&str; 14] =
    ["<=", ">=", "==", "<", ">", "=", "+", "-", "*", "/", "^", "(", ")", ","];

pub(super) fn parse(text: &str) -> Result<Formula, ParseError> {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut parser = Parser { tokens: tokens(&text)?, next: 0, text: &text };
    let body = parser.expression()?;
    let mut bindings = Vec::new();
    if parser.take_word("where") {
        loop {
            bindings.push(parser.binding()?);
            if !parser.take_symbol(",") {
                break;
            }
        }
    }
    parser.end()?;
    resolve(&text, body, bindings)
}

fn error(text: &str, position: usize, problem: impl Into<String>) -> ParseError {
    ParseError { problem: problem.into(), position, text: text.into() }
}

fn tokens(text: &str) -> Result<Vec<Token>, ParseError> {
    let characters: Vec<char> = text.chars().collect();
    let run = |from: usize, accept: fn(&char) -> bool| -> String {
        characters[from..].iter().take_while(|c| accept(c)).collect()
    };
    let mut tokens = Vec::new();
    let mut position = 0;
    while let Some(&c) = characters.get(position) {
        let (kind, length) = if c == ' ' {
            position += 1;
            continue;
        } else if c.is_ascii_digit() || c == '.' {
            let digits = run(position, |c| c.is_ascii_digit() || *c == '.');
            let number = number(&digits).ok_or_else(|| {
                error(text, position, format!("`{digits}` is not a number of at most 15 digits"))
            })?;
            (number, digits.len())
        } else if c.is_alphabetic() || c == '_' {
            let word = run(position, |c| c.is_alphanumeric() || *c == '_');
            let length = word.chars().count();
            (Kind::Word(word), length)
        } else {
            let rest: String = characters[position..].iter().take(2).collect();
            let symbol = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol));
            let symbol = symbol
                .ok_or_else(|| error(text, position, format!("unexpected character `{c}`")))?;
            (Kind::Symbol(symbol), symbol.len())
        };
        tokens.push(Token { kind, position });
        position += length;
    }
    tokens.push(Token { kind: Kind::End, position });
    Ok(tokens)
}

/// A decimal literal as the exact quotient of two integers.
fn number(digits: &str) -> Option<Kind> {
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let significand = format!("{whole}{fraction}");
    if significand.is_empty() || significand.len() > 15 || fraction.contains('.') {
        return None;
    }
    Some(Kind::Number(significand.parse().ok()?, 10f64.powi(fraction.len() as i32)))
}

struct Binding {
    name: String,
    position: usize,
    value: Expression,
}

struct Parser<'a> {
    tokens: Vec<Token>,
    next: usize,
    text: &'a str,
}

impl Parser<'_> {
    fn peek(&self) -> &Token {
        &self.tokens[self.next]
    }

    fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    fn take_symbol(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek().kind, Kind::Symbol(found) if found == symbol);
        if found {
            self.advance();
        }
        found
    }

    fn take_word(&mut self, word: &str) -> bool {
        let found = matches!(&self.peek().kind, Kind::Word(found) if found == word);
        if found {
            self.advance();
        }
        found
    }

    fn expected(&self, what: &str) -> ParseError {
        let found = match &self.peek().kind {
            Kind::End => "the end of the formula".to_owned(),
            Kind::Number(..) => "a number".to_owned(),
            Kind::Word(word) => format!("`{word}`"),
            Kind::Symbol(symbol) => format!("`{symbol}`"),
        };
        error(self.text, self.peek().position, format!("expected {what}, found {found}"))
    }

    fn symbol(&mut self, symbol: &str) -> Result<(), ParseError> {
        if self.take_symbol(symbol) { Ok(()) } else { Err(self.expected(&format!("`{symbol}`"))) }
    }

    fn word(&mut self, word: &str) -> Result<(), ParseError> {
        if self.take_word(word) { Ok(()) } else { Err(self.expected(&format!("`{word}`"))) }
    }

    fn end(&self) -> Result<(), ParseError> {
        match self.peek().kind {
            Kind::End => Ok(()),
            _ => Err(self.expected("an operator or the end of the formula")),
        }
    }

    fn binding(&mut self) -> Result<Binding, ParseError> {
        let Token { kind, position } = self.peek().clone();
        let Kind::Word(name) = kind else { return Err(self.expected("a name")) };
        if KEYWORDS.contains(&name.as_str()) {
            return Err(self.expected("a name"));
        }
        self.advance();
        self.symbol("=")?;
        Ok(Binding { name, position, value: self.expression()? })
    }

    fn expression(&mut self) -> Result<Expression, ParseError> {
        if !self.take_word("if") {
            return self.sum();
        }
        let condition = self.condition()?;
        self.word("then")?;
        let yes = self.expression()?;
        self.word("else")?;
        let no = self.expression()?;
        Ok(Expression::If(Box::new(condition), Box::new([yes, no])))
    }

    fn condition(&mut self) -> Result<Condition, ParseError> {
        let mut condition = self.conjunction()?;
        while self.take_word("or") {
            condition = Condition::Or(Box::new([condition, self.conjunction()?]));
        }
        Ok(condition)
    }

    fn conjunction(&mut self) -> Result<Condition, ParseError> {
        let mut condition = self.comparison()?;
        while self.take_word("and") {
            condition = Condition::And(Box::new([condition, self.comparison()?]));
        }
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, ParseError> {
        const RELATIONS: [(&str, Relation); 5] = [
            ("<=", Relation::LessOrEqual),
            (">=", Relation::GreaterOrEqual),
            ("<", Relation::Less),
            (">", Relation::Greater),
            ("==", Relation::Equal),
        ];
        let left = self.sum()?;
        for (symbol, relation) in RELATIONS {
            if self.take_symbol(symbol) {
                return Ok(Condition::Compare(relation, [left, self.sum()?]));
            }
        }
        Err(self.expected("a comparison"))
    }

    fn sum(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.product()?;
        loop {
            let operator = if self.take_symbol("+") {
                Operator::Add
            } else if self.take_symbol("-") {
                Operator::Subtract
            } else {
                return Ok(left);
            };
            left = Expression::Binary(operator, Box::new([left, self.product()?]));
        }
    }

    fn product(&mut self) -> Result<Expression, ParseError> {
        let mut left = self.unary()?;
        loop {
            let operator = if self.take_symbol("*") {
                Operator::Multiply
            } else if self.take_symbol("/") {
                Operator::Divide
            } else {
                return Ok(left);
            };
            left = Expression::Binary(operator, Box::new([left, self.unary()?]));
        }
    }

    fn unary(&mut self) -> Result<Expression, ParseError> {
        if self.take_symbol("-") {
            return Ok(Expression::Negative(Box::new(self.unary()?)));
        }
        let base = self.atom()?;
        if self.take_symbol("^") {
            return Ok(Expression::Binary(Operator::Power, Box::new([base, self.unary()?])));
        }
        Ok(base)
    }

    fn atom(&mut self) -> Result<Expression, ParseError> {
        let Token { kind, position } = self.peek().clone();
        match kind {
            Kind::Number(numerator, denominator) => {
                self.advance();
                Ok(Expression::Number(numerator, denominator))
            }
            Kind::Word(word) if !KEYWORDS.contains(&word.as_str()) => {
                self.advance();
                if self.take_symbol("(") {
                    self.call(&word, position)
                } else {
                    Ok(Expression::Name(word))
                }
            }
            Kind::Symbol("(") => {
                self.advance();
                let inner = self.expression()?;
                self.symbol(")")?;
                Ok(inner)
            }
            _ => Err(self.expected("a number, a name or `(`")),
        }
    }

    fn call(&mut self, name: &str, position: usize) -> Result<Expression, ParseError> {
        let Some((_, function, arity)) = FUNCTIONS.iter().find(|(known, ..)| *known == name) else {
            let known = FUNCTIONS.map(|(known, ..)| known).join(", ");
            let problem = format!("unknown function `{name}` (there are {known})");
            return Err(error(self.text, position, problem));
        };
        let mut arguments = vec![self.expression()?];
        while self.take_symbol(",") {
            arguments.push(self.expression()?);
        }
        self.symbol(")")?;
        if arguments.len() != *arity {
            let problem =
                format!("`{name}` takes {arity} argument(s) but gets {}", arguments.len());
            return Err(error(self.text, position, problem));
        }
        Ok(Expression::Call(*function, arguments))
    }
}

/// Points the names of bindings at them and makes sure that no binding needs itself.
fn resolve(
    text: &str,
    mut body: Expression,
    mut bindings: Vec<Binding>,
) -> Result<Formula, ParseError> {
    let names: Vec<String> = bindings.iter().map(|binding| binding.name.clone()).collect();
    for (i, binding) in bindings.iter().enumerate() {
        if names[..i].contains(&binding.name) {
            let problem = format!("`{}` is bound twice", binding.name);
            return Err(error(text, binding.position, problem));
        }
    }
    let bind = |expression: &mut Expression| {
        if let Expression::Name(name) = expression
            && let Some(index) = names.iter().position(|known| known == name)
        {
            *expression = Expression::Binding(index);
        }
    };
    body.visit(&mut |expression| bind(expression));
    for binding in &mut bindings {
        binding.value.visit(&mut |expression| bind(expression));
    }
    for binding in 0..bindings.len() {
        if reaches(&mut bindings, binding, binding, &mut Vec::new()) {
            let problem = format!("`{}` is defined by itself", names[binding]);
            return Err(error(text, bindings[binding].position, problem));
        }
    }
    let mut bindings: Vec<Expression> = bindings.into_iter().map(|b| b.value).collect();
    let mut free: Vec<String> = Vec::new();
    for expression in std::iter::once(&mut body).chain(&mut bindings) {
        expression.visit(&mut |part| match part {
            Expression::Name(name) if !free.contains(name) => free.push(name.clone()),
            _ => {}
        });
    }
    Ok(Formula { text: text.to_owned(), names: free, body, bindings })
}

/// Whether the value of binding `from` needs binding `to`.
fn reaches(bindings: &mut [Binding], from: usize, to: usize, seen: &mut Vec<usize>) -> bool {
    let mut needs = Vec::new();
    bindings[from].value.visit(&mut |expression| {
        if let Expression::Binding(index) = expression {
            needs.push(*index);
        }
    });
    needs.into_iter().any(|need| {
        if need == to {
            return true;
        }
        if seen.contains(&need) {
            return false;
        }
        seen.push(need);
        reaches(bindings, need, to, seen)
    })
}

impl Expression {
    /// Calls `f` on every part of the expression, inner parts first.
    pub(super) fn visit(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        match self {
            Self::Number(..) | Self::Name(_) | Self::Binding(_) => {}
            Self::Negative(inner) => inner.visit(f),
            Self::Binary(_, parts) => parts.iter_mut().for_each(|part| part.visit(f)),
            Self::Call(_, parts) => parts.iter_mut().for_each(|part| part.visit(f)),
            Self::If(condition, parts) => {
                condition.visit(f);
                parts.iter_mut().for_each(|part| part.visit(f));
            }
        }
        f(self);
    }
}

impl Condition {
    fn visit(&mut self, f: &mut dyn FnMut(&mut Expression)) {
        match self {
            Self::Compare(_, parts) => parts.iter_mut().for_each(|part| part.visit(f)),
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(|part| part.visit(f)),
        }
    }
}
