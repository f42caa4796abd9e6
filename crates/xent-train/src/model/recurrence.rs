use std::sync::Arc;

use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, TensorMetadata};

use super::operation::{sizes, tensor, values, vectorised};

/// The gates, in their order in memory.
const GATES: usize = 4;

/// What the backward pass of a recurrence needs.
#[derive(Clone, Debug)]
pub(super) struct Remembered {
    /// Rows of each step; a row that ends is not among those of the next.
    active: Arc<[usize]>,
    /// The four gates of each row and step after their activation.
    gates: Arc<Vec<f32>>,
    /// The cells of each row and step, as they are and after tanh.
    cells: Arc<Vec<f32>>,
    squashed: Arc<Vec<f32>>,
    /// The output of each row and step.
    hidden: Arc<Vec<f32>>,
}

/// An LSTM over texts of different lengths, the longest first, without padding.
///
/// `inputs` are the inputs' share of the gates in the order input, forget,
/// output, candidate, `[Σ active, 4 · units]`: first those of the `active[0]`
/// rows in step 0, then those of the `active[1]` rows that go on, and so forth.
/// `weights` are `[units, 4 · units]`. Gives the last output of each row,
/// `[active[0], units]`.
pub(super) fn forward<B: Backend>(
    inputs: FloatTensor<B>,
    weights: FloatTensor<B>,
    active: &[usize],
) -> (FloatTensor<B>, Remembered) {
    let ([all, width], device) = (sizes::<B, 2>(&inputs), inputs.device());
    let units = width / GATES;
    let mut gates = values::<B>(inputs);
    let [mut cells, mut squashed, mut hidden] = [0; 3].map(|_| vec![0.0f32; all * units]);
    let zeros = vec![0.0f32; units];
    let mut first = 0;
    for (step, &rows) in active.iter().enumerate() {
        let at = first * units..(first + rows) * units;
        let gates = &mut gates[first * width..(first + rows) * width];
        let before = (step > 0).then(|| {
            let start = (first - active[step - 1]) * units;
            start..start + rows * units
        });
        if let Some(before) = before.clone() {
            let state = tensor::<B>(hidden[before].to_vec(), [rows, units], &device);
            let product = values::<B>(B::float_matmul(state, weights.clone()));
            gates.iter_mut().zip(product).for_each(|(gate, share)| *gate += share);
        }
        let (old, cells) = cells.split_at_mut(at.start);
        let old = before.map(|before| &old[before]);
        let (squashed, hidden) = (&mut squashed[at.clone()], &mut hidden[at]);
        vectorised(
            #[inline(always)]
            || {
                for (row, gates) in gates.chunks_exact_mut(width).enumerate() {
                    let at = row * units..(row + 1) * units;
                    let old = old.map_or(&*zeros, |old| &old[at.clone()]);
                    let hidden = &mut hidden[at.clone()];
                    activate(gates, old, &mut cells[at.clone()], &mut squashed[at], hidden);
                }
            },
        );
        first += rows;
    }
    let last = tensor::<B>(last_outputs(&hidden, active, units), [active[0], units], &device);
    let [gates, cells, squashed, hidden] = [gates, cells, squashed, hidden].map(Arc::new);
    (last, Remembered { active: active.into(), gates, cells, squashed, hidden })
}

/// The gradients of inputs and weights.
pub(super) fn backward<B: Backend>(
    upstream: FloatTensor<B>,
    weights: FloatTensor<B>,
    remembered: Remembered,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let ([units, width], device) = (sizes::<B, 2>(&weights), upstream.device());
    let Remembered { active, gates, cells, squashed, hidden } = remembered;
    let last = values::<B>(upstream);
    let transposed = B::float_transpose(weights);
    let mut slopes = vec![0.0f32; gates.len()];
    let zeros = vec![0.0f32; units];
    // The gradients of output and cell of the rows of the step at hand.
    let (mut of_output, mut of_cell) = (Vec::new(), Vec::new());
    let mut first = gates.len() / width;
    for (step, &rows) in active.iter().enumerate().rev() {
        first -= rows;
        // The rows that end here have their gradient from above.
        of_output.extend_from_slice(&last[of_output.len()..rows * units]);
        of_cell.resize(rows * units, 0.0);
        let before = (step > 0).then(|| (first - active[step - 1]) * units);
        vectorised(
            #[inline(always)]
            || {
                for row in 0..rows {
                    let gates = &gates[(first + row) * width..][..width];
                    let slopes = &mut slopes[(first + row) * width..][..width];
                    let squashed = &squashed[(first + row) * units..][..units];
                    let old =
                        before.map_or(&*zeros, |before| &cells[before + row * units..][..units]);
                    let of_output = &of_output[row * units..][..units];
                    let of_cell = &mut of_cell[row * units..][..units];
                    differentiate(gates, old, squashed, of_output, of_cell, slopes);
                }
            },
        );
        if step > 0 {
            let here = slopes[first * width..(first + rows) * width].to_vec();
            let here = tensor::<B>(here, [rows, width], &device);
            of_output = values::<B>(B::float_matmul(here, transposed.clone()));
        }
    }
    let of_weights = weight_gradient::<B>(&hidden, &slopes, &active, units, &device);
    let all = slopes.len() / width;
    (tensor::<B>(slopes, [all, width], &device), of_weights)
}

/// From the sums of a row's gates to its output.
#[inline(always)]
fn activate(
    gates: &mut [f32],
    old: &[f32],
    cells: &mut [f32],
    squashed: &mut [f32],
    hidden: &mut [f32],
) {
    let units = old.len();
    let (sigmoids, candidates) = gates.split_at_mut(3 * units);
    for gate in &mut *sigmoids {
        *gate = sigmoid(*gate);
    }
    for gate in &mut *candidates {
        *gate = tanh(*gate);
    }
    let [input, forget, output, candidate] = each_gate(gates, units);
    let (cells, squashed, hidden) =
        (&mut cells[..units], &mut squashed[..units], &mut hidden[..units]);
    for unit in 0..units {
        let cell = input[unit] * candidate[unit] + forget[unit] * old[unit];
        cells[unit] = cell;
        squashed[unit] = tanh(cell);
        hidden[unit] = output[unit] * squashed[unit];
    }
}

/// From the slopes of a row's output and cell to those of its gates, and of the cell before.
#[inline(always)]
fn differentiate(
    gates: &[f32],
    old: &[f32],
    squashed: &[f32],
    of_output: &[f32],
    of_cell: &mut [f32],
    slopes: &mut [f32],
) {
    let units = old.len();
    let [input, forget, output, candidate] = each_gate(gates, units);
    let (squashed, of_output, of_cell) =
        (&squashed[..units], &of_output[..units], &mut of_cell[..units]);
    let (of_input, rest) = slopes.split_at_mut(units);
    let (of_forget, rest) = rest.split_at_mut(units);
    let (of_gate, of_candidate) = rest.split_at_mut(units);
    let of_candidate = &mut of_candidate[..units];
    for unit in 0..units {
        let [input, forget, output, candidate] =
            [input[unit], forget[unit], output[unit], candidate[unit]];
        let (value, slope) = (squashed[unit], of_output[unit]);
        let cell = of_cell[unit] + slope * output * (1.0 - value * value);
        of_input[unit] = cell * candidate * input * (1.0 - input);
        of_forget[unit] = cell * old[unit] * forget * (1.0 - forget);
        of_gate[unit] = slope * value * output * (1.0 - output);
        of_candidate[unit] = cell * input * (1.0 - candidate * candidate);
        of_cell[unit] = cell * forget;
    }
}

/// One product over all steps: what each row had put out before, by the slopes
/// of its gates.
fn weight_gradient<B: Backend>(
    hidden: &[f32],
    slopes: &[f32],
    active: &[usize],
    units: usize,
    device: &burn::backend::tensor::Device<B>,
) -> FloatTensor<B> {
    let width = GATES * units;
    let behind = slopes.len() / width - active[0];
    if behind == 0 {
        return tensor::<B>(vec![0.0; units * width], [units, width], device);
    }
    let mut before = Vec::with_capacity(behind * units);
    let mut first = 0;
    for pair in active.windows(2) {
        before.extend_from_slice(&hidden[first * units..(first + pair[1]) * units]);
        first += pair[0];
    }
    let before = B::float_transpose(tensor::<B>(before, [behind, units], device));
    let slopes = slopes[active[0] * width..].to_vec();
    B::float_matmul(before, tensor::<B>(slopes, [behind, width], device))
}

/// The output of each row in its last step.
fn last_outputs(hidden: &[f32], active: &[usize], units: usize) -> Vec<f32> {
    let mut last = vec![0.0; active[0] * units];
    let mut first = 0;
    for &rows in active {
        last[..rows * units].copy_from_slice(&hidden[first * units..(first + rows) * units]);
        first += rows;
    }
    last
}

#[inline(always)]
fn each_gate(gates: &[f32], units: usize) -> [&[f32]; GATES] {
    std::array::from_fn(|gate| &gates[gate * units..(gate + 1) * units])
}

#[inline(always)]
fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[inline(always)]
fn tanh(x: f32) -> f32 {
    2.0 * sigmoid(2.0 * x) - 1.0
}

/// eˣ to about 2 units in the last place, between e⁻⁸⁷ and e⁸⁸. Unlike the
/// function of the standard library it has no branches, so that the compiler
/// computes several at once.
#[inline(always)]
fn exp(x: f32) -> f32 {
    // Adding 1.5·2²³ rounds to a whole number, which then stands in the last bits.
    const ROUND: f32 = 12_582_912.0;
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let x = x.clamp(-87.0, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let power = rounded - ROUND;
    let rest = x - power * LN_2_HIGH - power * LN_2_LOW;
    let terms = [1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0];
    let polynomial = terms.into_iter().fold(0.0, |sum, term| sum * rest + term);
    let exponent = rounded.to_bits().wrapping_sub(ROUND.to_bits()).wrapping_add(127);
    polynomial * f32::from_bits(exponent << 23)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_are_those_of_the_standard_library() {
        for step in -4000..4000 {
            let x = step as f32 * 0.02;
            let close = |actual: f32, expected: f64| {
                let error = (f64::from(actual) - expected).abs();
                assert!(
                    error <= 4e-7 * expected.abs().max(1e-30),
                    "{x}: {actual} is not {expected}"
                );
            };
            close(exp(x), f64::from(x).exp());
            close(sigmoid(x), 1.0 / (1.0 + (-f64::from(x)).exp()));
            let error = f64::from(tanh(x)) - f64::from(x).tanh();
            assert!(error.abs() <= 3e-7, "tanh {x}");
        }
        assert_eq!((sigmoid(1e9), sigmoid(-1e9) < 1e-37, tanh(1e9)), (1.0, true, 1.0));
    }
}
