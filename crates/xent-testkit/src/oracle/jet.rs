//! Values with their first and second derivatives in each prediction.

use super::big::{Big, Comparison};

/// A number and how it depends on the predictions.
///
/// Only the diagonal second derivatives are kept: the chain rule needs no others.
#[derive(Clone, Debug)]
pub(super) struct Jet {
    pub(super) value: Big,
    /// Ascending in `entry`; a prediction that is missing has no influence.
    pub(super) slopes: Vec<Slope>,
}

/// First and second derivative in one prediction.
#[derive(Clone, Debug)]
pub(super) struct Slope {
    /// Index of the prediction in its row.
    pub(super) entry: usize,
    pub(super) first: Big,
    pub(super) second: Big,
}

impl Slope {
    fn map(&self, f: impl Fn(&Big) -> Big) -> Self {
        Self { entry: self.entry, first: f(&self.first), second: f(&self.second) }
    }
}

impl Jet {
    pub(super) fn constant(value: Big) -> Self {
        Self { value, slopes: Vec::new() }
    }

    /// The prediction with index `entry` itself.
    pub(super) fn prediction(value: Big, entry: usize) -> Self {
        let slope = Slope { entry, first: value.constant(1.0), second: value.constant(0.0) };
        Self { value, slopes: vec![slope] }
    }

    fn map(&self, f: impl Fn(&Big) -> Big) -> Self {
        Self { value: f(&self.value), slopes: self.slopes.iter().map(|s| s.map(&f)).collect() }
    }

    pub(super) fn negate(&self) -> Self {
        self.map(Big::negate)
    }

    /// Pairs the slopes of two jets by entry; `join` gets zero for a slope one of them lacks.
    fn join(&self, other: &Self, join: impl Fn(&Slope, &Slope) -> Slope) -> Vec<Slope> {
        let zero = |entry| {
            let zero = self.value.constant(0.0);
            Slope { entry, first: zero.clone(), second: zero }
        };
        let mut joined = Vec::with_capacity(self.slopes.len().max(other.slopes.len()));
        let (mut left, mut right) = (self.slopes.iter().peekable(), other.slopes.iter().peekable());
        loop {
            let entry = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a.entry.min(b.entry),
                (Some(a), None) => a.entry,
                (None, Some(b)) => b.entry,
                (None, None) => return joined,
            };
            let a = left.next_if(|slope| slope.entry == entry);
            let b = right.next_if(|slope| slope.entry == entry);
            joined.push(match (a, b) {
                (Some(a), Some(b)) => join(a, b),
                (Some(a), None) => join(a, &zero(entry)),
                (None, Some(b)) => join(&zero(entry), b),
                (None, None) => return joined,
            });
        }
    }

    pub(super) fn add(&self, other: &Self) -> Self {
        let slopes = self.join(other, |a, b| Slope {
            entry: a.entry,
            first: a.first.add(&b.first),
            second: a.second.add(&b.second),
        });
        Self { value: self.value.add(&other.value), slopes }
    }

    pub(super) fn multiply(&self, other: &Self) -> Self {
        if self.slopes.is_empty() {
            return other.scale(&self.value);
        }
        if other.slopes.is_empty() {
            return self.scale(&other.value);
        }
        let slopes = self.join(other, |a, b| {
            let cross = a.first.multiply(&b.first);
            let outer = a.second.multiply(&other.value).add(&self.value.multiply(&b.second));
            Slope {
                entry: a.entry,
                first: a.first.multiply(&other.value).add(&self.value.multiply(&b.first)),
                second: outer.add(&cross).add(&cross),
            }
        });
        Self { value: self.value.multiply(&other.value), slopes }
    }

    fn scale(&self, factor: &Big) -> Self {
        if factor.is_exact_zero() && !self.value.is_nan() {
            return Self::constant(factor.clone());
        }
        self.map(|x| x.multiply(factor))
    }

    pub(super) fn divide(&self, other: &Self) -> Self {
        if other.slopes.is_empty() {
            return self.map(|x| x.divide(&other.value));
        }
        let reciprocal = other.chain(other.value.constant(1.0).divide(&other.value), |inverse| {
            let square = inverse.multiply(inverse);
            let second = square.multiply(inverse);
            (square.negate(), second.add(&second))
        });
        self.multiply(&reciprocal)
    }

    /// f(x) given f's value at x and, from that value, its first and second derivative there.
    fn chain(&self, value: Big, derivatives: impl FnOnce(&Big) -> (Big, Big)) -> Self {
        if self.slopes.is_empty() {
            return Self::constant(value);
        }
        let (first, second) = derivatives(&value);
        let slopes = self.slopes.iter().map(|slope| Slope {
            entry: slope.entry,
            first: first.multiply(&slope.first),
            second: first
                .multiply(&slope.second)
                .add(&second.multiply(&slope.first.multiply(&slope.first))),
        });
        let slopes = slopes.collect();
        Self { value, slopes }
    }

    pub(super) fn exp(&self) -> Self {
        self.chain(self.value.exp(), |exp| (exp.clone(), exp.clone()))
    }

    pub(super) fn exp_m1(&self) -> Self {
        self.chain(self.value.exp_m1(), |_| {
            let exp = self.value.exp();
            (exp.clone(), exp)
        })
    }

    pub(super) fn ln(&self) -> Self {
        self.chain(self.value.ln(), |_| reciprocal_slopes(&self.value))
    }

    pub(super) fn ln_1p(&self) -> Self {
        self.chain(self.value.ln_1p(), |_| {
            reciprocal_slopes(&self.value.add(&self.value.constant(1.0)))
        })
    }

    pub(super) fn sqrt(&self) -> Self {
        self.chain(self.value.sqrt(), |root| {
            let first = root.constant(0.5).divide(root);
            let second = first.divide(&self.value).multiply(&root.constant(-0.5));
            (first, second)
        })
    }

    pub(super) fn power(&self, exponent: &Self) -> Self {
        if !exponent.slopes.is_empty() {
            return exponent.multiply(&self.ln()).exp();
        }
        let (x, p) = (&self.value, &exponent.value);
        self.chain(x.power(p), |power| {
            let one = p.constant(1.0);
            let q = p.subtract(&one);
            let lower = |power: &Big, exponent: &Big| {
                if x.contains_zero() { x.power(exponent) } else { power.divide(x) }
            };
            let once = lower(power, &q);
            let twice = lower(&once, &q.subtract(&one));
            (p.multiply(&once), p.multiply(&q).multiply(&twice))
        })
    }

    pub(super) fn cosh(&self) -> Self {
        let (up, down) = (self.value.exp(), self.value.negate().exp());
        let half = up.constant(0.5);
        let cosh = up.add(&down).multiply(&half);
        self.chain(cosh, |cosh| (up.subtract(&down).multiply(&half), cosh.clone()))
    }

    pub(super) fn tanh(&self) -> Self {
        let (tanh, slope) = tanh_and_slope(&self.value);
        self.chain(tanh, |tanh| {
            let second = tanh.multiply(&slope).multiply(&tanh.constant(-2.0));
            (slope, second)
        })
    }

    /// ln cosh x, accurate for tiny and huge x.
    pub(super) fn logcosh(&self) -> Self {
        self.chain(logcosh(&self.value), |_| tanh_and_slope(&self.value))
    }

    /// 1/(1 + e^(−x)), accurate on both sides.
    pub(super) fn sigmoid(&self) -> Self {
        let (up, down) = sigmoids(&self.value);
        self.chain(up.clone(), |_| {
            let slope = up.multiply(&down);
            let second = slope.multiply(&down.subtract(&up));
            (slope, second)
        })
    }

    /// ln(1 + e^x), accurate on both sides.
    pub(super) fn softplus(&self) -> Self {
        let x = &self.value;
        let tail = x.abs().negate().exp().ln_1p();
        let value = if x.is_negative() { tail } else { x.add(&tail) };
        self.chain(value, |_| {
            let (up, down) = sigmoids(x);
            let second = up.multiply(&down);
            (up, second)
        })
    }
}

/// First and second derivative of ln at x.
fn reciprocal_slopes(x: &Big) -> (Big, Big) {
    let inverse = x.constant(1.0).divide(x);
    let second = inverse.multiply(&inverse).negate();
    (inverse, second)
}

/// The sigmoid of x and of −x.
fn sigmoids(x: &Big) -> (Big, Big) {
    let one = x.constant(1.0);
    let small = x.abs().negate().exp();
    let total = one.add(&small);
    let (near, far) = (one.divide(&total), small.divide(&total));
    if x.is_negative() { (far, near) } else { (near, far) }
}

/// tanh x and its derivative 1 − tanh² x.
fn tanh_and_slope(x: &Big) -> (Big, Big) {
    let twice = x.abs().multiply(&x.constant(-2.0));
    let exp = twice.exp();
    let total = exp.add(&x.constant(1.0));
    let tanh = twice.exp_m1().negate().divide(&total);
    let slope = exp.multiply(&x.constant(4.0)).divide(&total.multiply(&total));
    (if x.is_negative() { tanh.negate() } else { tanh }, slope)
}

fn logcosh(x: &Big) -> Big {
    let size = x.abs();
    let one = x.constant(1.0);
    let small = matches!(size.compare(&one), Comparison::Certain(std::cmp::Ordering::Less));
    if small {
        // cosh x − 1 = u²/(2(1+u)) with u = e^(−|x|) − 1.
        let u = size.negate().exp_m1();
        let denominator = u.add(&one);
        let denominator = denominator.add(&denominator);
        u.multiply(&u).divide(&denominator).ln_1p()
    } else {
        let tail = size.multiply(&x.constant(-2.0)).exp().ln_1p();
        size.add(&tail).subtract(&x.constant(2.0).ln())
    }
}

/// Everything that follows from e^z over a row z, without cancellation for confident rows.
pub(super) struct Softmax<'a> {
    row: &'a [Jet],
    /// z − max z.
    shifted: Vec<Big>,
    /// The softmax of z.
    share: Vec<Big>,
    /// One minus the softmax, as the sum of the other shares.
    others: Vec<Big>,
    largest: Big,
    /// ln Σ e^(z − max z).
    log_total: Big,
    directions: Vec<Direction>,
}

/// How the row's softmax moves with one prediction k; `share` is the softmax p.
struct Direction {
    entry: usize,
    /// Σ pᵢ zᵢ′ and Σ pᵢ zᵢ″.
    mean: [Big; 2],
    /// zⱼ′ − Σ pᵢ zᵢ′ and zⱼ″ − Σ pᵢ zᵢ″ for every j.
    centred: [Vec<Big>; 2],
    /// Σ pⱼ (zⱼ′ − mean)².
    variance: Big,
}

impl<'a> Softmax<'a> {
    /// `None` for an empty row.
    pub(super) fn new(row: &'a [Jet]) -> Option<Self> {
        let top = (1..row.len()).fold(0, |top, j| {
            let order = row[j].value.compare(&row[top].value);
            if order == Comparison::Certain(std::cmp::Ordering::Greater) { j } else { top }
        });
        let largest = row.get(top)?.value.clone();
        let shifted: Vec<Big> = row.iter().map(|z| z.value.subtract(&largest)).collect();
        let exp: Vec<Big> = shifted.iter().map(Big::exp).collect();
        let rest = exp.iter().enumerate().filter(|&(j, _)| j != top).map(|(_, e)| e);
        let rest = total(&largest, rest);
        let sum = exp[top].add(&rest);
        let share: Vec<Big> = exp.iter().map(|e| e.divide(&sum)).collect();
        let others = exp
            .iter()
            .enumerate()
            .map(|(j, e)| if j == top { rest.divide(&sum) } else { sum.subtract(e).divide(&sum) });
        let others = others.collect();
        let mut softmax = Self {
            row,
            shifted,
            share,
            others,
            largest,
            log_total: rest.ln_1p(),
            directions: Vec::new(),
        };
        softmax.directions = softmax.entries().into_iter().map(|k| softmax.direction(k)).collect();
        Some(softmax)
    }

    fn entries(&self) -> std::collections::BTreeSet<usize> {
        self.row.iter().flat_map(|z| &z.slopes).map(|slope| slope.entry).collect()
    }

    fn direction(&self, entry: usize) -> Direction {
        let slopes: Vec<(usize, &Slope)> = (self.row.iter().enumerate())
            .filter_map(|(j, z)| z.slopes.iter().find(|s| s.entry == entry).map(|s| (j, s)))
            .collect();
        let first: Vec<(usize, &Big)> = slopes.iter().map(|&(j, s)| (j, &s.first)).collect();
        let second: Vec<(usize, &Big)> = slopes.iter().map(|&(j, s)| (j, &s.second)).collect();
        let centred = [self.centred(&first), self.centred(&second)];
        Direction {
            entry,
            mean: [self.mean(&first, None), self.mean(&second, None)],
            variance: self.variance(&first, &centred[0]),
            centred,
        }
    }

    /// Σ pᵢ xᵢ over the given (i, xᵢ) except index `skip`.
    fn mean(&self, terms: &[(usize, &Big)], skip: Option<usize>) -> Big {
        let terms: Vec<Big> = (terms.iter().filter(|&&(i, _)| Some(i) != skip))
            .map(|&(i, x)| self.share[i].multiply(x))
            .collect();
        total(&self.largest, terms.iter())
    }

    /// xⱼ − Σ pᵢ xᵢ for every j, where an xᵢ not given is zero, as xⱼ(1 − pⱼ) − Σ_{i≠j} pᵢ xᵢ.
    fn centred(&self, terms: &[(usize, &Big)]) -> Vec<Big> {
        let whole = self.mean(terms, None).negate();
        let mut centred = vec![whole; self.row.len()];
        for &(j, x) in terms {
            centred[j] = x.multiply(&self.others[j]).subtract(&self.mean(terms, Some(j)));
        }
        centred
    }

    /// Σ pⱼ cⱼ², where every row entry without a term has the same cⱼ.
    fn variance(&self, terms: &[(usize, &Big)], centred: &[Big]) -> Big {
        let zero = self.largest.constant(0.0);
        let has_term = |j: &usize| terms.binary_search_by_key(j, |&(i, _)| i).is_ok();
        let (with, without): (Vec<usize>, Vec<usize>) = (0..centred.len()).partition(has_term);
        let rest = total(&zero, without.iter().map(|&j| &self.share[j]));
        let alike = without.first().map_or(&zero, |&j| &centred[j]);
        with.iter()
            .map(|&j| (&self.share[j], &centred[j]))
            .chain([(&rest, alike)])
            .fold(zero.clone(), |sum, (share, centred)| {
                sum.add(&share.multiply(&centred.multiply(centred)))
            })
    }

    fn jets(
        &self,
        value: impl Fn(usize) -> Big,
        slope: impl Fn(usize, &Direction) -> [Big; 2],
    ) -> Vec<Jet> {
        let jet = |j| Jet {
            value: value(j),
            slopes: (self.directions.iter())
                .map(|direction| {
                    let [first, second] = slope(j, direction);
                    Slope { entry: direction.entry, first, second }
                })
                .collect(),
        };
        (0..self.row.len()).map(jet).collect()
    }

    /// e^z / Σ e^z.
    pub(super) fn shares(&self) -> Vec<Jet> {
        self.jets(|j| self.share[j].clone(), |j, direction| self.share_slopes(j, direction))
    }

    /// 1 − e^z / Σ e^z.
    pub(super) fn others(&self) -> Vec<Jet> {
        self.jets(
            |j| self.others[j].clone(),
            |j, direction| self.share_slopes(j, direction).map(|x| x.negate()),
        )
    }

    fn share_slopes(&self, j: usize, direction: &Direction) -> [Big; 2] {
        let [first, second] = self.log_slopes(j, direction);
        let second = first.multiply(&first).add(&second);
        [self.share[j].multiply(&first), self.share[j].multiply(&second)]
    }

    fn log_slopes(&self, j: usize, direction: &Direction) -> [Big; 2] {
        let [first, second] = &direction.centred;
        [first[j].clone(), second[j].subtract(&direction.variance)]
    }

    /// ln(e^z / Σ e^z).
    pub(super) fn logs(&self) -> Vec<Jet> {
        self.jets(
            |j| self.shifted[j].subtract(&self.log_total),
            |j, direction| self.log_slopes(j, direction),
        )
    }

    /// ln Σ e^z.
    pub(super) fn log_sum(&self) -> Jet {
        let slopes = self.directions.iter().map(|direction| Slope {
            entry: direction.entry,
            first: direction.mean[0].clone(),
            second: direction.mean[1].add(&direction.variance),
        });
        Jet { value: self.largest.add(&self.log_total), slopes: slopes.collect() }
    }
}

fn total<'a>(like: &Big, terms: impl Iterator<Item = &'a Big>) -> Big {
    terms.fold(like.constant(0.0), |sum, term| sum.add(term))
}
