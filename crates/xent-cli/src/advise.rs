//! `xent advise`: the loss that suits the data.

use crate::failure::Result;
use crate::recipe::Source;
use crate::terminal::{CODE, HEADING, NAME, Output, QUIET, note, quoted, wrapped};
use serde::Serialize;
use std::io::Write as _;
use xent_train::advise::{Advice, Recommendation, advise};
use xent_train::experiment::Prepared;

/// Advise a loss for the data
///
/// Looks at the training rows: what the targets are, how they scatter, how often each class comes,
/// and what a quick model makes of rows that it has not seen. Says which loss suits them, by what
/// evidence, what else would do, and how to test the advice with `xent compare`.
///
///   xent advise houses.csv --target price
///   xent advise wine-quality
///   xent advise reviews.tsv --text 0 --target 1
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Advise {
    /// Table (CSV, TSV, JSONL, Parquet), folder of images, or name of built-in data
    data: String,
    #[command(flatten)]
    source: Source,
    /// Decides the split, and which rows are looked at
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Print the advice as JSON
    #[arg(long)]
    json: bool,
}

/// The advice as JSON.
#[derive(Serialize)]
struct Json {
    #[serde(flatten)]
    advice: Advice,
    compare: String,
}

impl Advise {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let (data, task) = self.source.open(&self.data)?;
        let prepared = Prepared::new(data, Some(task), self.source.shares(), self.seed)?;
        prepared.notices().iter().for_each(note);
        let advice = advise(&prepared, self.seed)?;
        let compare = comparison(std::env::args(), &advice);
        if self.json {
            serde_json::to_writer_pretty(&mut *output, &Json { advice, compare })?;
            writeln!(output)?;
            return Ok(());
        }
        let (advised, others) = (advice.loss(), &advice.recommendations[1..]);
        print(advised, output)?;
        if !others.is_empty() {
            writeln!(output, "\n{HEADING}Runners-up{HEADING:#}")?;
            others.iter().try_for_each(|other| print(other, output))?;
        }
        if !advice.remarks.is_empty() {
            writeln!(output, "\n{HEADING}Also seen{HEADING:#}")?;
            for remark in &advice.remarks {
                writeln!(output, "{}", wrapped(&format!("{remark}."), 2))?;
            }
        }
        writeln!(output, "\n{HEADING}To test it{HEADING:#}\n  {CODE}{compare}{CODE:#}")?;
        Ok(())
    }
}

fn print(advised: &Recommendation, output: &mut Output) -> Result {
    let Recommendation { loss, seen, why, unless, reference } = advised;
    writeln!(output, "{NAME}{loss}{NAME:#}")?;
    for text in [seen.as_str(), *why, *unless] {
        writeln!(output, "{}", wrapped(&sentence(text), 2))?;
    }
    writeln!(output, "{QUIET}{}{QUIET:#}", wrapped(reference, 2))?;
    Ok(())
}

fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    let first = rest.next().into_iter().flat_map(char::to_uppercase);
    format!("{}.", first.chain(rest).collect::<String>())
}

/// The command that compares the losses on the same data: the one that asked for the advice, with
/// all its options, but for `compare`.
fn comparison(arguments: impl Iterator<Item = String>, advice: &Advice) -> String {
    let asked = arguments.skip_while(|argument| argument != "advise").skip(1);
    let asked = asked.filter(|argument| argument != "--json");
    let losses = advice.contenders.iter().flat_map(|loss| ["--loss".to_owned(), loss.to_string()]);
    let command = ["xent", "compare"].map(str::to_owned).into_iter().chain(asked).chain(losses);
    let quoted: Vec<String> = command.map(|word| quoted(&word)).collect();
    quoted.join(" ")
}
