//! `xent explain`: the page of a loss.

use crate::example::{Dtype, Example};
use crate::failure::{Failure, Result};
use crate::terminal::{CODE, HEADING, NAME, Output, QUIET, TITLE, formula, wrapped};
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use std::fmt::Write as _;
use std::io::Write as _;
use xent::{Catalogued, Loss};

/// Show the page of a loss, or work an example step by step
///
/// With --prediction and --target the example is worked: rows are separated by `;`, numbers by
/// `,`; `inf`, `-inf` and `nan` are numbers too. For a loss on classes a row of predictions has a
/// number per class, and a target is a class index per row, or a distribution per row.
///
///   xent explain huber
///   xent explain cross_entropy --prediction=2,1,0.1 --target=0
///   xent explain cross_entropy --prediction='0,0;3,1' --target='0.2,0.8;1,0'
///   xent explain huber:delta=2 --prediction=1,5 --target=0,0 --json
#[derive(Debug, clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Explain {
    /// Name or alias, with parameters if any (`huber:delta=2`), or a sum (`mse + 0.5*mae`)
    loss: String,
    /// Predictions of the example
    #[arg(long, value_name = "ROWS", requires = "target", allow_hyphen_values = true)]
    prediction: Option<String>,
    /// Targets of the example
    #[arg(long, value_name = "ROWS", requires = "prediction", allow_hyphen_values = true)]
    target: Option<String>,
    /// A weight per class, separated by `,`
    #[arg(long, value_name = "WEIGHTS", requires = "prediction", allow_hyphen_values = true)]
    class_weights: Option<String>,
    /// Type of the numbers
    #[arg(long, value_enum, default_value_t = Dtype::F32)]
    dtype: Dtype,
    /// Print value, gradient and curvature of each row as JSON
    #[arg(long, requires = "prediction")]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let loss = xent::loss(&self.loss)?;
        match (&self.prediction, &self.target) {
            (Some(prediction), Some(target)) => Example {
                loss: loss.as_ref(),
                prediction,
                target,
                class_weights: self.class_weights.as_deref(),
                dtype: self.dtype,
            }
            .run(self.json, output),
            _ => print(loss.as_ref(), output),
        }
    }
}

fn print(loss: &dyn Loss, output: &mut Output) -> Result {
    let catalogued = loss.page().ok_or_else(|| {
        Failure::Usage(format!(
            "{} is a sum, which has no page: explain its losses one by one, \
             or give --prediction and --target to work an example",
            loss.name()
        ))
    })?;
    let (entry, page) = (catalogued.entry(), catalogued.entry().page());
    let kind = format!("{} · {}", loss.family().name(), entry.tags.join(", "));
    writeln!(output, "{NAME}{}{NAME:#}  {QUIET}{kind}{QUIET:#}", entry.name)?;
    if !entry.aliases.is_empty() {
        writeln!(output, "{QUIET}also: {}{QUIET:#}", entry.aliases.join(", "))?;
    }
    writeln!(output, "\n{}", plain(&page.summary, 0))?;
    writeln!(output, "\n{HEADING}Formula{HEADING:#}\n{}", formula(entry))?;
    parameters(catalogued, output)?;
    for (heading, markdown) in &page.sections {
        let text = plain(markdown, 2);
        if !text.is_empty() {
            writeln!(output, "\n{HEADING}{heading}{HEADING:#}\n{text}")?;
        }
    }
    Ok(())
}

fn parameters(catalogued: &dyn Catalogued, output: &mut Output) -> Result {
    let parameters = catalogued.entry().parameters;
    if parameters.is_empty() {
        return Ok(());
    }
    writeln!(output, "\n{HEADING}Parameters{HEADING:#}")?;
    for (parameter, value) in parameters.iter().zip(catalogued.values()) {
        let default = match value == parameter.default {
            true => String::new(),
            false => format!("  {QUIET}default {}{QUIET:#}", parameter.default),
        };
        let range = format!("{QUIET}in {}{QUIET:#}", parameter.range);
        writeln!(output, "  {CODE}{}{CODE:#} = {value}  {range}{default}", parameter.name)?;
        writeln!(output, "{}", plain(parameter.documentation, 6))?;
    }
    Ok(())
}

/// Markdown as wrapped text, without the targets of links and without code blocks, which are
/// in Rust.
fn plain(markdown: &str, indent: usize) -> String {
    let mut paragraphs = vec![String::new()];
    let mut in_code = false;
    for event in Parser::new(markdown) {
        let text = paragraphs.last_mut().expect("one is there from the start");
        // Writing to a string cannot fail.
        let _ = match event {
            Event::Start(Tag::CodeBlock(_)) => {
                in_code = true;
                Ok(())
            }
            Event::End(TagEnd::CodeBlock) => {
                in_code = false;
                Ok(())
            }
            Event::Text(_) if in_code => Ok(()),
            Event::Text(words) => text.write_str(&words),
            Event::Code(code) => write!(text, "{CODE}{code}{CODE:#}"),
            Event::Start(Tag::Emphasis) => write!(text, "{TITLE}"),
            Event::End(TagEnd::Emphasis) => write!(text, "{TITLE:#}"),
            Event::Start(Tag::Item) => text.write_str("- "),
            Event::SoftBreak | Event::HardBreak => text.write_char(' '),
            Event::End(TagEnd::Paragraph | TagEnd::Item) => {
                paragraphs.push(String::new());
                Ok(())
            }
            _ => Ok(()),
        };
    }
    let filled = paragraphs.iter().filter(|paragraph| !paragraph.is_empty());
    filled.map(|paragraph| wrapped(paragraph, indent)).collect::<Vec<_>>().join("\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markdown_becomes_text() {
        let markdown = "See [`Huber`](crate::Huber),\n*now*.\n\n```\nlet x = 1;\n```\n\nEnd.";
        let text = anstream::adapter::strip_str(&plain(markdown, 2)).to_string();
        assert_eq!(text, "  See Huber, now.\n\n  End.");
    }

    #[test]
    fn no_page_shows_markup_or_leaves_a_line_too_long() {
        for entry in xent::catalogue() {
            for (heading, markdown) in entry.page().sections {
                let text = anstream::adapter::strip_str(&plain(&markdown, 2)).to_string();
                let place = format!("{}: {heading}", entry.name);
                assert!(!text.contains("](") && !text.contains("```"), "{place}: {text}");
                let longest = text.lines().map(|line| line.chars().count()).max();
                assert!(longest <= Some(crate::terminal::width()), "{place}: {text}");
            }
        }
    }
}
