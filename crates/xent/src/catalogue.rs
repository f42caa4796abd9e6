//! The catalogue: every loss by name, with its page, its parameters and their ranges.
//!
//! ```
//! let loss = xent::loss("huber:delta=1.5")?;
//! assert_eq!(loss.name(), "huber:delta=1.5");
//! for entry in xent::catalogue() {
//!     println!("{:28} {}", entry.name, entry.page().summary);
//! }
//! # Ok::<(), xent::Error>(())
//! ```

use crate::error::{Error, Result};
use crate::family::Loss;
use crate::sum::WeightedSum;
use std::fmt;

/// What the catalogue knows of a loss before it has parameters.
#[derive(Debug)]
pub struct Entry {
    /// The name, such as `cross_entropy`.
    pub name: &'static str,
    /// Other names that find it.
    pub aliases: &'static [&'static str],
    /// What it is used for, such as `regression` or `multiclass`.
    pub tags: &'static [&'static str],
    /// Its parameters, in the order of the struct.
    pub parameters: &'static [Parameter],
    /// The error that tests hold it to.
    pub ulp: Ulp,
    /// The documentation of the struct, as written.
    pub documentation: &'static str,
    /// Makes the loss from values for the parameters, in order; not checked.
    pub build: fn(&[f64]) -> Box<dyn Loss>,
}

/// A parameter of a loss.
#[derive(Debug)]
pub struct Parameter {
    /// The name, as the field of the struct.
    pub name: &'static str,
    /// The value it has unless set.
    pub default: f64,
    /// The legal values.
    pub range: Range,
    /// What it means.
    pub documentation: &'static str,
}

/// The legal values of a parameter.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Range {
    /// Greater than 0, and finite.
    Positive,
    /// 0 or greater, and finite.
    NonNegative,
    /// Between two numbers, neither included.
    Open(f64, f64),
    /// Between two numbers, both included.
    Closed(f64, f64),
    /// Between two numbers, both included, or one number that switches the parameter off.
    ClosedOr(f64, f64, f64),
    /// One of these.
    OneOf(&'static [f64]),
}

impl Range {
    /// Whether `value` is legal; NaN never is.
    pub fn contains(&self, value: f64) -> bool {
        match *self {
            Range::Positive => value > 0.0 && value.is_finite(),
            Range::NonNegative => value >= 0.0 && value.is_finite(),
            Range::Open(low, high) => low < value && value < high,
            Range::Closed(low, high) => (low..=high).contains(&value),
            Range::ClosedOr(low, high, off) => (low..=high).contains(&value) || value == off,
            Range::OneOf(values) => values.contains(&value),
        }
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Range::Positive => write!(f, "(0, ∞)"),
            Range::NonNegative => write!(f, "[0, ∞)"),
            Range::Open(low, high) => write!(f, "({low}, {high})"),
            Range::Closed(low, high) => write!(f, "[{low}, {high}]"),
            Range::ClosedOr(low, high, off) => write!(f, "[{low}, {high}] or {off}"),
            Range::OneOf(values) => {
                let values: Vec<String> = values.iter().map(f64::to_string).collect();
                write!(f, "{{{}}}", values.join(", "))
            }
        }
    }
}

/// The greatest error of a loss, in units in the last place of the result, that tests let pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ulp {
    /// Of a value.
    pub value: f64,
    /// Of an entry of the gradient.
    pub gradient: f64,
    /// Of an entry of the curvature.
    pub curvature: f64,
}

/// A loss with a page in the catalogue.
pub trait Catalogued {
    /// Its entry.
    fn entry(&self) -> &'static Entry;

    /// The values of its parameters, in the order of the entry.
    fn values(&self) -> Vec<f64>;
}

impl dyn Catalogued + '_ {
    /// The text form that [`loss`] reads, with the parameters that are not default.
    pub fn text(&self) -> String {
        let entry = self.entry();
        let changed: Vec<String> = entry
            .parameters
            .iter()
            .zip(self.values())
            .filter(|(parameter, value)| parameter.default != *value)
            .map(|(parameter, value)| format!("{}={value}", parameter.name))
            .collect();
        match changed.is_empty() {
            true => entry.name.to_owned(),
            false => format!("{}:{}", entry.name, changed.join(",")),
        }
    }

    /// Whether every parameter is in its range.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first that is not.
    pub fn check(&self) -> Result<()> {
        let entry = self.entry();
        for (parameter, value) in entry.parameters.iter().zip(self.values()) {
            if !parameter.range.contains(value) {
                return Err(Error::Parameter {
                    loss: entry.name,
                    parameter: parameter.name,
                    value,
                    range: parameter.range.to_string(),
                });
            }
        }
        Ok(())
    }
}

/// The documentation of a loss, in its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// One sentence.
    pub summary: String,
    /// The formula of the unreduced loss, in the language that the test kit evaluates.
    pub formula: String,
    /// The other sections, such as `When to use`, as (heading, Markdown), in order.
    pub sections: Vec<(String, String)>,
}

impl Page {
    /// Reads a page: a sentence, then sections under headings of the first level, in Markdown.
    pub fn of(documentation: &str) -> Self {
        let mut page =
            Page { summary: String::new(), formula: String::new(), sections: Vec::new() };
        // Comments start with a space.
        let margin = if documentation.starts_with(' ') { " " } else { "" };
        let mut in_code = false;
        for line in documentation.lines() {
            let line = line.strip_prefix(margin).unwrap_or(line);
            in_code ^= line.starts_with("```");
            match (line.strip_prefix("# "), page.sections.last_mut()) {
                (Some(heading), _) if !in_code => {
                    page.sections.push((heading.to_owned(), String::new()));
                }
                (_, None) => page.summary.extend([line, " "]),
                (_, Some((_, text))) => text.extend([line, "\n"]),
            }
        }
        page.summary = page.summary.trim().to_owned();
        page.sections.iter_mut().for_each(|(_, text)| *text = text.trim().to_owned());
        if let Some(at) = page.sections.iter().position(|(heading, _)| heading == "Formula") {
            let (_, text) = page.sections.remove(at);
            let lines = text.lines().filter(|line| !line.starts_with("```")).map(str::trim);
            page.formula = lines.collect::<Vec<_>>().join("\n");
        }
        page
    }

    /// The Markdown of the section under a heading, if it is there.
    pub fn section(&self, heading: &str) -> Option<&str> {
        let section = self.sections.iter().find(|(known, _)| known == heading);
        section.map(|(_, text)| text.as_str())
    }
}

impl Entry {
    /// The documentation in its parts.
    pub fn page(&self) -> Page {
        Page::of(self.documentation)
    }

    /// The loss with its default parameters.
    pub fn default_loss(&self) -> Box<dyn Loss> {
        (self.build)(&self.defaults())
    }

    /// The error for a parameter that the loss does not have.
    pub fn unknown_parameter(&self, name: &str) -> Error {
        let names: Vec<&str> = self.parameters.iter().map(|parameter| parameter.name).collect();
        let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Error::UnknownParameter { loss: self.name, name: name.to_owned(), known }
    }

    fn defaults(&self) -> Vec<f64> {
        self.parameters.iter().map(|parameter| parameter.default).collect()
    }
}

/// The entry with this name or alias; upper case and `-` for `_` are fine.
///
/// # Errors
/// [`Error::UnknownLoss`] suggests the nearest name.
pub fn find(name: &str) -> Result<&'static Entry> {
    let wanted = name.trim().to_lowercase().replace(['-', ' '], "_");
    let names =
        |entry: &'static Entry| std::iter::once(entry.name).chain(entry.aliases.iter().copied());
    if let Some(entry) = entries().iter().find(|entry| names(entry).any(|known| known == wanted)) {
        return Ok(entry);
    }
    let close = |known: &&str| edit_distance(known, &wanted) <= 1 + wanted.len() / 3;
    let nearest = entries()
        .iter()
        .flat_map(|entry| names(entry))
        .filter(close)
        .min_by_key(|known| edit_distance(known, &wanted))
        .map(str::to_owned);
    Err(Error::UnknownLoss { name: name.to_owned(), nearest })
}

/// Reads a loss in text form: `name` or `name:key=value,key=value`, or a sum of such with factors,
/// `cross_entropy+0.5*softmax_focal:gamma=1`.
///
/// # Errors
/// [`Error::UnknownLoss`], [`Error::UnknownParameter`], [`Error::Syntax`],
/// [`Error::Parameter`] for a value out of range, or [`Error::Unsupported`] for a sum of losses
/// that do not go together.
pub fn loss(text: &str) -> Result<Box<dyn Loss>> {
    let terms = split_terms(text);
    if let [term] = terms[..]
        && !term.contains('*')
    {
        return single(term);
    }
    let syntax = |reason: String| Error::Syntax { text: text.to_owned(), reason };
    let term = |term: &str| {
        let (factor, loss) = term.split_once('*').unwrap_or(("1", term));
        let factor: f64 = factor
            .trim()
            .parse()
            .map_err(|_| syntax(format!("the factor '{}' is not a number", factor.trim())))?;
        Ok((factor, single(loss)?))
    };
    let terms: Result<Vec<_>> = terms.into_iter().map(term).collect();
    Ok(Box::new(WeightedSum::new(terms?)?))
}

/// The parts between plus signs, other than those of exponents such as `1e+3`.
fn split_terms(text: &str) -> Vec<&str> {
    let mut terms = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices('+') {
        let exponent = text[..at].strip_suffix(['e', 'E']);
        if !exponent
            .is_some_and(|digits| digits.ends_with(|c: char| c.is_ascii_digit() || c == '.'))
        {
            terms.push(&text[start..at]);
            start = at + 1;
        }
    }
    terms.push(&text[start..]);
    terms
}

fn single(text: &str) -> Result<Box<dyn Loss>> {
    let (name, assignments) = text.split_once(':').unwrap_or((text, ""));
    let entry = find(name)?;
    let syntax = |reason: String| Error::Syntax { text: text.trim().to_owned(), reason };
    let mut values = entry.defaults();
    for assignment in assignments.split(',').filter(|assignment| !assignment.trim().is_empty()) {
        let (key, value) = assignment
            .split_once('=')
            .ok_or_else(|| syntax(format!("'{}' has no '='", assignment.trim())))?;
        let (key, value) = (key.trim(), value.trim());
        let index = entry.parameters.iter().position(|parameter| parameter.name == key);
        let index = index.ok_or_else(|| entry.unknown_parameter(key))?;
        values[index] = value.parse().map_err(|_| syntax(format!("'{value}' is not a number")))?;
    }
    let loss = (entry.build)(&values);
    loss.check()?;
    Ok(loss)
}

/// Levenshtein distance.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

/// Every loss of the catalogue.
pub fn entries() -> &'static [&'static Entry] {
    crate::losses::CATALOGUE
}

/// A loss of the catalogue: the struct, its default, and its entry, from one declaration.
macro_rules! catalogued {
    (
        $(#[doc = $documentation:literal])+
        pub struct $loss:ident = $name:literal,
            aliases: [$($alias:literal),* $(,)?],
            tags: [$($tag:literal),* $(,)?],
            ulp: [$value:literal, $gradient:literal, $curvature:literal]
        {
            $(
                $(#[doc = $field_documentation:literal])+
                $field:ident: $default:literal in $range:expr,
            )*
        }
    ) => {
        $(#[doc = $documentation])+
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $loss {
            $(
                $(#[doc = $field_documentation])+
                #[doc = concat!("Default ", stringify!($default), ".")]
                pub $field: f64,
            )*
        }

        impl Default for $loss {
            fn default() -> Self {
                Self { $($field: $default),* }
            }
        }

        impl $loss {
            pub(crate) const ENTRY: $crate::catalogue::Entry = $crate::catalogue::Entry {
                name: $name,
                aliases: &[$($alias),*],
                tags: &[$($tag),*],
                parameters: &[$(
                    $crate::catalogue::Parameter {
                        name: stringify!($field),
                        default: $default,
                        range: $range,
                        documentation: concat!($($field_documentation),+).trim_ascii(),
                    },
                )*],
                ulp: $crate::catalogue::Ulp {
                    value: $value,
                    gradient: $gradient,
                    curvature: $curvature,
                },
                documentation: concat!($($documentation, "\n"),+),
                build: |values| {
                    let mut values = values.iter().copied();
                    let _ = &mut values;
                    $(let $field = values.next().unwrap_or($default);)*
                    Box::new(Self { $($field),* })
                },
            };
        }

        impl $crate::catalogue::Catalogued for $loss {
            fn entry(&self) -> &'static $crate::catalogue::Entry {
                const { &Self::ENTRY }
            }

            fn values(&self) -> Vec<f64> {
                vec![$(self.$field),*]
            }
        }
    };
}
pub(crate) use catalogued;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_and_aliases_are_unique() {
        let mut seen = HashSet::new();
        for entry in entries() {
            for name in std::iter::once(&entry.name).chain(entry.aliases) {
                assert!(seen.insert(*name), "{name} is taken twice");
            }
        }
    }

    #[test]
    fn every_file_of_a_loss_is_in_the_list() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/losses");
        let files: HashSet<String> = std::fs::read_dir(folder)
            .expect("the folder of losses")
            .map(|file| file.expect("a file").path())
            .map(|path| path.file_stem().expect("a name").to_string_lossy().into_owned())
            .filter(|name| name != "mod")
            .collect();
        let names: HashSet<String> = entries().iter().map(|entry| entry.name.to_owned()).collect();
        assert_eq!(files, names);
    }

    #[test]
    fn every_page_is_an_article() {
        let sections =
            ["Derivation", "When to use", "Pitfalls", "Elsewhere", "Example", "Reference"];
        for entry in entries() {
            let page = entry.page();
            let headings: Vec<&str> = page.sections.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(headings, sections, "{}", entry.name);
            assert!(!page.summary.is_empty() && !page.formula.is_empty(), "{}", entry.name);
            let derivation = page.section("Derivation").unwrap_or_default();
            // As wide as it can be after an indentation of four, in 80 columns.
            let longest = derivation.lines().map(|line| line.chars().count()).max();
            assert!(longest <= Some(76), "{}: {derivation}", entry.name);
            assert!(derivation.contains("\n1. ") && derivation.contains("\n2. "), "{}", entry.name);
        }
    }

    #[test]
    fn text_forms_are_read() {
        for (text, name) in [
            ("huber", "huber"),
            (" Huber : delta = 2.50 ", "huber:delta=2.5"),
            ("MSE", "mean_squared_error"),
            ("smooth-l1:beta=1e-3", "smooth_l1:beta=0.001"),
            ("huber:delta=1e+2", "huber:delta=100"),
            ("mse + 0.5*mae", "mean_squared_error+0.5*mean_absolute_error"),
            ("2*mse", "2*mean_squared_error"),
        ] {
            assert_eq!(loss(text).map(|loss| loss.name()), Ok(name.to_owned()), "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, message) in [
            ("hubr", "unknown loss 'hubr'; did you mean 'huber'?"),
            ("xyzzy", "unknown loss 'xyzzy'; `xent list` shows them all"),
            ("huber:delta=-1", "huber: delta is -1, but must be in (0, ∞)"),
            ("huber:beta=1", "huber has no parameter 'beta'; it has delta"),
            ("mse:a=1", "mean_squared_error has no parameter 'a'; it has none"),
            (
                "huber:delta",
                "cannot read the loss 'huber:delta': 'delta' has no '='; write name:key=value,key=value",
            ),
            (
                "mse+cross_entropy",
                "mean_squared_error and cross_entropy cannot be added: they do not take the same \
                 predictions and targets",
            ),
        ] {
            let error = loss(text).expect_err(text);
            assert_eq!(error.to_string(), message);
        }
    }
}
