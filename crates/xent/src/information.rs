//! Information quantities and the functions that losses are made of.
//!
//! Logarithms are natural, so entropies are in nats. Everything is computed in wide arithmetic and
//! rounded once.

use crate::call::Evaluate;
use crate::error::{Error, Result};
use crate::family::Domain;
use crate::family::softmax::Softmax;
use crate::losses::CrossEntropyProbabilities;
use crate::number::{Element, Real};
use crate::reduce::stripes;

/// The logistic function 1 / (1 + e⁻ˣ).
///
/// ```
/// assert_eq!(xent::information::sigmoid(0.0), 0.5);
/// ```
pub fn sigmoid<T: Element>(x: T) -> T {
    T::narrow(x.widen().sigmoid())
}

/// The log-odds ln(p / (1 − p)) of a probability, of which [`sigmoid`] is the inverse: −∞ at 0, ∞ at
/// 1, and NaN outside [0, 1].
///
/// ```
/// assert_eq!(xent::information::logit(0.5), 0.0);
/// assert_eq!(xent::information::logit(0.75), 3f64.ln());
/// ```
pub fn logit<T: Element>(p: T) -> T {
    let p = p.widen();
    let half = T::Wide::constant(0.5);
    let others = T::Wide::ONE - p;
    let (less, more) = (p.if_less(half, p, others), p.if_less(half, others, p));
    // The two logarithms cancel near the middle, and the quotient overflows near the ends.
    let magnitude = less.if_less(
        T::Wide::constant(0.25),
        (-less).ln_1p() - less.ln(),
        ((more - less) / less).ln_1p(),
    );
    T::narrow(p.if_less(half, -magnitude, magnitude))
}

/// ln(1 + eˣ), which is −ln sigmoid(−x).
///
/// ```
/// assert_eq!(xent::information::softplus(-100.0f32), 3.783506e-44);
/// ```
pub fn softplus<T: Element>(x: T) -> T {
    T::narrow(x.widen().softplus())
}

/// ln Σ exp(xᵢ) of one row; −∞ for an empty row.
///
/// ```
/// assert_eq!(xent::information::log_sum_exp(&[1000.0, 1000.0]), 1000.0 + 2f64.ln());
/// ```
pub fn log_sum_exp<T: Element>(row: &[T]) -> T {
    if row.is_empty() {
        return T::LOWEST;
    }
    let softmax = Softmax::of(row, &mut vec![T::Wide::ZERO; row.len()]);
    T::narrow(softmax.log_sum_exp())
}

/// exp(xᵢ) / Σ exp(xⱼ) of one row of logits.
///
/// ```
/// assert_eq!(xent::information::softmax(&[0.0f32, 0.0, -200.0]), [0.5, 0.5, 0.0]);
/// ```
pub fn softmax<T: Element>(row: &[T]) -> Vec<T> {
    wide_softmax(row).into_iter().map(T::narrow).collect()
}

/// ln softmax of one row of logits, exact also where the softmax rounds to 0 or 1.
///
/// ```
/// assert_eq!(xent::information::log_softmax(&[0.0f32, 50.0]), [-50.0, -1.9287499e-22]);
/// ```
pub fn log_softmax<T: Element>(row: &[T]) -> Vec<T> {
    if row.is_empty() {
        return Vec::new();
    }
    let softmax = Softmax::of(row, &mut vec![T::Wide::ZERO; row.len()]);
    row.iter().map(|logit| T::narrow(softmax.score(logit.widen()))).collect()
}

/// The Jacobian ∂pᵢ/∂xⱼ = pᵢ (1[i=j] − pⱼ) of the softmax of one row: C × C, row-major, symmetric.
///
/// ```
/// assert_eq!(xent::information::softmax_jacobian(&[0.0, 0.0]), [0.25, -0.25, -0.25, 0.25]);
/// ```
pub fn softmax_jacobian<T: Element>(row: &[T]) -> Vec<T> {
    let p = wide_softmax(row);
    let mut jacobian = Vec::with_capacity(p.len() * p.len());
    for i in 0..p.len() {
        for j in 0..p.len() {
            // 1 − pᵢ as the sum of the others, which keeps the digits of a confident row.
            let entry = if i == j { p[i] * sum_of_others(&p, i) } else { -(p[i] * p[j]) };
            jacobian.push(T::narrow(entry));
        }
    }
    jacobian
}

/// The Jacobian of the softmax of one row times a vector. The Jacobian is symmetric, so this is
/// the forward and the backward product: pᵢ (vᵢ − Σ pⱼ vⱼ).
///
/// ```
/// let product = xent::information::softmax_jacobian_product(&[0.0, 0.0], &[1.0, 0.0])?;
/// assert_eq!(product, [0.25, -0.25]);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] if the vector has another length.
pub fn softmax_jacobian_product<T: Element>(row: &[T], vector: &[T]) -> Result<Vec<T>> {
    same_length("vector", row, vector)?;
    let p = wide_softmax(row);
    let product = |i: usize| {
        let terms: Vec<T::Wide> =
            p.iter().zip(vector).map(|(&p, v)| p * (vector[i].widen() - v.widen())).collect();
        T::narrow(p[i] * stripes(&terms))
    };
    Ok((0..p.len()).map(product).collect())
}

/// The entropy −Σ pᵢ ln pᵢ of a distribution, with 0·ln 0 = 0.
///
/// ```
/// assert_eq!(xent::information::entropy(&[0.5, 0.5, 0.0])?, 2f64.ln());
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::OutOfRange`] for an entry outside [0, 1].
pub fn entropy<T: Element>(p: &[T]) -> Result<f64> {
    probabilities("p", p)?;
    let terms: Vec<T::Wide> = p.iter().map(|p| -p.widen().weigh(p.widen().ln())).collect();
    Ok(T::wide_to_f64(stripes(&terms)))
}

/// The cross-entropy H(p, q) = −Σ pᵢ ln qᵢ of q relative to p.
///
/// ```
/// assert_eq!(xent::information::cross_entropy(&[1.0, 0.0], &[0.25, 0.75])?, 4f64.ln());
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for different lengths, [`Error::OutOfRange`] for an entry outside [0, 1].
pub fn cross_entropy<T: Element>(p: &[T], q: &[T]) -> Result<f64> {
    same_length("q", p, q)?;
    probabilities("p", p)?;
    probabilities("q", q)?;
    CrossEntropyProbabilities::default().on(q, crate::Targets::Values(p.into())).value()
}

/// The Kullback-Leibler divergence Σ pᵢ ln(pᵢ / qᵢ) of p from q; +∞ where q has 0 and p has not.
///
/// ```
/// assert_eq!(xent::information::kl_divergence(&[0.5, 0.5], &[0.5, 0.5])?, 0.0);
/// # Ok::<(), xent::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] for different lengths, [`Error::OutOfRange`] for an entry outside [0, 1].
pub fn kl_divergence<T: Element>(p: &[T], q: &[T]) -> Result<f64> {
    same_length("q", p, q)?;
    probabilities("p", p)?;
    probabilities("q", q)?;
    let term = |(p, q): (&T, &T)| p.widen().weigh(p.widen().ln() - q.widen().ln());
    let terms: Vec<T::Wide> = p.iter().zip(q).map(term).collect();
    Ok(T::wide_to_f64(stripes(&terms)))
}

fn wide_softmax<T: Element>(row: &[T]) -> Vec<T::Wide> {
    let mut exponentials = vec![T::Wide::ZERO; row.len()];
    if row.is_empty() {
        return exponentials;
    }
    let top = Softmax::of(row, &mut exponentials).top;
    exponentials.into_iter().map(|e| e * top).collect()
}

fn sum_of_others<R: Real>(p: &[R], left_out: usize) -> R {
    stripes(&p[..left_out]) + stripes(&p[left_out + 1..])
}

fn probabilities<T: Element>(argument: &'static str, values: &[T]) -> Result<()> {
    let legal = |value: &T| Domain::Probability.allows(value.to_f64());
    match values.iter().position(|value| !legal(value)) {
        None => Ok(()),
        Some(index) => Err(Error::OutOfRange {
            argument,
            index,
            value: values[index].to_f64(),
            range: Domain::Probability.range(),
            hint: "",
        }),
    }
}

fn same_length<T>(argument: &'static str, expected: &[T], actual: &[T]) -> Result<()> {
    if expected.len() == actual.len() {
        return Ok(());
    }
    Err(Error::Shape {
        argument,
        expected: format!("{} entries, as the other argument", expected.len()),
        actual: actual.len().to_string(),
    })
}
