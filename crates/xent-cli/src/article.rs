//! What the page of a loss says, in the language of the reader.
//!
//! The page in English is the documentation of the loss. In other languages there is a file for
//! each loss with the same sections; formula, ranges, numbers, examples and references are never
//! repeated there.

use crate::example::Example;
use crate::failure::{Failure, Result};
use crate::plot::usual_figure;
use include_dir::{Dir, include_dir};
use std::collections::HashMap;
use xent::catalogue::{Page, Parameter};
use xent::{Catalogued, Loss};
use xent_chart::Figure;

/// A language of the pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Language {
    /// English
    En,
    /// Simplified Chinese
    Zh,
}

static CHINESE_PAGES: Dir = include_dir!("$CARGO_MANIFEST_DIR/pages/zh");

/// The headings and labels, and what they are in Chinese.
const CHINESE: [(&str, &str); 15] = [
    ("Formula", "公式"),
    ("Parameters", "参数"),
    ("Derivation", "推导"),
    ("Worked numbers", "算例"),
    ("Curve", "曲线"),
    ("When to use", "适用场景"),
    ("Pitfalls", "注意事项"),
    ("Elsewhere", "其他库"),
    ("Example", "示例"),
    ("Reference", "参考文献"),
    ("also: ", "又名："),
    ("default", "默认值"),
    ("range", "取值范围"),
    ("name", "名称"),
    ("meaning", "含义"),
];

impl Language {
    /// A heading or label in this language.
    pub(crate) fn label(self, english: &'static str) -> &'static str {
        let chinese = || CHINESE.iter().find(|(known, _)| *known == english);
        match self {
            Language::En => english,
            Language::Zh => chinese().map_or(english, |(_, chinese)| chinese),
        }
    }
}

/// The page of a loss.
pub(crate) struct Article<'a> {
    pub(crate) language: Language,
    pub(crate) loss: &'a dyn Loss,
    pub(crate) catalogued: &'a dyn Catalogued,
    pub(crate) summary: String,
    /// What each parameter means, in Markdown.
    meanings: HashMap<String, String>,
    page: Page,
    english: Page,
}

/// A section of an article, under its heading in English.
pub(crate) enum Section<'a> {
    /// The formula, which is of every language.
    Formula(&'a str),
    Parameters,
    Markdown(&'static str, &'a str),
    /// Worked numbers, and the command that shows them again.
    Numbers {
        command: String,
        table: String,
    },
    /// Value and gradient.
    Curve(Figure),
}

impl<'a> Article<'a> {
    pub(crate) fn new(loss: &'a dyn Loss, language: Language) -> Result<Self> {
        let catalogued = loss.page().ok_or_else(|| {
            Failure::Usage(format!(
                "{} is a sum, which has no page: explain its losses one by one, \
                 or give --prediction and --target to work an example",
                loss.name()
            ))
        })?;
        let entry = catalogued.entry();
        let english = entry.page();
        let page = match language {
            Language::En => english.clone(),
            Language::Zh => chinese_page(entry.name).ok_or_else(|| {
                Failure::Usage(format!("{} has no page in Chinese; leave out --lang", entry.name))
            })?,
        };
        let meanings = match page.section(language.label("Parameters")) {
            Some(list) => meanings(list),
            None => {
                let meaning = |p: &Parameter| (p.name.to_owned(), p.documentation.to_owned());
                entry.parameters.iter().map(meaning).collect()
            }
        };
        let summary = page.summary.clone();
        Ok(Self { language, loss, catalogued, summary, meanings, page, english })
    }

    /// What a parameter means.
    pub(crate) fn meaning(&self, parameter: &Parameter) -> &str {
        self.meanings.get(parameter.name).map_or(parameter.documentation, String::as_str)
    }

    /// The sections in the order of the page, with what is computed and not written.
    pub(crate) fn sections(&self) -> Result<Vec<Section<'_>>> {
        let mut sections = vec![Section::Formula(&self.english.formula)];
        if !self.catalogued.entry().parameters.is_empty() {
            sections.push(Section::Parameters);
        }
        for heading in
            ["Derivation", "When to use", "Pitfalls", "Elsewhere", "Example", "Reference"]
        {
            let translated = self.page.section(self.language.label(heading));
            let text = translated.or_else(|| self.english.section(heading));
            sections.extend(text.map(|text| Section::Markdown(heading, text)));
            if heading == "Derivation" {
                let example = Example::usual(self.loss);
                let table = example.numbers()?;
                sections.push(Section::Numbers { command: example.command(), table });
                sections.push(Section::Curve(usual_figure(self.loss)?));
            }
        }
        Ok(sections)
    }
}

fn chinese_page(name: &str) -> Option<Page> {
    CHINESE_PAGES.get_file(format!("{name}.md"))?.contents_utf8().map(Page::of)
}

/// The items of a list ``- `name`：meaning``, by name.
fn meanings(list: &str) -> HashMap<String, String> {
    let item = |line: &str| {
        let (name, meaning) = line.strip_prefix("- `")?.split_once("`：")?;
        Some((name.to_owned(), meaning.to_owned()))
    };
    list.lines().filter_map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Parser, Tag};
    use std::collections::HashSet;

    #[test]
    fn every_loss_has_a_page_in_chinese_with_the_same_sections() {
        let files: HashSet<_> =
            CHINESE_PAGES.files().map(|file| file.path().to_string_lossy().into_owned()).collect();
        let names: HashSet<_> =
            xent::catalogue().iter().map(|entry| format!("{}.md", entry.name)).collect();
        assert_eq!(files, names);
        for entry in xent::catalogue() {
            let mut expected: Vec<&str> = Vec::new();
            for (heading, _) in &entry.page().sections {
                let (_, chinese) = CHINESE.iter().find(|(english, _)| english == heading).unwrap();
                expected.push(chinese);
                if heading == "Derivation" && !entry.parameters.is_empty() {
                    expected.push("参数");
                }
            }
            // What is of every language is not repeated.
            expected.retain(|heading| !["示例", "参考文献"].contains(heading));
            let page = chinese_page(entry.name).unwrap();
            let headings: Vec<&str> = page.sections.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(headings, expected, "{}", entry.name);
            let parameters: HashSet<String> =
                entry.parameters.iter().map(|parameter| parameter.name.to_owned()).collect();
            let told = page.section("参数").map(meanings).unwrap_or_default();
            assert_eq!(told.into_keys().collect::<HashSet<_>>(), parameters, "{}", entry.name);
        }
    }

    /// A page that was not brought up to date: other names in code, or other steps.
    #[test]
    fn pages_in_both_languages_name_the_same_things() {
        let code = |markdown: &str| -> HashSet<String> {
            let code = |event| match event {
                Event::Code(code) => Some(code.to_string()),
                _ => None,
            };
            Parser::new(markdown).filter_map(code).collect()
        };
        for entry in xent::catalogue() {
            let (english, chinese) = (entry.page(), chinese_page(entry.name).unwrap());
            for (heading, text) in &chinese.sections {
                let Some((heading, _)) = CHINESE.iter().find(|(_, chinese)| chinese == heading)
                else {
                    continue;
                };
                let Some(original) = english.section(heading) else { continue };
                assert_eq!(code(text), code(original), "{}: {heading}", entry.name);
                let steps =
                    |text: &str| text.matches("\n1. ").count() + text.matches("\n- ").count();
                assert_eq!(steps(text), steps(original), "{}: {heading}", entry.name);
                // Such as a line that happens to start with `1)`.
                let numbered = |event| matches!(event, Event::Start(Tag::List(Some(_))));
                assert!(!Parser::new(original).any(numbered), "{}: {heading}", entry.name);
            }
        }
    }
}
