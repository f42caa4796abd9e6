//! The page of a loss as Markdown, for the book.

use crate::article::{Article, Section};
use crate::failure::Result;
use crate::terminal::Output;
use anstream::adapter::strip_str;
use std::io::Write as _;

pub(crate) fn print(article: &Article, output: &mut Output) -> Result {
    let (entry, language) = (article.catalogued.entry(), article.language);
    let family = article.loss.family().name();
    writeln!(output, "# {}\n\n{}\n", entry.name, linked(&article.summary))?;
    writeln!(output, "*{family} · {}*", entry.tags.join(", "))?;
    if !entry.aliases.is_empty() {
        writeln!(output, "\n{}`{}`", language.label("also: "), entry.aliases.join("`, `"))?;
    }
    for section in article.sections()? {
        let (heading, text) = match section {
            Section::Formula(formula) => ("Formula", format!("```text\n{formula}\n```")),
            Section::Parameters => ("Parameters", parameters(article)),
            Section::Markdown("Example", code) => ("Example", example(code)),
            Section::Markdown(heading, text) => (heading, linked(text)),
            Section::Numbers { command, table } => {
                let table = strip_str(table.trim_end()).to_string();
                ("Worked numbers", format!("```text\n$ {command}\n{table}\n```"))
            }
            // A block of HTML, which ends at the first empty line.
            Section::Curve(figure) => ("Curve", format!("<div>\n{}</div>", figure.svg()?)),
        };
        writeln!(output, "\n## {}\n\n{text}", language.label(heading))?;
    }
    Ok(())
}

fn parameters(article: &Article) -> String {
    let label = |english| article.language.label(english);
    let mut table = format!(
        "| {} | {} | {} | {} |\n|---|---|---|---|",
        label("name"),
        label("default"),
        label("range"),
        label("meaning")
    );
    for parameter in article.catalogued.entry().parameters {
        let meaning = linked(article.meaning(parameter));
        let (name, default, range) = (parameter.name, parameter.default, parameter.range);
        table += &format!("\n| `{name}` | {default} | {range} | {meaning} |");
    }
    table
}

/// Code as it is read: named as Rust, without the lines that documentation hides.
fn example(code: &str) -> String {
    let shown = code.lines().filter(|line| !line.starts_with("# "));
    shown.collect::<Vec<_>>().join("\n").replacen("```", "```rust", 1)
}

/// Links to other losses as links to their pages.
fn linked(markdown: &str) -> String {
    let mut parts = markdown.split("](crate::");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once(')').unwrap_or((part, ""));
        text += &format!("]({}.md){rest}", snake_case(name));
    }
    text
}

fn snake_case(name: &str) -> String {
    let mut text = String::new();
    for letter in name.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_pages() {
        assert_eq!(linked("[`A`](crate::SmoothL1), [b](c)"), "[`A`](smooth_l1.md), [b](c)");
        for entry in xent::catalogue() {
            for part in entry.documentation.split("](crate::").skip(1) {
                let (name, _) = part.split_once(')').unwrap();
                let name = snake_case(name);
                assert!(xent::catalogue::find(&name).is_ok(), "{}: {name}", entry.name);
            }
        }
    }

    #[test]
    fn hidden_lines_of_code_are_left_out() {
        let code = "```\nuse xent::Huber;\n# Ok::<(), xent::Error>(())\n```";
        assert_eq!(example(code), "```rust\nuse xent::Huber;\n```");
    }
}
