//! `xent compare`: losses against each other on the same rows.

use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::run_directory::{check_free, new_directory, save, stem};
use crate::terminal::{HEADING, Output, count, note, table, wrapped};
use std::io::Write as _;
use xent_train::compare::{COSTS, Comparison, Contender, RULE, compare, usual_losses};
use xent_train::experiment::WeightedLoss;

/// Compare losses on the same rows
///
/// Each loss is trained with each seed, which decides the split, the first weights and the order
/// of the rows; so losses differ by nothing else. They are judged on the test rows by measures
/// that do not depend on the loss, and `report.html` shows how they learned.
///
///   xent compare
///   xent compare houses.csv --target price --loss mse --loss huber --loss huber:delta=0.5
///   xent compare wine-quality --loss ce --loss ce@balanced --loss softmax_focal:gamma=1@1,1,1,1,1,2
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Compare {
    /// Table (CSV, TSV, JSONL, Parquet), folder of images, or name of built-in data
    #[arg(default_value = "wine-quality")]
    data: String,
    /// A loss to compare, once for each; after an `@` come class weights, `balanced` or a number
    /// per class: `cross_entropy@balanced`. By task unless given
    #[arg(long)]
    loss: Vec<WeightedLoss>,
    /// How many times to train each loss, from --seed upwards
    #[arg(long, default_value_t = 5)]
    seeds: usize,
    #[command(flatten)]
    recipe: Recipe,
    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

impl Compare {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        crate::interrupt::wait_for_writing();
        if self.seeds == 0 {
            return Err(Failure::Usage("--seeds must be at least 1".to_owned()));
        }
        let (data, configuration) = self.recipe.read(&self.data)?;
        let losses = match self.loss.is_empty() {
            true => usual_losses(configuration.task),
            false => self.loss.clone(),
        };
        let names = ["compare", stem(&self.data)];
        let directory = self.recipe.out.clone().unwrap_or_else(|| new_directory(&names));
        check_free(&directory, REPORT, self.recipe.force)?;

        let mut progress = Progress::new(&configuration, losses.len() * self.seeds);
        let comparison = compare(&data, &configuration, &losses, self.seeds, &mut progress);
        progress.finish();
        let comparison = comparison?;
        comparison.notices.iter().for_each(note);
        let report = comparison.report().html();
        save(&directory, REPORT, |run| Ok(run.write(REPORT, report.as_bytes())?))?;

        if self.json {
            serde_json::to_writer_pretty(&mut *output, &comparison)?;
            writeln!(output)?;
            return Ok(());
        }
        print(&comparison, output)?;
        writeln!(output, "\nReport: {}", directory.join(REPORT).display())?;
        Ok(())
    }
}

const REPORT: &str = "report.html";

/// How many measures fit a terminal; the report has the others too.
const SHOWN: usize = 4;

fn print(comparison: &Comparison, output: &mut Output) -> Result {
    let Comparison { data, target, rows: [train, validation, test], seeds, losses, .. } =
        comparison;
    let size = format!(
        "`{target}` of {data}: {train} training, {validation} validation and {test} test rows, \
         {}",
        count(seeds.len(), "seed")
    );
    writeln!(output, "{}\n", wrapped(&size, 0))?;

    let measures = losses[0].measures.iter().take(SHOWN);
    let names: Vec<&'static str> = measures.map(|measure| measure.name).collect();
    let by_loss = |columns: &[&'static str], cells: &dyn Fn(&Contender) -> Vec<String>| {
        let header = [&["loss"], columns].concat();
        table(&header, losses.iter().map(|loss| [vec![loss.loss.clone()], cells(loss)].concat()), 1)
    };
    // Without spaces the table fits 80 columns.
    let narrow = |cell: &String| cell.replace(" ± ", "±");
    let measures = by_loss(&names, &|loss| loss.results().iter().take(SHOWN).map(narrow).collect());
    writeln!(output, "{HEADING}Test rows{}{HEADING:#}", comparison.spread())?;
    writeln!(output, "{}\n", measures)?;
    writeln!(output, "{HEADING}Difference to the best{HEADING:#}")?;
    writeln!(
        output,
        "{}",
        by_loss(&names, &|loss| { loss.verdicts().into_iter().take(SHOWN).collect() })
    )?;
    writeln!(output, "{}\n", wrapped(RULE, 1))?;
    writeln!(output, "{HEADING}Training{HEADING:#}")?;
    writeln!(output, "{}", by_loss(&COSTS, &Contender::costs))?;
    if let Some(reason) = comparison.reason() {
        writeln!(output, "{}", wrapped(&reason, 1))?;
    }
    Ok(())
}
