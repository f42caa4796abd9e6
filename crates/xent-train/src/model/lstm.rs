use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::activation::{sigmoid, tanh};
use burn::tensor::module::embedding;
use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;

use super::initial::Initial;
use super::{Batch, Model, Tokens, drop_out};

/// An embedding of tokens, an LSTM over them and a fully connected layer on its
/// state behind the last token.
#[derive(Module, Debug)]
pub struct Lstm {
    embedding: Param<Tensor<2>>,
    forwards: Recurrence,
    backwards: Option<Recurrence>,
    dense: Linear,
    dropout: f64,
}

/// The weights of an LSTM, of its gates in the order input, forget, output,
/// candidate.
#[derive(Module, Debug)]
struct Recurrence {
    /// Of shape `[embedding, 4 · units]`.
    input: Linear,
    /// Of shape `[units, 4 · units]`.
    state: Param<Tensor<2>>,
}

impl Lstm {
    /// A model for `[vocabulary, embedding, units, outputs]`. A second LSTM, if
    /// it is `bidirectional`, reads from the end. Weights are uniform in
    /// ±1/√units, those of the embedding in ±0.1; the forget gates start open.
    /// The same seed gives the same bits.
    pub fn new(
        [vocabulary, embedding, units, outputs]: [usize; 4],
        bidirectional: bool,
        dropout: f64,
        seed: u64,
    ) -> Self {
        let mut initial = Initial::new(seed);
        let table = initial.uniform([vocabulary, embedding], 0.1);
        let forwards = Recurrence::new(embedding, units, &mut initial);
        let backwards = bidirectional.then(|| Recurrence::new(embedding, units, &mut initial));
        let read = if bidirectional { 2 * units } else { units };
        let dense = initial.linear(read, outputs);
        Self { embedding: table, forwards, backwards, dense, dropout }
    }

    /// The state behind the last token of each text, of shape `[rows, units]`.
    fn read(
        &self,
        recurrence: &Recurrence,
        indices: Tensor<2, Int>,
        lengths: &[usize],
        random: Option<&mut ChaCha8Rng>,
    ) -> Tensor<2> {
        let [rows, steps] = indices.dims();
        // Step after step, so that each step is one piece of memory.
        let indices = indices.swap_dims(0, 1);
        let embedded = embedding(self.embedding.val(), indices);
        let width = embedded.dims()[2];
        let embedded = drop_out(embedded.reshape([steps * rows, width]), self.dropout, random);
        recurrence.last_states(embedded, [steps, rows], lengths)
    }
}

impl Model for Lstm {
    fn forward(&self, batch: Batch, mut random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Batch::Tokens(Tokens { indices, reversed, lengths }) = batch else {
            unreachable!("an architecture is checked before it is built")
        };
        let mut state = self.read(&self.forwards, indices, &lengths, random.as_deref_mut());
        if let Some(backwards) = &self.backwards {
            let other = self.read(backwards, reversed, &lengths, random.as_deref_mut());
            state = Tensor::cat(vec![state, other], 1);
        }
        self.dense.forward(drop_out(state, self.dropout, random))
    }
}

impl Recurrence {
    fn new(embedding: usize, units: usize, initial: &mut Initial) -> Self {
        let bound = 1.0 / (units as f32).sqrt();
        let gates = 4 * units;
        let bias = [0.0, 1.0, 0.0, 0.0].map(|value| vec![value; units]).concat();
        let bias = TensorData::new(bias, [gates]);
        Self {
            input: Linear {
                weight: initial.uniform([embedding, gates], bound),
                bias: Some(Param::from_data(bias, &super::device())),
            },
            state: initial.uniform([units, gates], bound),
        }
    }

    /// The states after `lengths` steps of each row. `inputs` are step after
    /// step, `[steps · rows, embedding]`. What follows the end of a row has no
    /// part in it: it is picked before that.
    fn last_states(
        &self,
        inputs: Tensor<2>,
        [steps, rows]: [usize; 2],
        lengths: &[usize],
    ) -> Tensor<2> {
        let units = self.state.dims()[0];
        // One product for the inputs of all steps.
        let inputs = self.input.forward(inputs);
        let state = self.state.val();
        let mut hidden: Option<Tensor<2>> = None;
        let mut cell: Option<Tensor<2>> = None;
        let mut states = Vec::with_capacity(steps);
        for step in 0..steps {
            let input = inputs.clone().narrow(0, step * rows, rows);
            let gates = match hidden {
                Some(hidden) => input + hidden.matmul(state.clone()),
                None => input,
            };
            let open = sigmoid(gates.clone().narrow(1, 0, 3 * units));
            let gate = |index: usize| open.clone().narrow(1, index * units, units);
            let candidate = tanh(gates.narrow(1, 3 * units, units));
            let written = gate(0) * candidate;
            let new = match cell {
                Some(cell) => gate(1) * cell + written,
                None => written,
            };
            let output = gate(2) * tanh(new.clone());
            states.push(output.clone());
            (hidden, cell) = (Some(output), Some(new));
        }
        let device = inputs.device();
        let last: Vec<i32> = lengths
            .iter()
            .enumerate()
            .map(|(row, length)| ((length - 1) * rows + row) as i32)
            .collect();
        let last = Tensor::<1, Int>::from_data(TensorData::new(last, [rows]), &device);
        Tensor::cat(states, 0).select(0, last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::device;

    fn outputs(model: &Lstm, texts: &[&[u32]]) -> Vec<f32> {
        let batch = Batch::Tokens(Tokens::new(texts, &device()));
        model.forward(batch, None).into_data().try_into_vec().unwrap()
    }

    #[test]
    fn parameters_are_counted() {
        let one = |embedding: usize, units: usize| 4 * units * (embedding + units + 1);
        let model = Lstm::new([50, 6, 5, 3], false, 0.0, 1);
        assert_eq!(model.parameters(), 50 * 6 + one(6, 5) + (5 + 1) * 3);
        let model = Lstm::new([50, 6, 5, 3], true, 0.0, 1);
        assert_eq!(model.parameters(), 50 * 6 + 2 * one(6, 5) + (10 + 1) * 3);
    }

    #[test]
    fn padding_changes_nothing() {
        for bidirectional in [false, true] {
            let model = Lstm::new([50, 6, 5, 1], bidirectional, 0.0, 1);
            let (short, long): (&[u32], &[u32]) = (&[7, 8], &[3, 4, 5, 6, 7, 8, 9]);
            let alone = outputs(&model, &[short]);
            let padded = outputs(&model, &[short, long]);
            assert!((alone[0] - padded[0]).abs() <= 2.0 * f32::EPSILON, "{alone:?} {padded:?}");
            assert_ne!(padded[0], padded[1]);
        }
    }

    #[test]
    fn the_order_of_words_matters() {
        let model = Lstm::new([50, 6, 5, 1], false, 0.0, 1);
        let outputs = outputs(&model, &[&[7, 8], &[8, 7]]);
        assert_ne!(outputs[0], outputs[1]);
    }

    #[test]
    fn an_lstm_by_hand() {
        let model = Lstm::new([4, 1, 1, 1], false, 0.0, 3);
        let value = |tensor: Tensor<2>| -> Vec<f64> {
            tensor.into_data().try_into_vec_as::<f32>().unwrap().iter().map(|&v| v.into()).collect()
        };
        let table = value(model.embedding.val());
        let input = value(model.forwards.input.weight.val());
        let state = value(model.forwards.state.val());
        let bias = [0.0, 1.0, 0.0, 0.0];
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        let (mut hidden, mut cell) = (0.0, 0.0);
        for token in [2, 3, 1] {
            let gate =
                |index: usize| input[index] * table[token] + state[index] * hidden + bias[index];
            cell = sigmoid(gate(1)) * cell + sigmoid(gate(0)) * gate(3).tanh();
            hidden = sigmoid(gate(2)) * f64::tanh(cell);
        }
        let tokens = Tokens::new(&[&[2, 3, 1]], &device());
        let actual = value(model.read(&model.forwards, tokens.indices, &[3], None))[0];
        assert!((actual - hidden).abs() < 1e-6, "{actual} is not {hidden}");
    }
}
