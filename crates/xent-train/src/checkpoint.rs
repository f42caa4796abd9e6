//! Checkpoints: the state of a training in files, so that it can go on after
//! its process has ended, however that came about.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use burn::tensor::Bytes;
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::RunError;
use crate::fit::{Epoch, Position, Settings, State, numbered};
use crate::model::Model;
use crate::run::{RunDirectory, remove_unfinished, write_file};
use crate::weights::{WeightsError, named_weights, with_weights};

const FOLDER: &str = "checkpoints";
const EXTENSION: &str = "safetensors";
const OPTIMIZER: &str = "optimizer";
const MODEL: &str = "model.";
const BEST: &str = "best.";
const HEADER: &str = "state";
const CHECKSUM: &str = "xxh3";

/// Writes the state of a training every so often, and keeps the last files.
pub struct Checkpoints<'a> {
    folder: PathBuf,
    keep: usize,
    every: Duration,
    written: Instant,
    /// What the training is, for whoever goes on with it.
    about: &'a serde_json::Value,
}

/// A checkpoint that was read and found whole.
pub struct Checkpoint {
    path: PathBuf,
    header: Header,
    tensors: HashMap<String, Tensor>,
}

/// All but the tensors of a checkpoint.
#[derive(Serialize, Deserialize)]
struct Header {
    about: serde_json::Value,
    position: Position,
    history: Vec<Epoch>,
    seconds: Vec<f64>,
    first_gradient_norm: f64,
}

struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl<'a> Checkpoints<'a> {
    /// Checkpoints in a run directory, the last `keep` of them, `every` so
    /// often; `about` says what is trained and how.
    pub fn new(
        directory: &RunDirectory,
        keep: usize,
        every: Duration,
        about: &'a serde_json::Value,
    ) -> Self {
        let folder = directory.file(FOLDER);
        remove_unfinished(directory.path());
        remove_unfinished(&folder);
        Self { folder, keep: keep.max(1), every, written: Instant::now(), about }
    }

    /// Writes the state if the last time was long enough ago.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_if_due<M: Model>(&mut self, state: &State<M>) -> Result<(), RunError> {
        if self.written.elapsed() < self.every {
            return Ok(());
        }
        self.write(state)
    }

    /// Writes the state: at every moment there is a whole file or none.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write<M: Model>(&mut self, state: &State<M>) -> Result<(), RunError> {
        fs::create_dir_all(&self.folder).map_err(RunError::io(&self.folder))?;
        let Position { epoch, batch, .. } = state.position;
        let path = self.folder.join(format!("epoch-{epoch:06}-batch-{batch:08}.{EXTENSION}"));
        let bytes = self.bytes(state).map_err(|problem| malformed(&path, problem))?;
        write_file(&path, &bytes)?;
        self.written = Instant::now();
        let files = files(&self.folder)?;
        for old in &files[..files.len().saturating_sub(self.keep)] {
            fs::remove_file(old).map_err(RunError::io(old))?;
        }
        Ok(())
    }

    fn bytes<M: Model>(&self, state: &State<M>) -> Result<Vec<u8>, String> {
        let header = Header {
            about: self.about.clone(),
            position: state.position,
            history: state.history.clone(),
            seconds: state.seconds.clone(),
            first_gradient_norm: state.first_gradient_norm,
        };
        let header = serde_json::to_string(&header).map_err(|error| error.to_string())?;
        let mut tensors = weights(MODEL, &state.model);
        tensors.extend(state.best_model.iter().flat_map(|model| weights(BEST, model)));
        let optimizer = state.optimizer.into_bytes().map_err(|error| error.to_string())?;
        let bytes = optimizer.to_vec();
        let optimizer = Tensor { dtype: Dtype::U8, shape: vec![bytes.len()], bytes };
        tensors.insert(OPTIMIZER.to_owned(), optimizer);
        let checksum = checksum(&header, &tensors);
        let metadata = [(HEADER.to_owned(), header), (CHECKSUM.to_owned(), checksum)];
        let views = tensors.iter().map(|(name, tensor)| {
            TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.bytes)
                .map(|view| (name.as_str(), view))
        });
        let views = views.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?;
        safetensors::serialize(views, Some(metadata.into())).map_err(|error| error.to_string())
    }
}

impl Checkpoint {
    /// The last whole checkpoint in a run directory, and what is wrong with
    /// those behind it.
    ///
    /// # Errors
    /// There is none, or the directory cannot be read.
    pub fn latest(directory: &RunDirectory) -> Result<(Self, Vec<RunError>), RunError> {
        let folder = directory.file(FOLDER);
        if !folder.is_dir() {
            return Err(RunError::NoCheckpoint(directory.path().to_owned()));
        }
        let mut damaged = Vec::new();
        for path in files(&folder)?.into_iter().rev() {
            match Self::read(&path) {
                Ok(checkpoint) => return Ok((checkpoint, damaged)),
                Err(error) => damaged.push(error),
            }
        }
        Err(RunError::NoCheckpoint(directory.path().to_owned()))
    }

    fn read(path: &Path) -> Result<Self, RunError> {
        let bytes = fs::read(path).map_err(RunError::io(path))?;
        Self::parse(path, &bytes).map_err(|problem| malformed(path, problem))
    }

    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let damaged = |error: &dyn std::error::Error| format!("damaged: {error}");
        let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|error| damaged(&error))?;
        let file = SafeTensors::deserialize(bytes).map_err(|error| damaged(&error))?;
        let metadata = metadata.metadata().clone().unwrap_or_default();
        let entry = |name: &str| metadata.get(name).ok_or("damaged: the state is missing");
        let tensors: HashMap<String, Tensor> = file
            .iter()
            .map(|(name, view)| {
                let (dtype, shape) = (view.dtype(), view.shape().to_vec());
                (name.to_owned(), Tensor { dtype, shape, bytes: view.data().to_vec() })
            })
            .collect();
        let header = entry(HEADER)?;
        if *entry(CHECKSUM)? != checksum(header, &tensors) {
            return Err("damaged: the checksum differs".to_owned());
        }
        let header = serde_json::from_str(header).map_err(|error| damaged(&error))?;
        Ok(Self { path: path.to_owned(), header, tensors })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many epochs are done, and how many batches of the next one.
    pub fn progress(&self) -> (usize, usize) {
        (self.header.position.epoch, self.header.position.batch)
    }

    /// What is trained and how.
    ///
    /// # Errors
    /// It is something else.
    pub fn about<A: DeserializeOwned>(&self) -> Result<A, RunError> {
        serde_json::from_value(self.header.about.clone())
            .map_err(|error| malformed(&self.path, error.to_string()))
    }

    /// The state of the training, for a model of the same architecture.
    pub(crate) fn state<M: Model>(
        mut self,
        model: M,
        settings: &Settings,
    ) -> Result<State<M>, RunError> {
        let path = self.path.clone();
        let malformed = |error: &dyn std::error::Error| malformed(&path, error.to_string());
        let mut take = |prefix: &str| -> HashMap<String, (Vec<usize>, Vec<f32>)> {
            let names: Vec<String> =
                self.tensors.keys().filter(|name| name.starts_with(prefix)).cloned().collect();
            let weight = |name: String| {
                let tensor = self.tensors.remove(&name)?;
                Some((name[prefix.len()..].to_owned(), (tensor.shape, floats(&tensor.bytes))))
            };
            names.into_iter().filter_map(weight).collect()
        };
        let best = take(BEST);
        let load = |weights| -> Result<M, WeightsError> {
            Ok(numbered(with_weights(model.clone(), weights)?))
        };
        let best_model = (!best.is_empty()).then(|| load(best)).transpose();
        let best_model = best_model.map_err(|error| malformed(&error))?;
        let model = load(take(MODEL)).map_err(|error| malformed(&error))?;
        let optimizer = self.tensors.remove(OPTIMIZER).map(|tensor| tensor.bytes);
        let optimizer = settings
            .optimizer
            .build(settings.weight_decay)
            .from_bytes(Bytes::from_bytes_vec(optimizer.unwrap_or_default()))
            .map_err(|error| malformed(&error))?;
        let Header { position, history, seconds, first_gradient_norm, .. } = self.header;
        Ok(State { model, best_model, optimizer, position, history, seconds, first_gradient_norm })
    }
}

/// The checkpoints in a folder, the oldest first.
fn files(folder: &Path) -> Result<Vec<PathBuf>, RunError> {
    let entries = fs::read_dir(folder).map_err(RunError::io(folder))?;
    let mut files = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<PathBuf>, _>>()
        .map_err(RunError::io(folder))?;
    files.retain(|path| path.extension().is_some_and(|extension| extension == EXTENSION));
    files.sort();
    Ok(files)
}

fn weights<M: Model>(prefix: &str, model: &M) -> HashMap<String, Tensor> {
    let tensor = |weight: crate::weights::Weight| {
        let bytes = weight.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let tensor = Tensor { dtype: Dtype::F32, shape: weight.shape, bytes };
        (format!("{prefix}{}", weight.name), tensor)
    };
    named_weights(model).into_iter().map(tensor).collect()
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()
}

/// XXH3 of the state and of names, types, shapes and bytes of all tensors.
fn checksum(header: &str, tensors: &HashMap<String, Tensor>) -> String {
    let mut hasher = twox_hash::xxhash3_128::Hasher::new();
    let mut write = |bytes: &[u8]| {
        hasher.write(&(bytes.len() as u64).to_le_bytes());
        hasher.write(bytes);
    };
    write(header.as_bytes());
    let mut names: Vec<&String> = tensors.keys().collect();
    names.sort();
    for name in names {
        let Tensor { dtype, shape, bytes } = &tensors[name];
        write(format!("{name} {dtype:?} {shape:?}").as_bytes());
        write(bytes);
    }
    format!("{:032x}", hasher.finish_128())
}

fn malformed(path: &Path, problem: String) -> RunError {
    RunError::Malformed { path: path.to_owned(), problem }
}
