//! `xent explain`: the page of a loss.

use crate::article::{Article, Language, Section};
use crate::example::{Dtype, Example};
use crate::failure::Result;
use crate::markdown;
use crate::terminal::{
    CODE, HEADING, NAME, Output, QUIET, TITLE, formula, hanging, width, wrapped,
};
use anstream::ColorChoice;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};
use std::fmt::Write as _;
use std::io::Write as _;
use xent::catalogue::Parameter;

/// Show the page of a loss, or work an example step by step
///
/// With --prediction and --target the example is worked: rows are separated by `;`, numbers by
/// `,`; `inf`, `-inf` and `nan` are numbers too. For a loss on classes a row of predictions has a
/// number per class, and a target is a class index per row, or a distribution per row.
///
///   xent explain huber
///   xent explain huber --lang zh
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
    /// Language of the page
    #[arg(long, value_enum, default_value_t = Language::En, conflicts_with = "prediction")]
    lang: Language,
    /// Print the page as Markdown
    #[arg(long, conflicts_with = "prediction")]
    markdown: bool,
}

impl Explain {
    pub(crate) fn run(&self, output: &mut Output) -> Result {
        let loss = xent::loss(&self.loss)?;
        match (&self.prediction, &self.target) {
            (Some(prediction), Some(target)) => Example {
                loss: loss.as_ref(),
                prediction: prediction.clone(),
                target: target.clone(),
                class_weights: self.class_weights.as_deref(),
                dtype: self.dtype,
            }
            .run(self.json, output),
            _ => {
                let article = Article::new(loss.as_ref(), self.lang)?;
                match self.markdown {
                    true => markdown::print(&article, output),
                    false => print(&article, output),
                }
            }
        }
    }
}

fn print(article: &Article, output: &mut Output) -> Result {
    let (entry, language) = (article.catalogued.entry(), article.language);
    let kind = format!("{} · {}", article.loss.family().name(), entry.tags.join(", "));
    writeln!(output, "{NAME}{}{NAME:#}  {QUIET}{kind}{QUIET:#}", entry.name)?;
    if !entry.aliases.is_empty() {
        let also = language.label("also: ");
        writeln!(output, "{QUIET}{also}{}{QUIET:#}", entry.aliases.join(", "))?;
    }
    writeln!(output, "\n{}", plain(&article.summary, 0))?;
    for section in article.sections()? {
        let (heading, text) = match section {
            Section::Formula(_) => ("Formula", formula(entry)),
            Section::Parameters => ("Parameters", parameters(article)),
            Section::Markdown(heading, markdown) => (heading, plain(markdown, 2)),
            Section::Numbers { command, table } => {
                let command = format!("{QUIET}${QUIET:#} {CODE}{command}{CODE:#}");
                let text = format!("{command}\n{}", table.trim_end());
                ("Worked numbers", textwrap::indent(&text, "  "))
            }
            Section::Curve(figure) => {
                let colours = output.current_choice() != ColorChoice::Never;
                let text = figure.text(width() - 2, colours)?;
                ("Curve", textwrap::indent(text.trim_end(), "  "))
            }
        };
        // An example is only code, which is in Rust.
        if !text.is_empty() {
            writeln!(output, "\n{HEADING}{}{HEADING:#}\n{text}", language.label(heading))?;
        }
    }
    Ok(())
}

fn parameters(article: &Article) -> String {
    let parameters = article.catalogued.entry().parameters.iter().zip(article.catalogued.values());
    let parameter = |(parameter, value): (&Parameter, f64)| {
        let word = article.language.label("default");
        let default = match value == parameter.default {
            true => String::new(),
            false => format!("  {QUIET}{word} {}{QUIET:#}", parameter.default),
        };
        let range = format!("{QUIET}∈ {}{QUIET:#}", parameter.range);
        let meaning = plain(article.meaning(parameter), 6);
        format!("  {CODE}{}{CODE:#} = {value}  {range}{default}\n{meaning}", parameter.name)
    };
    parameters.map(parameter).collect::<Vec<_>>().join("\n")
}

/// A block of text, still unwrapped.
enum Piece {
    Paragraph(String),
    Item(String),
    Verbatim(String),
}

/// Markdown as wrapped text, without the targets of links and without code, which is in Rust; only
/// blocks of `text` are shown as they are.
fn plain(markdown: &str, indent: usize) -> String {
    let mut pieces = vec![Piece::Paragraph(String::new())];
    let mut in_code = false;
    for event in Parser::new(markdown) {
        let (Piece::Paragraph(text) | Piece::Item(text) | Piece::Verbatim(text)) =
            pieces.last_mut().expect("one is there from the start");
        // Writing to a string cannot fail.
        let _ = match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(kind))) if &*kind == "text" => {
                pieces.push(Piece::Verbatim(String::new()));
                Ok(())
            }
            Event::Start(Tag::CodeBlock(_)) => {
                in_code = true;
                Ok(())
            }
            Event::Start(Tag::Item) => {
                pieces.push(Piece::Item(String::new()));
                Ok(())
            }
            Event::End(TagEnd::CodeBlock | TagEnd::Paragraph | TagEnd::Item) => {
                in_code = false;
                pieces.push(Piece::Paragraph(String::new()));
                Ok(())
            }
            Event::Text(_) if in_code => Ok(()),
            Event::Text(words) => text.write_str(&words),
            Event::Code(code) => write!(text, "{CODE}{code}{CODE:#}"),
            Event::Start(Tag::Emphasis) => write!(text, "{TITLE}"),
            Event::End(TagEnd::Emphasis) => write!(text, "{TITLE:#}"),
            Event::SoftBreak | Event::HardBreak => text.write_char(' '),
            _ => Ok(()),
        };
    }
    let mut shown = String::new();
    let mut after_item = false;
    for piece in pieces {
        let (filled, is_item) = match &piece {
            Piece::Paragraph(text) => (wrapped(text, indent), false),
            Piece::Item(text) => (hanging(&format!("- {text}"), indent, indent + 2), true),
            Piece::Verbatim(text) => {
                (textwrap::indent(text.trim_end(), &" ".repeat(indent)), false)
            }
        };
        if !filled.trim().is_empty() {
            let gap = if after_item && is_item { "\n" } else { "\n\n" };
            shown += if shown.is_empty() { "" } else { gap };
            shown += &filled;
            after_item = is_item;
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unstyled(markdown: &str) -> String {
        anstream::adapter::strip_str(&plain(markdown, 2)).to_string()
    }

    #[test]
    fn markdown_becomes_text() {
        let markdown = "See [`Huber`](crate::Huber),\n*now*.\n\n```\nlet x = 1;\n```\n\n```text\n1.  \
                        a  b\n```\n- one\n  more\n- two\n\nEnd.";
        let text = "  See Huber, now.\n\n  1.  a  b\n\n  - one more\n  - two\n\n  End.";
        assert_eq!(unstyled(markdown), text);
    }

    #[test]
    fn chinese_is_broken_where_it_may_be() {
        let text = unstyled(&"交叉熵（`cross_entropy`），梯度。".repeat(20));
        assert!(text.lines().count() > 3);
        for line in text.lines().map(str::trim) {
            assert!(textwrap::core::display_width(line) <= crate::terminal::width() - 2, "{line}");
            assert!(!line.starts_with(['，', '。', '）']) && !line.ends_with('（'), "{line}");
            assert_eq!(line.matches("cross_entropy").count(), line.matches('_').count(), "{line}");
        }
    }
}
