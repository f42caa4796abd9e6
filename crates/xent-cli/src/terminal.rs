//! What commands print with: colours where they are wanted, lines that fit, tables.

use anstyle::{AnsiColor, Style};
use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use std::io::{IsTerminal as _, StdoutLock, Write as _};
use xent::catalogue::Entry;

/// The standard output; drops colours unless it is a terminal that wants them.
pub(crate) type Output = anstream::AutoStream<StdoutLock<'static>>;

pub(crate) const HEADING: Style = Style::new().bold();
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default().bold();
pub(crate) const CODE: Style = AnsiColor::Cyan.on_default();
pub(crate) const TITLE: Style = Style::new().italic();
pub(crate) const QUIET: Style = Style::new().dimmed();
const WRONG: Style = AnsiColor::Red.on_default().bold();

pub(crate) fn output() -> Output {
    anstream::AutoStream::auto(std::io::stdout().lock())
}

/// Prints a failure on the standard error stream.
pub(crate) fn complain(text: &str) {
    tell(WRONG, "error:", text);
}

/// Prints what the user should know of on the standard error stream.
pub(crate) fn note(text: &impl std::fmt::Display) {
    tell(QUIET, "note:", &text.to_string());
}

/// One line, or on a terminal as many as it takes.
fn tell(style: Style, label: &str, text: &str) {
    let words = [label].into_iter().chain(text.split_whitespace());
    let line = words.collect::<Vec<_>>().join(" ");
    let lines = if std::io::stderr().is_terminal() { wrapped(&line, 0) } else { line };
    let text = lines.strip_prefix(label).unwrap_or_default();
    // When even the error stream is closed, the exit code alone must tell.
    let _ = writeln!(anstream::stderr(), "{style}{label}{style:#}{text}");
}

/// A word as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), Into::into)
}

/// A number of things, in words.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Columns to fill: those of the terminal, or 80, but no more than are good to read.
pub(crate) fn width() -> usize {
    textwrap::termwidth().clamp(40, 100)
}

/// `text` in lines that fit, each after `indent` spaces.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    hanging(text, indent, indent)
}

/// `text` in lines that fit, the first after `first` spaces and the others after `others`.
pub(crate) fn hanging(text: &str, first: usize, others: usize) -> String {
    let (first, others) = (" ".repeat(first), " ".repeat(others));
    let options = textwrap::Options::new(width())
        .initial_indent(&first)
        .subsequent_indent(&others)
        .word_separator(separator(text))
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(text, options)
}

/// Chinese has no spaces to break lines at; elsewhere a name stays whole.
fn separator(text: &str) -> textwrap::WordSeparator {
    let chinese = |c: char| ('\u{3000}'..='\u{9fff}').contains(&c);
    match text.contains(chinese) {
        true => textwrap::WordSeparator::UnicodeBreakProperties,
        false => textwrap::WordSeparator::AsciiSpace,
    }
}

/// The formula of a loss in lines that fit.
pub(crate) fn formula(entry: &Entry) -> String {
    let formula = entry.page().formula;
    formula.lines().map(|line| hanging(line, 2, 4)).collect::<Vec<_>>().join("\n")
}

/// Rows under a header without any rules; columns are right-aligned but for the first `left`.
pub(crate) fn table<R>(header: &[&str], rows: impl IntoIterator<Item = R>, left: usize) -> String
where
    R: IntoIterator<Item = String>,
{
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(header.to_vec());
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width() as u16);
    for row in rows {
        table.add_row(row.into_iter().collect::<Vec<_>>());
    }
    for column in table.column_iter_mut().skip(left) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt()
}
