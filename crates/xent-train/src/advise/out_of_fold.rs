//! What a quick model says of rows that it has not seen.

use rand::SeedableRng as _;
use rand::rngs::ChaCha8Rng;
use rand::seq::index::sample;

use crate::data::{Encoded, Inputs, Target, Targets};
use crate::experiment::{ExperimentError, Judge, WeightedLoss};
use crate::fit::{Problem, Schedule, Settings, fit};
use crate::model::{Architecture, Network};
use crate::optimizer::Optimizer;

const FOLDS: usize = 3;

/// The most rows that are learned from, and the most numbers in them, so that
/// it takes a second or two.
const MOST_ROWS: usize = 4_000;
const MOST_NUMBERS: usize = 4_000_000;

/// Fewer rows say nothing.
const FEWEST_ROWS: usize = 60;

/// Of a text the quick model sees which of so many most frequent words it has.
const MOST_WORDS: usize = 1_000;

/// Rows for a quick model, in an order that chance decides.
pub(super) struct Sample {
    rows: Encoded,
    architecture: Architecture,
    seed: u64,
}

impl Sample {
    /// Draws rows by a seed. There are none where a quick model sees too little:
    /// of images, and of data of fewer than [`FEWEST_ROWS`].
    pub(super) fn draw(train: &Encoded, seed: u64) -> Option<Self> {
        let (columns, architecture) = match train.inputs {
            Inputs::Features { columns, .. } => (columns, Architecture::Mlp { hidden: vec![64] }),
            Inputs::Tokens { vocabulary, .. } => (vocabulary.min(MOST_WORDS), Architecture::Linear),
            Inputs::Images(..) => return None,
        };
        let rows = train.inputs.rows();
        let most = rows.min(MOST_ROWS).min(MOST_NUMBERS / columns);
        if most < FEWEST_ROWS {
            return None;
        }
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let mut rows = train.select(&sample(&mut random, rows, most).into_vec());
        if let Inputs::Tokens { rows: texts, .. } = &rows.inputs {
            rows.inputs = words(texts, columns);
        }
        Some(Self { rows, architecture, seed })
    }

    /// What should be said of each row.
    pub(super) fn targets(&self) -> &Targets {
        &self.rows.targets
    }

    /// Predictions for each row, by a model of the other folds that is trained
    /// with a loss; as that loss takes them.
    pub(super) fn predictions(
        &self,
        loss: &WeightedLoss,
        target: &Target,
    ) -> Result<(Judge, Vec<f32>), ExperimentError> {
        let weights = match (&loss.class_weights, self.targets()) {
            (Some(weights), Targets::Classes(of)) => Some(weights.of(of, target.classes().len())),
            _ => None,
        };
        let judge = Judge::new(loss, weights.clone(), target)?;
        let (rows, outputs) = (self.rows.inputs.rows(), judge.outputs());
        let mut predictions = vec![0.0; rows * outputs];
        for fold in 0..FOLDS {
            let (unseen, seen): (Vec<usize>, Vec<usize>) =
                (0..rows).partition(|row| row % FOLDS == fold);
            let (learned, others) = (self.rows.select(&seen), self.rows.select(&unseen));
            let problem = Problem {
                loss: loss.loss.clone(),
                class_weights: weights.clone(),
                train: judge.examples(&learned),
                validation: None,
                metric: None,
            };
            let shape = learned.inputs.shape();
            let model = Network::new(&self.architecture, shape, outputs, 0.0, self.seed);
            let model = fit(model, &problem, &self.settings(seen.len()), &mut ())?.model;
            let said = judge.predict(&model, &others.inputs);
            for (row, said) in unseen.iter().zip(said.chunks_exact(outputs)) {
                predictions[row * outputs..][..outputs].copy_from_slice(said);
            }
        }
        Ok((judge, predictions))
    }

    /// About as many steps for few rows as for many.
    fn settings(&self, rows: usize) -> Settings {
        const STEPS: usize = 400;
        const BATCH_SIZE: usize = 64;
        Settings {
            optimizer: Optimizer::Adam,
            learning_rate: 0.005,
            schedule: Schedule::Cosine,
            warm_up: 0.0,
            epochs: STEPS.div_ceil(rows.div_ceil(BATCH_SIZE)).min(40),
            batch_size: BATCH_SIZE,
            l1: 0.0,
            l2: 0.0,
            weight_decay: None,
            clip: None,
            augmentation: Default::default(),
            early_stop: None,
            seed: self.seed,
        }
    }
}

/// Which of the `columns` most frequent words each text has.
fn words(texts: &[Vec<u32>], columns: usize) -> Inputs {
    let mut values = vec![0.0; texts.len() * columns];
    for (row, text) in values.chunks_exact_mut(columns).zip(texts) {
        for &word in text {
            if let Some(value) = row.get_mut(word as usize) {
                *value = 1.0;
            }
        }
    }
    Inputs::Features { values, columns }
}
