//! What can be wrong with data and with a run directory, said with the place.

use std::fmt;
use std::path::{Path, PathBuf};

/// Something wrong with a table: what, in which table, and as far as known in
/// which row and column.
#[derive(Debug)]
pub struct DataError(Box<Located>);

#[derive(Debug)]
struct Located {
    table: String,
    place: Option<Place>,
    column: Option<String>,
    problem: DataProblem,
}

/// Where a row stands in its source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the data row; the first one after the header is 1.
    pub row: u64,
    /// Line of a text file on which the row starts; the header is line 1.
    pub line: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "row {}", self.row)?;
        match self.line {
            Some(line) => write!(f, " (line {line})"),
            None => Ok(()),
        }
    }
}

/// What is wrong with a table.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataProblem {
    /// The file cannot be opened or read.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] std::io::Error),
    /// The file's extension names no format that is read.
    #[error("the extension must be one of .csv, .tsv, .tab, .jsonl, .ndjson and .parquet")]
    UnknownFormat,
    /// Neither a file nor a built-in table.
    #[error("no such file, and no built-in table of this name; built in are {}{}", .names.join(", "), did_you_mean(.nearest.as_deref()))]
    UnknownTable {
        /// The names of the built-in tables.
        names: Vec<&'static str>,
        /// The most similar of these names, if any is similar.
        nearest: Option<String>,
    },
    /// A file without even a header.
    #[error("the file is empty; its first line must name the columns")]
    Empty,
    /// A header, or rows, but nothing to learn from.
    #[error("there is a header but no row of data")]
    NoRows,
    /// Two columns of one name.
    #[error("two columns have this name")]
    DuplicateColumn,
    /// A row that is shorter or longer than the header.
    #[error("expected {expected} cells, as many as the header has, found {found}")]
    Ragged {
        /// Cells in the header.
        expected: u64,
        /// Cells in this row.
        found: u64,
    },
    /// A quote without its pair, which swallows the rest of the file.
    #[error("a quoted cell is not closed before the end of the file")]
    UnclosedQuote,
    /// Text that is not UTF-8.
    #[error("the text is not UTF-8; save the file as UTF-8")]
    NotUtf8,
    /// A Parquet file that is truncated, corrupt, or uses an unknown codec.
    #[error("not a complete and readable Parquet file: {0}")]
    Parquet(String),
    /// A Parquet column that holds neither numbers nor text.
    #[error("columns of type {0} are not read; convert it to numbers or text, or leave it out")]
    UnsupportedType(String),
    /// A numeric column with an infinite cell, or one that is NaN.
    #[error("`{0}` is not a finite number; leave the cell empty if the value is missing")]
    NotFinite(String),
    /// A number too far from the training data to be expressed in `f32`.
    #[error("{0} is too large to be standardised")]
    TooLarge(f64),
    /// A column that the table must have.
    #[error("there is no such column{}", did_you_mean(.nearest.as_deref()))]
    MissingColumn {
        /// The most similar column name, if any is similar.
        nearest: Option<String>,
    },
    /// Text where a number must be.
    #[error("`{0}` is not a number")]
    NotANumber(String),
    /// A row without a prediction or a weight.
    #[error("the number is missing")]
    MissingNumber,
    /// A prediction outside its range.
    #[error("{value} is no {expected}")]
    NoPrediction {
        /// The number.
        value: f64,
        /// What it should be.
        expected: &'static str,
    },
    /// A label that is none of the classes.
    #[error("`{label}` is none of the classes, which are {}", shortened(.classes))]
    NoClass {
        /// The label.
        label: String,
        /// The classes.
        classes: Vec<String>,
    },
    /// A row without a target.
    #[error("the target is missing")]
    MissingTarget,
    /// A label that training has not seen.
    #[error("label `{label}` was not seen in training; known are {}", shortened(.known))]
    UnseenLabel {
        /// The label.
        label: String,
        /// The labels of training.
        known: Vec<String>,
    },
    /// A target that never varies.
    #[error("every row has the target `{0}`, so there is nothing to learn")]
    OneValue(String),
    /// A binary task needs two classes.
    #[error("a binary target has 2 distinct values, this one has {0}; use the task `classes`")]
    NotBinary(usize),
    /// Nearly as many classes as rows.
    #[error("{classes} distinct labels in {rows} rows are too many to be classes{}", odd_cell(.text))]
    TooManyClasses {
        /// Distinct labels.
        classes: usize,
        /// Rows with a label.
        rows: usize,
        /// In a column of mostly numbers, a cell that made it text.
        text: Option<(Place, String)>,
    },
    /// No column is left to predict from.
    #[error("no column is left to predict the target from")]
    NoFeatures,
    /// Too few rows for the wanted split.
    #[error("{rows} rows are too few: {needed}")]
    TooFewRows {
        /// Rows with a target.
        rows: usize,
        /// What they would have to be enough for.
        needed: String,
    },
    /// A line that is no JSON object.
    #[error("not a JSON object: {0}")]
    NotJson(String),
    /// A list or an object within a row.
    #[error("lists and objects are not read; make it a number or text, or leave it out")]
    Nested,
    /// Data whose target cannot be guessed.
    #[error("--target is needed: which column to predict; it has {}", shortened(.0))]
    TargetNeeded(Vec<String>),
    /// A class that was asked for and that no row has.
    #[error("no row has the class `{class}`{}", did_you_mean(.nearest.as_deref()))]
    MissingClass {
        /// The class.
        class: String,
        /// The most similar class, if any is similar.
        nearest: Option<String>,
    },
    /// A weight that is none.
    #[error("a weight is {0}, but must be a number of 0 or more")]
    Weight(f64),
    /// Nothing but weights of 0.
    #[error("every row has the weight 0, so there is nothing to learn")]
    NoWeight,
    /// Texts that have nothing in common.
    #[error("no word stands in 2 of the training texts, so there is nothing to learn")]
    NoWords,
    /// A folder without images.
    #[error(
        "no images here; needed is one folder of JPEG or PNG files per class, perhaps below \
         `train` and `test`, or the files of CIFAR-10 (.bin) or MNIST (-ubyte)"
    )]
    NoPictures,
    /// Images that cannot be decoded.
    #[error("{} cannot be read: {}{}", numbered(*.count, "image"), .files.join(", "), more(*.count, .files.len()))]
    UnreadableImages {
        /// How many.
        count: usize,
        /// The first of them, each with the reason.
        files: Vec<String>,
    },
    /// A batch of CIFAR-10 that is cut off or something else.
    #[error("{bytes} bytes are no whole number of CIFAR-10 records of 3073")]
    Cifar {
        /// Length of the file.
        bytes: usize,
    },
    /// An IDX file that is cut off or something else.
    #[error("not a complete IDX file of bytes, as MNIST has, with as many labels as images")]
    Idx,
    /// Data without images for a model that needs them.
    #[error("the model takes images of {}×{}×{}; give it a folder of images", .0[0], .0[1], .0[2])]
    NotImages([usize; 3]),
    /// A share of the rows outside its range.
    #[error(
        "the shares for validation ({validation}) and test ({test}) must be 0 or more and together below 1"
    )]
    Shares {
        /// Share of the rows for validation.
        validation: f64,
        /// Share of the rows for the test.
        test: f64,
    },
}

impl DataError {
    pub(crate) fn new(table: impl Into<String>, problem: DataProblem) -> Self {
        Self(Box::new(Located { table: table.into(), place: None, column: None, problem }))
    }

    /// The error of a file whose extension names no format, if the file is there.
    pub(crate) fn unknown_format(path: &Path) -> Self {
        let problem = match path.metadata() {
            Ok(_) => DataProblem::UnknownFormat,
            Err(error) => DataProblem::Unreadable(error),
        };
        Self::new(path.display().to_string(), problem)
    }

    pub(crate) fn at(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }

    pub(crate) fn column(mut self, column: impl Into<String>) -> Self {
        self.0.column = Some(column.into());
        self
    }

    /// File path or name of the table.
    pub fn table(&self) -> &str {
        &self.0.table
    }

    /// The row, if the problem has one.
    pub fn place(&self) -> Option<Place> {
        self.0.place
    }

    /// The column, if the problem has one.
    pub fn column_name(&self) -> Option<&str> {
        self.0.column.as_deref()
    }

    /// What is wrong.
    pub fn problem(&self) -> &DataProblem {
        &self.0.problem
    }
}

impl fmt::Display for DataError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.table)?;
        if let Some(place) = self.0.place {
            write!(f, ", {place}")?;
        }
        if let Some(column) = &self.0.column {
            write!(f, ", column `{column}`")?;
        }
        write!(f, ": {}", self.0.problem)
    }
}

impl std::error::Error for DataError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        std::error::Error::source(&self.0.problem)
    }
}

/// Something wrong with a run directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The directory holds a run that would be overwritten.
    #[error("{} already holds a run; choose another directory or remove it", .0.display())]
    Exists(PathBuf),
    /// The directory holds no run.
    #[error("{} is not a run directory: it has no run.json", .0.display())]
    NotARun(PathBuf),
    /// The run is finished.
    #[error("{} holds a finished run; there is nothing to resume", .0.display())]
    Finished(PathBuf),
    /// The directory holds nothing to go on from.
    #[error("{} has no whole checkpoint to resume from", .0.display())]
    NoCheckpoint(PathBuf),
    /// A file or directory cannot be read or written.
    #[error("{}: {source}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file of the run has been damaged or edited.
    #[error("{}: {problem}", .path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and where.
        problem: String,
    },
    /// A run written in a format that this version cannot read.
    #[error("{}: written in format {found}, this version reads format {expected}", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The format of the file.
        found: u32,
        /// The format that is read.
        expected: u32,
    },
}

impl RunError {
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Io { path: path.to_path_buf(), source }
    }
}

/// The candidate most like `name`, if any is similar enough to be meant.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    const SIMILAR: f64 = 0.5;
    let lower = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| {
            let known = candidate.to_lowercase();
            let similarity = if !lower.is_empty() && known.starts_with(&lower) {
                1.0
            } else {
                strsim::normalized_damerau_levenshtein(&lower, &known)
            };
            (similarity, candidate)
        })
        .filter(|(similarity, _)| *similarity >= SIMILAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate.to_owned())
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map_or_else(String::new, |name| format!("; did you mean `{name}`?"))
}

fn numbered(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

fn more(all: usize, shown: usize) -> String {
    if all > shown { format!(" and {} more", all - shown) } else { String::new() }
}

fn odd_cell(text: &Option<(Place, String)>) -> String {
    text.as_ref().map_or_else(String::new, |(place, cell)| {
        format!("; the column counts as text because of `{cell}` in {place}")
    })
}

fn shortened(names: &[String]) -> String {
    const SHOWN: usize = 10;
    let shown = names[..names.len().min(SHOWN)].join(", ");
    match names.len().checked_sub(SHOWN) {
        Some(more @ 1..) => format!("{shown} and {more} more"),
        _ => shown,
    }
}
