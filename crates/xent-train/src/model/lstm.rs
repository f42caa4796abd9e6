use burn::backend::Dispatch;
use burn::module::{Module, Param};
use burn::nn::Linear;
use burn::tensor::{Int, Tensor, TensorData};
use rand::rngs::ChaCha8Rng;

use super::initial::Initial;
use super::operation::Operations as _;
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
        indices: Tensor<1, Int>,
        active: &[usize],
        random: Option<&mut ChaCha8Rng>,
    ) -> Tensor<2> {
        let embedded = drop_out(self.embedding.val().select(0, indices), self.dropout, random);
        // One product for the inputs of all steps.
        let inputs = recurrence.input.forward(embedded);
        let (inputs, state) = (inputs.into_dispatch(), recurrence.state.val().into_dispatch());
        Tensor::from_dispatch(Dispatch::recurrence(inputs, state, active))
    }
}

impl Model for Lstm {
    fn forward(&self, batch: Batch, mut random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        let Batch::Tokens(Tokens { indices, reversed, active, places }) = batch else {
            unreachable!("an architecture is checked before it is built")
        };
        let mut state = self.read(&self.forwards, indices, &active, random.as_deref_mut());
        if let Some(backwards) = &self.backwards {
            let other = self.read(backwards, reversed, &active, random.as_deref_mut());
            state = Tensor::cat(vec![state, other], 1);
        }
        self.dense.forward(drop_out(state.select(0, places), self.dropout, random))
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
    fn other_texts_of_the_batch_change_nothing() {
        for bidirectional in [false, true] {
            let model = Lstm::new([50, 6, 5, 1], bidirectional, 0.0, 1);
            let (short, long): (&[u32], &[u32]) = (&[7, 8], &[3, 4, 5, 6, 7, 8, 9]);
            let alone = outputs(&model, &[short]);
            let together = outputs(&model, &[short, long]);
            assert!((alone[0] - together[0]).abs() <= 2.0 * f32::EPSILON, "{alone:?} {together:?}");
            assert_ne!(together[0], together[1]);
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
        let actual = value(model.read(&model.forwards, tokens.indices, &[1, 1, 1], None))[0];
        assert!((actual - hidden).abs() < 1e-6, "{actual} is not {hidden}");
    }

    /// The slope of the sum of the outputs along a parameter, by differences.
    #[test]
    fn gradients_are_those_of_differences() {
        let model = Lstm::new([9, 3, 4, 2], true, 0.0, 5);
        let texts: [&[u32]; 3] = [&[2], &[3, 4, 5, 6], &[7, 8]];
        let sum = |model: &Lstm| {
            let batch = Batch::Tokens(Tokens::new(&texts, &device()));
            let outputs = model.forward(batch, None);
            outputs.clone().mul(outputs).sum()
        };
        let gradients = sum(&model).backward();
        let check = |values: Vec<f32>, set: &dyn Fn(Vec<f32>) -> Lstm, gradient: Vec<f32>| {
            for index in 0..values.len() {
                let at = |step: f32| -> f32 {
                    let mut moved = values.clone();
                    moved[index] += step;
                    sum(&set(moved)).into_scalar()
                };
                let slope = (at(0.01) - at(-0.01)) / 0.02;
                let error = (slope - gradient[index]).abs();
                assert!(error <= 2e-3 * slope.abs() + 2e-4, "{slope} is not {}", gradient[index]);
            }
        };
        let host = |tensor: Tensor<2>| tensor.into_data().try_into_vec::<f32>().unwrap();
        let with = |shape: [usize; 2], values: Vec<f32>| {
            Param::from_data(TensorData::new(values, shape), &device())
        };
        let state = model.forwards.state.val();
        check(
            host(state.clone()),
            &|values| {
                let mut model = model.clone();
                model.forwards.state = with([4, 16], values);
                model
            },
            host(state.grad(&gradients).unwrap()),
        );
        let embedding = model.embedding.val();
        check(
            host(embedding.clone()),
            &|values| Lstm { embedding: with([9, 3], values), ..model.clone() },
            host(embedding.grad(&gradients).unwrap()),
        );
    }
}
