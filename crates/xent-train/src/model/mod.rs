//! Models: from a batch of inputs to a row of outputs each.

mod cnn;
mod convolution;
mod initial;
mod lstm;
mod mlp;
mod operation;
mod recurrence;

use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use rand::RngExt as _;
use rand::rngs::ChaCha8Rng;
use serde::{Deserialize, Serialize};

pub use cnn::Cnn;
pub use lstm::Lstm;
pub use mlp::Mlp;

use crate::data::{Augmentation, Inputs, Shape};
pub(crate) use operation::vectorised;

/// A differentiable function with parameters that training adjusts.
pub trait Model: Module {
    /// Maps inputs to outputs, of shape `[rows, outputs]`, before any activation
    /// that the loss asks for. While training, `random` decides which units drop
    /// out; without it none do.
    fn forward(&self, batch: Batch, random: Option<&mut ChaCha8Rng>) -> Tensor<2>;

    /// How many numbers training adjusts.
    fn parameters(&self) -> usize {
        self.num_params()
    }
}

/// Inputs of a model, some rows of them.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one batch at a time")]
pub enum Batch {
    /// Features, of shape `[rows, columns]`.
    Features(Tensor<2>),
    /// Images, of shape `[rows, channels, height, width]`.
    Images(Tensor<4>),
    /// Texts.
    Tokens(Tokens),
}

/// Texts as tokens, without padding: first the first token of each text, the
/// longest text first, then the second of each text that has one, and so forth.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Indices into the vocabulary.
    pub indices: Tensor<1, Int>,
    /// The same with each text from its end to its start.
    pub reversed: Tensor<1, Int>,
    /// How many texts have a first token, a second, and so forth.
    pub active: Vec<usize>,
    /// For each row of the batch the place of its text in this order.
    pub places: Tensor<1, Int>,
}

impl Batch {
    /// Some rows of `inputs`, looked at by chance while training.
    ///
    /// # Panics
    /// If a row is not below the number of rows.
    pub fn new(
        inputs: &Inputs,
        rows: &[usize],
        device: &Device,
        augmentation: Option<(Augmentation, &mut ChaCha8Rng)>,
    ) -> Self {
        match inputs {
            Inputs::Features { values, columns } => {
                let mut features = Vec::with_capacity(rows.len() * columns);
                for row in rows {
                    features.extend_from_slice(&values[row * columns..][..*columns]);
                }
                let features = TensorData::new(features, [rows.len(), *columns]);
                Self::Features(Tensor::from_data(features, device))
            }
            Inputs::Images(images, scale) => {
                let [channels, height, width] = images.shape();
                let numbers = scale.encode(images, rows, augmentation);
                let numbers = TensorData::new(numbers, [rows.len(), channels, height, width]);
                Self::Images(Tensor::from_data(numbers, device))
            }
            Inputs::Tokens { rows: texts, .. } => {
                let texts: Vec<&[u32]> = rows.iter().map(|&row| texts[row].as_slice()).collect();
                Self::Tokens(Tokens::new(&texts, device))
            }
        }
    }

    /// A row of numbers for each input: images are read channel after channel.
    fn flat(self) -> Tensor<2> {
        match self {
            Self::Features(features) => features,
            Self::Images(images) => images.flatten(1, 3),
            Self::Tokens(_) => unreachable!("an architecture is checked before it is built"),
        }
    }
}

impl Tokens {
    fn new(texts: &[&[u32]], device: &Device) -> Self {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|&row| std::cmp::Reverse(texts[row].len()));
        let steps = order.first().map_or(0, |&row| texts[row].len());
        let active: Vec<usize> =
            (0..steps).map(|step| order.partition_point(|&row| texts[row].len() > step)).collect();
        let tensor = |indices: Vec<i32>| {
            let shape = [indices.len()];
            Tensor::<1, Int>::from_data(TensorData::new(indices, shape), device)
        };
        let packed = |token: &dyn Fn(&[u32], usize) -> u32| {
            let rows = |step: usize| order[..active[step]].iter().map(move |&row| (row, step));
            let tokens = (0..steps).flat_map(rows);
            tensor(tokens.map(|(row, step)| token(texts[row], step) as i32).collect())
        };
        let mut places = vec![0; texts.len()];
        order.iter().enumerate().for_each(|(place, &row)| places[row] = place as i32);
        Self {
            indices: packed(&|text, step| text[step]),
            reversed: packed(&|text, step| text[text.len() - 1 - step]),
            places: tensor(places),
            active,
        }
    }
}

/// The shape of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "model", rename_all = "lowercase")]
pub enum Architecture {
    /// A weighted sum of the features.
    Linear,
    /// Fully connected hidden layers with ReLU between them.
    Mlp {
        /// Units of each hidden layer.
        hidden: Vec<usize>,
    },
    /// Convolutions of 3×3, each with ReLU and the largest of 2×2, then fully
    /// connected layers.
    Cnn {
        /// Channels of each convolution.
        channels: Vec<usize>,
        /// Units of each hidden layer behind the convolutions.
        hidden: Vec<usize>,
    },
    /// An embedding of tokens, an LSTM over them, a fully connected layer on
    /// its last state.
    Lstm {
        /// Numbers that stand for a token.
        embedding: usize,
        /// Units of the LSTM.
        units: usize,
        /// Whether a second LSTM reads the text from its end.
        bidirectional: bool,
    },
}

impl Architecture {
    /// The one that is usual for inputs of this shape.
    pub fn usual(shape: Shape) -> Self {
        match shape {
            Shape::Features(_) => Self::Mlp { hidden: vec![128] },
            Shape::Image(_) => Self::Cnn { channels: vec![32], hidden: Vec::new() },
            Shape::Tokens(_) => Self::Lstm { embedding: 64, units: 64, bidirectional: false },
        }
    }

    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Linear => "linear",
            Self::Mlp { .. } => "mlp",
            Self::Cnn { .. } => "cnn",
            Self::Lstm { .. } => "lstm",
        }
    }

    /// Whether it takes inputs of this shape.
    pub fn takes(&self, shape: Shape) -> bool {
        match shape {
            Shape::Features(_) => matches!(self, Self::Linear | Self::Mlp { .. }),
            Shape::Image(_) => !matches!(self, Self::Lstm { .. }),
            Shape::Tokens(_) => matches!(self, Self::Lstm { .. }),
        }
    }

    /// Whether each of its layers has units.
    pub fn has_units(&self) -> bool {
        match self {
            Self::Linear => true,
            Self::Mlp { hidden } => !hidden.contains(&0),
            Self::Cnn { channels, hidden } => !channels.contains(&0) && !hidden.contains(&0),
            Self::Lstm { embedding, units, .. } => *embedding > 0 && *units > 0,
        }
    }
}

/// A model of any architecture.
#[derive(Module, Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one model at a time")]
pub enum Network {
    /// Fully connected layers.
    Mlp(Mlp),
    /// Convolutions.
    Cnn(Cnn),
    /// A recurrent network.
    Lstm(Lstm),
}

impl Network {
    /// A model with weights drawn by `seed`, of which the share `dropout` of the
    /// hidden units drops out in each step of training.
    ///
    /// # Panics
    /// If the architecture does not take inputs of this shape.
    pub fn new(
        architecture: &Architecture,
        shape: Shape,
        outputs: usize,
        dropout: f64,
        seed: u64,
    ) -> Self {
        assert!(architecture.takes(shape), "{} takes no {shape:?}", architecture.name());
        let inputs = match shape {
            Shape::Features(columns) | Shape::Tokens(columns) => columns,
            Shape::Image(shape) => shape.iter().product(),
        };
        match (architecture, shape) {
            (Architecture::Mlp { hidden }, _) => {
                Self::Mlp(Mlp::new(inputs, hidden, outputs, seed).with_dropout(dropout))
            }
            (Architecture::Cnn { channels, hidden }, Shape::Image(shape)) => {
                Self::Cnn(Cnn::new(shape, channels, hidden, outputs, dropout, seed))
            }
            (&Architecture::Lstm { embedding, units, bidirectional }, _) => {
                let sizes = [inputs, embedding, units, outputs];
                Self::Lstm(Lstm::new(sizes, bidirectional, dropout, seed))
            }
            _ => Self::Mlp(Mlp::new(inputs, &[], outputs, seed)),
        }
    }
}

impl Model for Network {
    fn forward(&self, batch: Batch, random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
        match self {
            Self::Mlp(model) => model.forward(batch, random),
            Self::Cnn(model) => model.forward(batch, random),
            Self::Lstm(model) => model.forward(batch, random),
        }
    }
}

/// Where models live and are trained.
pub(crate) fn device() -> Device {
    Device::flex().autodiff()
}

/// `units` of which a share of `rate` is 0 and the others are larger for it,
/// so that their sum stays what it is on average.
fn drop_out(units: Tensor<2>, rate: f64, random: Option<&mut ChaCha8Rng>) -> Tensor<2> {
    let Some(random) = random.filter(|_| rate > 0.0) else { return units };
    // Burn's own dropout draws from a generator of the whole process, so that
    // a run that is resumed would see other units drop out.
    let (kept, shape) = ((1.0 / (1.0 - rate)) as f32, units.dims());
    let mask = (0..shape.iter().product())
        .map(|_| if random.random::<f32>() < rate as f32 { 0.0 } else { kept });
    let mask = TensorData::new(mask.collect::<Vec<f32>>(), shape);
    let mask = Tensor::from_data(mask, &units.device());
    units * mask
}

/// The numbers of a tensor, row-major: its own memory if it is the only owner, else a copy.
pub(crate) fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec_as().expect("floats convert to f32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    #[test]
    fn texts_are_packed_the_longest_first_in_both_directions() {
        let texts: [&[u32]; 3] = [&[8], &[5, 6, 7], &[2, 3]];
        let tokens = Tokens::new(&texts, &device());
        let values = |tensor: Tensor<1, Int>| tensor.into_data().try_into_vec_as::<i64>().unwrap();
        assert_eq!(values(tokens.indices), [5, 2, 8, 6, 3, 7]);
        assert_eq!(values(tokens.reversed), [7, 3, 8, 6, 2, 5]);
        assert_eq!(values(tokens.places), [2, 0, 1]);
        assert_eq!(tokens.active, [3, 2, 1]);
    }

    #[test]
    fn dropout_keeps_the_mean_and_nothing_drops_out_without_chance() {
        let units = Tensor::<2>::ones([100, 100], &device());
        let mut random = ChaCha8Rng::seed_from_u64(1);
        let dropped = drop_out(units.clone(), 0.25, Some(&mut random));
        let values: Vec<f32> = dropped.into_data().try_into_vec().unwrap();
        assert!(values.iter().all(|&v| v == 0.0 || v == (4.0 / 3.0) as f32));
        let mean = values.iter().sum::<f32>() / 1e4;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
        let same: Vec<f32> = drop_out(units, 0.25, None).into_data().try_into_vec().unwrap();
        assert!(same.iter().all(|&value| value == 1.0));
    }

    #[test]
    fn usual_architectures_take_their_inputs_and_others_do_not() {
        let shapes = [Shape::Features(3), Shape::Image([1, 4, 4]), Shape::Tokens(9)];
        for (index, shape) in shapes.into_iter().enumerate() {
            let architecture = Architecture::usual(shape);
            let taken = shapes.map(|shape| architecture.takes(shape));
            assert!(taken[index] && architecture.has_units());
            let json = serde_json::to_string(&architecture).unwrap();
            assert_eq!(serde_json::from_str::<Architecture>(&json).unwrap(), architecture);
        }
        assert!(!Architecture::Mlp { hidden: vec![4] }.takes(shapes[2]));
        assert!(!Architecture::Mlp { hidden: vec![4, 0] }.has_units());
    }
}
