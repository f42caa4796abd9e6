//! `xent score`: losses, metrics and doubts about a table of predictions.

use crate::failure::Result;
use crate::terminal::{HEADING, Output, note, table, wrapped};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use xent::Loss;
use xent_chart::short;
use xent_train::data::{Scan, Task};
use xent_train::score::{PredictionType, Question, ScoreError, Scored, Summary, score};

/// Score a table of predictions
///
/// Reads a CSV, TSV, JSONL or Parquet file of any size in pieces, and says what looks wrong with it.
///
///   xent score predictions.csv --label price --prediction predicted
///   xent score predictions.parquet --label side --prediction 'probability of *' --by country
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Score {
    /// File with a row for each prediction
    predictions: PathBuf,
    /// Column of labels: numbers, 0 and 1, class indices from 0, or names of classes
    #[arg(long, value_name = "COLUMN")]
    label: String,
    /// Column of predictions: a number, or a probability or logit of yes. For classes, once for each
    /// in their order, or a pattern such as 'p_*'; the part that differs names the class
    #[arg(long, value_name = "COLUMN", required = true)]
    prediction: Vec<String>,
    /// Loss such as `huber:delta=2`, once for each; all that fit unless given
    #[arg(long, value_parser = loss)]
    loss: Vec<Arc<dyn Loss>>,
    /// Column whose values make segments, once for each
    #[arg(long, value_name = "COLUMN")]
    by: Vec<String>,
    /// Column that says how much each row counts
    #[arg(long, value_name = "COLUMN")]
    weight: Option<String>,
    /// regression, binary or classes; seen from the data unless given
    #[arg(long)]
    task: Option<Task>,
    /// value, probability or logit; seen from the data unless given
    #[arg(long, value_name = "TYPE", value_parser = prediction_type)]
    prediction_type: Option<PredictionType>,
    /// Of two labels, the one that --prediction speaks of: the greater unless given, or unless the
    /// name of the column ends with the other
    #[arg(long, value_name = "LABEL")]
    positive: Option<String>,
    /// Leave out rows that cannot be scored, and say how many
    #[arg(long)]
    skip_bad: bool,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

fn loss(text: &str) -> xent::Result<Arc<dyn Loss>> {
    xent::loss(text).map(Arc::from)
}

fn prediction_type(text: &str) -> std::result::Result<PredictionType, String> {
    let mut all = PredictionType::ALL.into_iter();
    all.find(|known| known.name() == text)
        .ok_or_else(|| format!("`{text}` must be value, probability or logit"))
}

impl Score {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let question = Question {
            label: self.label.clone(),
            predictions: self.prediction.clone(),
            weight: self.weight.clone(),
            by: self.by.clone(),
            losses: self.loss.clone(),
            task: self.task,
            prediction_type: self.prediction_type,
            positive: self.positive.clone(),
            skip_bad: self.skip_bad,
        };
        let bar = ProgressBar::no_length();
        let style = ProgressStyle::with_template("{bar:32.cyan/dim} {percent:>3} %  {eta:>4}");
        bar.set_style(style.expect("the template is valid").progress_chars("━╸━"));
        let scored = Scan::open(&self.predictions).map_err(ScoreError::from).and_then(|scan| {
            score(&scan, &question, |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })
        });
        bar.finish_and_clear();
        let scored = scored?;
        if self.json {
            serde_json::to_writer_pretty(&mut *output, &scored)?;
            writeln!(output)?;
        } else {
            print(&scored, output)?;
        }
        scored.findings.iter().for_each(note);
        Ok(())
    }
}

fn print(scored: &Scored, output: &mut Output) -> Result {
    let Scored { file, task, prediction_type, classes, total, by, segments, .. } = scored;
    let weight = match total.weight == total.rows as f64 {
        true => String::new(),
        false => format!(" of weight {}", short(total.weight)),
    };
    let mut about = format!("{file}: {} rows{weight}, {task}", total.rows);
    match (task, &classes[..]) {
        (Task::Regression, _) => {}
        (Task::Binary, [_, yes]) => about += &format!(", {} of `{yes}`", prediction_type.name()),
        _ => about += &format!(", {} of {}", prediction_type.name(), classes.join(", ")),
    }
    writeln!(output, "{}\n", wrapped(&about, 0))?;
    let figures = figures(total);
    if segments.is_empty() {
        writeln!(output, "{HEADING}Mean over the rows{HEADING:#}")?;
        let rows = figures.iter().map(|(name, value)| [name.clone(), value.clone()]);
        let text = table(&["", ""], rows, 1);
        writeln!(output, "{}", text.trim_start_matches(' ').trim_start_matches('\n'))?;
        return Ok(());
    }
    // As many figures as fit beside the segment, a line for each, go into one table.
    let mut rest = &figures[..];
    while !rest.is_empty() {
        let from = figures.len() - rest.len();
        let mut count = rest.len();
        let text = loop {
            let text = by_segment(by, segments, total, from..from + count);
            if count == 1 || text.lines().count() == segments.len() + 2 {
                break text;
            }
            count -= 1;
        };
        writeln!(output, "{text}\n")?;
        rest = &rest[count..];
    }
    Ok(())
}

/// The names and values of losses and metrics.
fn figures(summary: &Summary) -> Vec<(String, String)> {
    let losses = summary
        .losses
        .iter()
        .map(|mean| (mean.loss.clone(), mean.mean.map_or("inf".to_owned(), short)));
    let metrics = summary.metrics.figures().into_iter();
    let metrics = metrics.map(|figure| (figure.name.to_owned(), short(figure.value)));
    losses.chain(metrics).collect()
}

fn by_segment(
    by: &[String],
    segments: &[(Vec<String>, Summary)],
    total: &Summary,
    shown: std::ops::Range<usize>,
) -> String {
    let weighted = total.weight != total.rows as f64;
    let names = figures(total);
    let mut header: Vec<&str> = by.iter().map(String::as_str).collect();
    header.push("rows");
    header.extend(weighted.then_some("weight"));
    header.extend(names[shown.clone()].iter().map(|(name, _)| name.as_str()));
    let mut all: Vec<String> = vec![String::new(); by.len()];
    all[0] = "all".to_owned();
    let row = |key: &[String], summary: &Summary| -> Vec<String> {
        let mut cells = key.to_vec();
        cells.push(summary.rows.to_string());
        cells.extend(weighted.then(|| short(summary.weight)));
        let figures = figures(summary).into_iter().map(|(_, value)| value);
        cells.extend(figures.skip(shown.start).take(shown.len()));
        cells
    };
    let rows = segments.iter().map(|(key, summary)| row(key, summary));
    table(&header, rows.chain([row(&all, total)]), by.len())
}
