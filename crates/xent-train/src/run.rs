//! The directory of a run: its configuration, data, results and history, in
//! files that are never half-written.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::data::{Encoder, Fingerprint, Notice, Split};
use crate::error::RunError;
use crate::metrics::Metrics;

const RUN: &str = "run.json";
const HISTORY: &str = "history.csv";
const FORMAT: u32 = 2;

/// The version of Burn that models are trained with, which Burn does not say.
const BURN: &str = "0.22.1";

/// How the names of files begin that are being written.
const UNFINISHED: &str = ".unfinished-";

/// What a run was and came to: the content of `run.json`. `C` is the
/// configuration of training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run<C> {
    /// Version of this layout.
    format: u32,
    /// Versions of the software by name.
    pub versions: BTreeMap<String, String>,
    /// The processor and the system it ran on, such as `x86_64-linux`; empty of
    /// runs that do not say.
    #[serde(default)]
    pub platform: String,
    /// How the model was made.
    pub configuration: C,
    /// What it was made from.
    pub data: Data,
    /// The result on the test rows.
    pub test: TestResult,
    /// Turns tables into the features of the model, and its outputs into units.
    pub encoder: Encoder,
}

/// The data of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Data {
    /// File path or built-in name.
    pub source: String,
    /// Says whether other data is the same.
    pub fingerprint: Fingerprint,
    /// Number of training rows.
    pub train: usize,
    /// Number of validation rows.
    pub validation: usize,
    /// Number of test rows.
    pub test: usize,
    /// What was done to the data.
    pub notices: Vec<Notice>,
}

/// The result on the test rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TestResult {
    /// Mean of the loss of training.
    #[serde(with = "extended")]
    pub loss: f64,
    /// Measures that do not depend on it.
    #[serde(flatten)]
    pub metrics: Metrics,
}

impl<C> Run<C> {
    /// A run of this version of the software.
    pub fn new(configuration: C, data: Data, test: TestResult, encoder: Encoder) -> Self {
        let versions = [("xent", env!("CARGO_PKG_VERSION")), ("burn", BURN)];
        Self {
            format: FORMAT,
            versions: versions.map(|(name, version)| (name.to_owned(), version.to_owned())).into(),
            platform: format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS),
            configuration,
            data,
            test,
            encoder,
        }
    }
}

impl Data {
    /// Describes a table and how it was split.
    pub fn new(
        source: impl Into<String>,
        fingerprint: Fingerprint,
        split: &Split,
        notices: Vec<Notice>,
    ) -> Self {
        Self {
            source: source.into(),
            fingerprint,
            train: split.train.len(),
            validation: split.validation.len(),
            test: split.test.len(),
            notices,
        }
    }
}

/// A directory that holds one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunDirectory {
    path: PathBuf,
}

impl RunDirectory {
    /// A directory for a new run; it is made when the first file is written.
    ///
    /// # Errors
    /// It holds a run already.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        if path.join(RUN).exists() {
            return Err(RunError::Exists(path));
        }
        Ok(Self { path })
    }

    /// The directory of a finished run.
    ///
    /// # Errors
    /// It holds none.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        if !path.join(RUN).is_file() {
            return Err(RunError::NotARun(path));
        }
        Ok(Self { path })
    }

    /// The directory of a run that is not finished.
    ///
    /// # Errors
    /// There is no such directory, or its run is finished.
    pub fn unfinished(path: impl Into<PathBuf>) -> Result<Self, RunError> {
        let path = path.into();
        if path.join(RUN).exists() {
            return Err(RunError::Finished(path));
        }
        Ok(Self { path })
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a file of this name is or would be.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file, replacing one of this name: at every moment there is the
    /// old one or the new one, whole.
    ///
    /// # Errors
    /// The directory cannot be made or the file not written.
    pub fn write(&self, name: &str, content: &[u8]) -> Result<(), RunError> {
        fs::create_dir_all(&self.path).map_err(RunError::io(&self.path))?;
        write_file(&self.file(name), content)
    }

    /// Writes `run.json`, which makes the run a finished one: write it last.
    ///
    /// # Errors
    /// As [`RunDirectory::write`], and a configuration that JSON cannot express.
    pub fn write_run<C: Serialize>(&self, run: &Run<C>) -> Result<(), RunError> {
        let json =
            serde_json::to_vec_pretty(run).map_err(|error| malformed(&self.file(RUN), &error))?;
        self.write(RUN, &json)
    }

    /// Reads `run.json`.
    ///
    /// # Errors
    /// It cannot be read, is of another format, or is damaged; with the place.
    pub fn read_run<C: DeserializeOwned>(&self) -> Result<Run<C>, RunError> {
        #[derive(Deserialize)]
        struct Header {
            format: u32,
        }
        let path = self.file(RUN);
        let json = fs::read(&path).map_err(RunError::io(&path))?;
        let header: Header =
            serde_json::from_slice(&json).map_err(|error| malformed(&path, &error))?;
        if header.format != FORMAT {
            return Err(RunError::Format { path, found: header.format, expected: FORMAT });
        }
        serde_json::from_slice(&json).map_err(|error| malformed(&path, &error))
    }

    /// Writes `history.csv`, a line per epoch; field names are the header.
    ///
    /// # Errors
    /// As [`RunDirectory::write`], and an epoch with nested fields.
    pub fn write_history<E: Serialize>(&self, epochs: &[E]) -> Result<(), RunError> {
        let path = self.file(HISTORY);
        let mut writer = csv::Writer::from_writer(Vec::new());
        for epoch in epochs {
            writer.serialize(epoch).map_err(|error| malformed(&path, &error))?;
        }
        let content =
            writer.into_inner().map_err(|error| RunError::io(&path)(error.into_error()))?;
        self.write(HISTORY, &content)
    }

    /// Reads `history.csv`.
    ///
    /// # Errors
    /// It cannot be read or is damaged; with the place.
    pub fn read_history<E: DeserializeOwned>(&self) -> Result<Vec<E>, RunError> {
        let path = self.file(HISTORY);
        let content = fs::read(&path).map_err(RunError::io(&path))?;
        csv::Reader::from_reader(content.as_slice())
            .into_deserialize()
            .map(|epoch| epoch.map_err(|error| malformed(&path, &error)))
            .collect()
    }
}

/// Writes a file, replacing one of this name: at every moment there is the old
/// one or the new one, whole.
///
/// # Errors
/// The file cannot be written.
pub fn write_file(path: &Path, content: &[u8]) -> Result<(), RunError> {
    replace(path, content).map_err(RunError::io(path))
}

/// Removes what writing left in a folder when its process was killed.
pub(crate) fn remove_unfinished(folder: &Path) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for entry in entries.filter(|e| e.file_name().to_string_lossy().starts_with(UNFINISHED)) {
        // What cannot be removed does no harm.
        let _ = fs::remove_file(entry.path());
    }
}

fn replace(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    // Asked first, as the error of a temporary file would name that file.
    fs::metadata(folder)?;
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    Ok(())
}

fn malformed(path: &Path, problem: &dyn std::error::Error) -> RunError {
    RunError::Malformed { path: path.to_path_buf(), problem: problem.to_string() }
}

/// Numbers, with `"inf"`, `"-inf"` and `"nan"` where JSON has no number.
mod extended {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Extended {
        Finite(f64),
        Text(String),
    }

    pub(super) fn serialize<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
        let extended = if number.is_finite() {
            Extended::Finite(*number)
        } else {
            Extended::Text(number.to_string().to_lowercase())
        };
        extended.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        match Extended::deserialize(from)? {
            Extended::Finite(number) => Ok(number),
            Extended::Text(text) => text.parse().map_err(D::Error::custom),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Dataset, Reading, Task};
    use crate::metrics::{Bin, ClassQuality, Classification, Regression};

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Configuration {
        loss: String,
        lr: f64,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Epoch {
        epoch: usize,
        train_loss: f64,
        validation_loss: Option<f64>,
    }

    fn run(loss: f64, metrics: Metrics) -> Run<Configuration> {
        let iris = Dataset::open("iris", &Reading::default()).unwrap();
        let split = iris.split(Task::Classes, (0.1, 0.2), 1).unwrap();
        let (encoder, notices) = Encoder::fit(&iris.select(&split.train), Task::Classes).unwrap();
        let configuration = Configuration { loss: "focal:gamma=2".to_owned(), lr: 0.1 + 0.2 };
        let data = Data::new("iris", iris.fingerprint(), &split, notices);
        Run::new(configuration, data, TestResult { loss, metrics }, encoder)
    }

    fn regression() -> Metrics {
        Metrics::Regression(Regression { mae: 0.1, rmse: 1.0 / 3.0, r2: None })
    }

    fn directory() -> (tempfile::TempDir, RunDirectory) {
        let parent = tempfile::tempdir().unwrap();
        let run = RunDirectory::create(parent.path().join("runs/first")).unwrap();
        (parent, run)
    }

    #[test]
    fn a_run_names_the_software_and_the_platform() {
        let run = run(0.1, regression());
        let manifest = include_str!("../../../Cargo.toml");
        let pinned = |name: &str, version: &str| manifest.contains(&format!("{name} = {version}"));
        assert!(pinned("version", &format!("\"{}\"", run.versions["xent"])));
        assert!(pinned("burn", &format!("{{ version = \"={}\"", run.versions["burn"])));
        let parts = [std::env::consts::ARCH, std::env::consts::OS];
        assert!(parts.iter().all(|part| run.platform.contains(part)), "{}", run.platform);
    }

    #[test]
    fn a_run_comes_back_as_it_was_written() {
        let classification = Metrics::Classification(Classification {
            accuracy: 0.9,
            macro_f1: 0.8,
            log_loss: 0.1,
            brier: 0.2,
            roc_auc: Some(0.75),
            ece: 0.01,
            reliability: vec![Bin { confidence: 0.9, accuracy: 0.8, rows: 8 }],
            classes: vec![ClassQuality {
                rows: 4,
                precision: Some(1.0),
                recall: None,
                f1: Some(0.5),
            }],
            confusion: vec![vec![3, 1], vec![0, 4]],
        });
        for run in [
            run(2.0 / 3.0, classification),
            run(f64::INFINITY, regression()),
            run(-0.5, regression()),
        ] {
            let (_parent, directory) = directory();
            directory.write_run(&run).unwrap();
            let directory = RunDirectory::open(directory.path()).unwrap();
            assert_eq!(directory.read_run::<Configuration>().unwrap(), run);
        }
    }

    #[test]
    fn the_test_result_is_flat() {
        let json = serde_json::to_value(run(0.5, regression())).unwrap();
        assert_eq!(
            json["test"],
            serde_json::json!({"loss": 0.5, "mae": 0.1, "rmse": 1.0 / 3.0, "r2": null})
        );
    }

    #[test]
    fn history_comes_back_with_its_gaps() {
        let (_parent, directory) = directory();
        let epochs = [(1, Some(0.1)), (2, None)].map(|(epoch, validation_loss)| Epoch {
            epoch,
            train_loss: 1.0 / 3.0,
            validation_loss,
        });
        directory.write_history(&epochs).unwrap();
        assert_eq!(
            fs::read_to_string(directory.file("history.csv")).unwrap(),
            "epoch,train_loss,validation_loss\n1,0.3333333333333333,0.1\n2,0.3333333333333333,\n"
        );
        assert_eq!(directory.read_history::<Epoch>().unwrap(), epochs);
    }

    #[test]
    fn writing_replaces_whole_files_and_leaves_nothing_else() {
        let (_parent, directory) = directory();
        assert!(!directory.path().exists());
        directory.write("report.html", b"long old text").unwrap();
        directory.write("report.html", b"new").unwrap();
        assert_eq!(fs::read(directory.file("report.html")).unwrap(), b"new");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let (_parent, directory) = directory();
        directory.write("a/b", b"x").unwrap_err();
        fs::create_dir_all(directory.file("model")).unwrap();
        let message = directory.write("model", b"x").unwrap_err().to_string();
        assert!(message.starts_with(&directory.file("model").display().to_string()));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn runs_are_neither_overwritten_nor_made_up() {
        let (_parent, directory) = directory();
        let open = RunDirectory::open(directory.path()).unwrap_err().to_string();
        assert!(open.ends_with("is not a run directory: it has no run.json"), "{open}");
        directory.write_run(&run(0.5, regression())).unwrap();
        let create = RunDirectory::create(directory.path()).unwrap_err().to_string();
        assert!(create.contains("already holds a run"), "{create}");
    }

    #[test]
    fn damage_is_named_with_its_place() {
        let (_parent, directory) = directory();
        let message = |content: &str| {
            directory.write("run.json", content.as_bytes()).unwrap();
            let error = directory.read_run::<Configuration>().unwrap_err();
            let path = directory.file("run.json").display().to_string();
            error.to_string().strip_prefix(&path).unwrap().to_owned()
        };
        assert_eq!(message("{\"format\":"), ": EOF while parsing a value at line 1 column 10");
        assert_eq!(
            message("{\"format\": 7}"),
            ": written in format 7, this version reads format 2"
        );
        assert_eq!(message("{\"format\": 2}"), ": missing field `versions` at line 1 column 13");
        directory.write("history.csv", b"epoch,train_loss\n1,x\n").unwrap();
        let error = directory.read_history::<Epoch>().unwrap_err().to_string();
        assert!(error.contains("history.csv: ") && error.contains("line: 2"), "{error}");
    }
}
