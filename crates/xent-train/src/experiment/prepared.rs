use super::ExperimentError;
use crate::data::{Dataset, Encoded, Encoder, Fingerprint, Notice, Split, Task};

/// Data that is split and encoded.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(super) source: String,
    pub(super) fingerprint: Fingerprint,
    pub(super) split: Split,
    pub(super) notices: Vec<Notice>,
    pub(super) encoder: Encoder,
    pub(crate) train: Encoded,
    pub(super) validation: Option<Encoded>,
    pub(super) test: Encoded,
}

impl Prepared {
    /// Splits data by `seed` into shares for validation and test, and encodes it
    /// by what its training rows show. Rows without a target are left out.
    ///
    /// # Errors
    /// Whatever is wrong with the data, too few rows for the shares, and no
    /// rows for the test.
    pub fn new(
        data: Dataset,
        task: Option<Task>,
        shares: (f64, f64),
        seed: u64,
    ) -> Result<Self, ExperimentError> {
        let (source, fingerprint) = (data.table().name().to_owned(), data.fingerprint());
        let data = data.with_known_target()?;
        let task = task.map_or_else(|| data.task(), Ok)?;
        let split = data.split(task, shares, seed).map_err(|error| {
            // A target that suits no split at all is the better explanation.
            Encoder::fit(&data, task).err().unwrap_or(error)
        })?;
        if split.test.is_empty() {
            return Err(ExperimentError::NoTest);
        }
        let rows = data.select(&split.train);
        let (encoder, left_out) = Encoder::fit(&rows, task)?;
        let notices = [data.table().notices(), &left_out, &encoder.notices(&data)?].concat();
        let encode = |rows: &[usize]| encoder.encode(&data.select(rows));
        let validation = (!split.validation.is_empty()).then(|| encode(&split.validation));
        Ok(Self {
            train: encoder.encode(&rows)?,
            validation: validation.transpose()?,
            test: encode(&split.test)?,
            source,
            fingerprint,
            split,
            notices,
            encoder,
        })
    }

    /// Turns data into the inputs of a model.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// Which rows train, validate and test.
    pub fn split(&self) -> &Split {
        &self.split
    }

    /// What was done to the data.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// What is predicted.
    pub fn task(&self) -> Task {
        self.encoder.target().task()
    }
}
