use serde::{Deserialize, Serialize};

use super::target::number;
use super::{
    Columns, Dataset, Images, Notice, PixelScale, Table, Target, Targets, Task, Vocabulary,
};
use crate::error::{DataError, DataProblem};

/// Turns data into numbers for a model, in a way fitted to the training rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Encoder {
    inputs: InputEncoder,
    target: Target,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum InputEncoder {
    Columns(Columns),
    Text(Vocabulary),
    Images(PixelScale),
}

/// What a model is given for each row, without the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// So many numbers.
    Features(usize),
    /// So many channels, lines and columns of pixels.
    Image([usize; 3]),
    /// Tokens of a vocabulary of this size.
    Tokens(usize),
}

/// Rows as numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// What the model is given.
    pub inputs: Inputs,
    /// What it should say, one per row.
    pub targets: Targets,
    /// How much each row counts; the same if `None`.
    pub weights: Option<Vec<f32>>,
}

/// What a model is given.
#[derive(Clone, Debug, PartialEq)]
pub enum Inputs {
    /// Numbers, `columns` per row, row after row.
    Features {
        /// The numbers.
        values: Vec<f32>,
        /// How many a row has, at least 1.
        columns: usize,
    },
    /// Images, and how their pixels become numbers.
    Images(Images, PixelScale),
    /// For each row its tokens, at least one.
    Tokens {
        /// Indices into the vocabulary.
        rows: Vec<Vec<u32>>,
        /// Size of the vocabulary.
        vocabulary: usize,
    },
}

impl Encoded {
    /// The rows at these indices (from 0), in that order.
    ///
    /// # Panics
    /// If an index is not below the number of rows.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            inputs: self.inputs.select(rows),
            targets: self.targets.select(rows),
            weights: self.weights.as_ref().map(|weights| at(weights, rows)),
        }
    }
}

/// The entries at these indices.
pub(super) fn at<T: Clone>(entries: &[T], rows: &[usize]) -> Vec<T> {
    rows.iter().map(|&row| entries[row].clone()).collect()
}

impl Inputs {
    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Features { values, columns } => Self::Features {
                values: rows
                    .iter()
                    .flat_map(|row| &values[row * columns..][..*columns])
                    .copied()
                    .collect(),
                columns: *columns,
            },
            Self::Images(images, scale) => Self::Images(images.select(rows), scale.clone()),
            Self::Tokens { rows: texts, vocabulary } => {
                Self::Tokens { rows: at(texts, rows), vocabulary: *vocabulary }
            }
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Features { values, columns } => values.len() / columns,
            Self::Images(images, _) => images.len(),
            Self::Tokens { rows, .. } => rows.len(),
        }
    }

    /// What a row is.
    pub fn shape(&self) -> Shape {
        match self {
            Self::Features { columns, .. } => Shape::Features(*columns),
            Self::Images(images, _) => Shape::Image(images.shape()),
            Self::Tokens { vocabulary, .. } => Shape::Tokens(*vocabulary),
        }
    }
}

impl Encoder {
    /// Fits to the training rows, and says what is left out: columns that never
    /// vary, and text columns that identify rows.
    ///
    /// # Errors
    /// No such target; a target that is missing in a row, has one value only,
    /// does not fit the task, or nearly as many labels as rows; no feature left;
    /// numbers too large for a standard deviation.
    pub fn fit(train: &Dataset, task: Task) -> Result<(Self, Vec<Notice>), DataError> {
        let (table, column) = (train.table(), train.target());
        let target = Target::fit(table, column, task)?;
        let (inputs, notices) = match (train.images(), train.text()) {
            (Some(images), _) => (InputEncoder::Images(PixelScale::fit(images)), Vec::new()),
            (None, Some(text)) => {
                (InputEncoder::Text(Vocabulary::fit(table, text, train.most_tokens())?), Vec::new())
            }
            (None, None) => {
                let is_other = |name: &str| name == column || Some(name) == train.weight();
                let (columns, notices) = Columns::fit(table, is_other)?;
                (InputEncoder::Columns(columns), notices)
            }
        };
        Ok((Self { inputs, target }, notices))
    }

    /// The predicted column.
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// What a model is given for each row.
    pub fn shape(&self) -> Shape {
        match &self.inputs {
            InputEncoder::Columns(columns) => Shape::Features(columns.width()),
            InputEncoder::Text(vocabulary) => Shape::Tokens(vocabulary.size()),
            InputEncoder::Images(scale) => Shape::Image(scale.shape()),
        }
    }

    /// How columns become features, if the data is a table of features.
    pub fn columns(&self) -> Option<&Columns> {
        match &self.inputs {
            InputEncoder::Columns(columns) => Some(columns),
            _ => None,
        }
    }

    /// How texts become tokens, if the data is texts.
    pub fn vocabulary(&self) -> Option<&Vocabulary> {
        match &self.inputs {
            InputEncoder::Text(vocabulary) => Some(vocabulary),
            _ => None,
        }
    }

    /// Encodes inputs, targets and weights.
    ///
    /// # Errors
    /// A column of training is not there; text where training had numbers; a
    /// target that is missing or a label unseen in training; images of another
    /// size; a weight that is no number of 0 or more.
    pub fn encode(&self, data: &Dataset) -> Result<Encoded, DataError> {
        let targets = self.target.encode(data.table())?;
        let weights = data.weight().map(|column| weights(data.table(), column)).transpose()?;
        Ok(Encoded { targets, weights, ..self.encode_inputs(data)? })
    }

    /// Encodes inputs only; the data need not have the target.
    ///
    /// # Errors
    /// As [`Encoder::encode`], save those of the target and the weights.
    pub fn encode_inputs(&self, data: &Dataset) -> Result<Encoded, DataError> {
        let table = data.table();
        let inputs = match &self.inputs {
            InputEncoder::Columns(columns) => {
                Inputs::Features { values: columns.encode(table)?, columns: columns.width() }
            }
            InputEncoder::Text(vocabulary) => {
                Inputs::Tokens { rows: vocabulary.encode(table)?, vocabulary: vocabulary.size() }
            }
            InputEncoder::Images(scale) => match data.images() {
                Some(images) if images.shape() == scale.shape() => {
                    Inputs::Images(images.clone(), scale.clone())
                }
                _ => return Err(table.error(DataProblem::NotImages(scale.shape()))),
            },
        };
        Ok(Encoded { inputs, targets: Targets::Unknown, weights: None })
    }

    /// How missing values and unseen categories are handled, and how many there
    /// are.
    ///
    /// # Errors
    /// A column of training is not there.
    pub fn notices(&self, data: &Dataset) -> Result<Vec<Notice>, DataError> {
        match &self.inputs {
            InputEncoder::Columns(columns) => columns.notices(data.table()),
            InputEncoder::Text(vocabulary) => vocabulary.notices(data.table()),
            InputEncoder::Images(_) => Ok(Vec::new()),
        }
    }
}

/// The weight of each row.
fn weights(table: &Table, column: &str) -> Result<Vec<f32>, DataError> {
    let values = &table.column(column)?.values;
    let weights: Vec<f32> = (0..table.rows())
        .map(|row| {
            let weight = number(table, column, values, row)?;
            match weight >= 0.0 {
                true => Ok(weight as f32),
                false => Err(table.cell_error(row, column, DataProblem::Weight(weight))),
            }
        })
        .collect::<Result<_, _>>()?;
    match weights.iter().any(|&weight| weight > 0.0) {
        true => Ok(weights),
        false => Err(table.error(DataProblem::NoWeight).column(column)),
    }
}
