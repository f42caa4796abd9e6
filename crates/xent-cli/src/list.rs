//! `xent list`: the catalogue.

use crate::failure::Result;
use crate::terminal::{HEADING, NAME, Output, QUIET, hanging, wrapped};
use serde::Serialize;
use std::io::Write as _;
use xent::catalogue::{Entry, Parameter, Ulp};

/// List the losses
#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Print all that the catalogue knows of them as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct LossJson {
    name: &'static str,
    aliases: &'static [&'static str],
    family: &'static str,
    tags: &'static [&'static str],
    params: Vec<ParameterJson>,
    summary: String,
    ulp: UlpJson,
}

#[derive(Serialize)]
struct ParameterJson {
    name: &'static str,
    default: f64,
    range: String,
    doc: &'static str,
}

#[derive(Serialize)]
struct UlpJson {
    value: f64,
    gradient: f64,
    curvature: f64,
}

impl List {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        if self.json {
            let losses: Vec<LossJson> =
                xent::catalogue().iter().map(|entry| entry_json(entry)).collect();
            serde_json::to_writer_pretty(&mut *output, &losses)?;
            writeln!(output)?;
            return Ok(());
        }
        let mut families: Vec<(&str, Vec<&Entry>)> = Vec::new();
        for entry in xent::catalogue() {
            let family = entry.default_loss().family().name();
            match families.iter_mut().find(|(name, _)| *name == family) {
                Some((_, entries)) => entries.push(entry),
                None => families.push((family, vec![entry])),
            }
        }
        for (family, entries) in families {
            writeln!(output, "{HEADING}{family}{HEADING:#}")?;
            for entry in entries {
                let also = entry.aliases.join(", ");
                let names = format!("{NAME}{}{NAME:#}  {QUIET}{also}{QUIET:#}", entry.name);
                writeln!(output, "{}", hanging(&names, 2, 6))?;
                writeln!(output, "{}", wrapped(&entry.page().summary, 6))?;
            }
            writeln!(output)?;
        }
        writeln!(output, "`xent explain LOSS` has the page of each.")?;
        Ok(())
    }
}

fn entry_json(entry: &Entry) -> LossJson {
    let parameter = |parameter: &Parameter| ParameterJson {
        name: parameter.name,
        default: parameter.default,
        range: parameter.range.to_string(),
        doc: parameter.documentation,
    };
    let Ulp { value, gradient, curvature } = entry.ulp;
    LossJson {
        name: entry.name,
        aliases: entry.aliases,
        family: entry.default_loss().family().name(),
        tags: entry.tags,
        params: entry.parameters.iter().map(parameter).collect(),
        summary: entry.page().summary,
        ulp: UlpJson { value, gradient, curvature },
    }
}
