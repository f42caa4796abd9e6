//! `xent evaluate` and `xent predict`: what a trained model says of other rows.

use crate::failure::{Failure, Result};
use crate::terminal::{Output, note};
use crate::train::print_result;
use std::io::Write;
use std::path::{Path, PathBuf};
use xent_train::experiment::{Predictions, Saved};
use xent_train::run::write_file;

/// Judge a trained model on other rows
#[derive(Debug, clap::Args)]
pub(crate) struct Evaluate {
    /// Directory that `xent train` has written
    run: PathBuf,
    /// Data as training had it: a table with its columns, the target among them, or images; of
    /// folders `train` and `test` only the test
    data: String,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// Predict with a trained model
///
/// Prints CSV with a line per row of the table or image, in its order: the file of an image, the
/// prediction, and for classes the probability of each.
#[derive(Debug, clap::Args)]
pub(crate) struct Predict {
    /// Directory that `xent train` has written
    run: PathBuf,
    /// Data as training had it, with or without the target: a table, a folder of images, an image
    data: String,
    /// File to write to instead, .csv or .tsv
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Evaluate {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let saved = Saved::open(&self.run)?;
        let (result, notices) = saved.evaluate(saved.read(&self.data)?)?;
        notices.iter().for_each(note);
        if self.json {
            serde_json::to_writer_pretty(&mut *output, &result)?;
            writeln!(output)?;
            return Ok(());
        }
        print_result("", &result, output)
    }
}

impl Predict {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        crate::interrupt::wait_for_writing();
        let delimiter = self.output.as_deref().map_or(Ok(b','), delimiter)?;
        let saved = Saved::open(&self.run)?;
        let data = saved.read(&self.data)?;
        let (predictions, notices) = saved.predict(&data)?;
        notices.iter().for_each(note);
        let Some(path) = &self.output else {
            return write(data.files(), &predictions, delimiter, std::io::BufWriter::new(output));
        };
        let mut content = Vec::new();
        write(data.files(), &predictions, delimiter, &mut content)?;
        crate::interrupt::without(|| write_file(path, &content))?;
        Ok(())
    }
}

fn delimiter(path: &Path) -> Result<u8> {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("csv") => Ok(b','),
        Some("tsv") => Ok(b'\t'),
        _ => Err(Failure::Usage(format!(
            "{}: predictions are written as .csv or .tsv; choose such a name",
            path.display()
        ))),
    }
}

fn write(files: &[String], predictions: &Predictions, delimiter: u8, to: impl Write) -> Result {
    let mut writer = csv::WriterBuilder::new().delimiter(delimiter).from_writer(to);
    let mut line = |first: Option<&str>, cells: Vec<String>| {
        let cells = first.into_iter().map(str::as_bytes).chain(cells.iter().map(String::as_bytes));
        writer.write_record(cells).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(error) => error,
            kind => std::io::Error::other(format!("{kind:?}")),
        })
    };
    let file = |row: usize| files.get(row).map(String::as_str);
    let heading = (!files.is_empty()).then_some("file");
    match predictions {
        Predictions::Numbers(numbers) => {
            line(heading, vec!["prediction".to_owned()])?;
            for (row, number) in numbers.iter().enumerate() {
                line(file(row), vec![number.to_string()])?;
            }
        }
        Predictions::Classes { names, probabilities } => {
            let header = names.iter().map(|name| format!("probability of {name}"));
            line(heading, std::iter::once("prediction".to_owned()).chain(header).collect())?;
            for (row, probabilities) in probabilities.chunks_exact(names.len()).enumerate() {
                // Of equally probable classes the first, as in the metrics.
                let largest = |best: usize, c: usize| {
                    if probabilities[c] > probabilities[best] { c } else { best }
                };
                let best = names[(1..names.len()).fold(0, largest)].clone();
                let cells = probabilities.iter().map(f64::to_string);
                line(file(row), std::iter::once(best).chain(cells).collect())?;
            }
        }
    }
    writer.flush()?;
    Ok(())
}
