use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use unicode_segmentation::UnicodeSegmentation as _;

use super::target::text;
use super::{Notice, Table};
use crate::error::{DataError, DataProblem};

/// A word that the vocabulary does not have, and all there is of an empty text.
const UNKNOWN: u32 = 0;

/// Words that are in the vocabulary stand in so many training texts at least.
const FEWEST_TEXTS: usize = 2;

/// The most words that a vocabulary has, the most frequent ones.
const MOST_WORDS: usize = 20_000;

/// Turns texts into tokens.
///
/// A token is a word, a number or a punctuation mark, as the rules of Unicode
/// (UAX #29) find them in any language, in lower case. The vocabulary is that
/// of the training rows; other words are the unknown token.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Stored", into = "Stored")]
pub struct Vocabulary {
    column: String,
    most_tokens: usize,
    words: Vec<String>,
    index: HashMap<String, u32>,
}

/// A vocabulary without what follows from the rest.
#[derive(Serialize, Deserialize)]
struct Stored {
    column: String,
    most_tokens: usize,
    words: Vec<String>,
}

impl Vocabulary {
    /// The vocabulary of a column of texts, of which the first `most_tokens`
    /// tokens each are read.
    pub(super) fn fit(table: &Table, column: &str, most_tokens: usize) -> Result<Self, DataError> {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for tokens in texts(table, column)?.iter().map(|text| tokens(text, most_tokens)) {
            let mut tokens: Vec<String> = tokens.collect();
            tokens.sort_unstable();
            tokens.dedup();
            tokens.into_iter().for_each(|token| *counts.entry(token).or_default() += 1);
        }
        let mut counts: Vec<(String, usize)> =
            counts.into_iter().filter(|(_, texts)| *texts >= FEWEST_TEXTS).collect();
        counts.sort_by(|(a, in_a), (b, in_b)| in_b.cmp(in_a).then_with(|| a.cmp(b)));
        counts.truncate(MOST_WORDS);
        if counts.is_empty() {
            return Err(table.error(DataProblem::NoWords).column(column));
        }
        let words = counts.into_iter().map(|(word, _)| word).collect();
        Ok(Stored { column: column.to_owned(), most_tokens, words }.into())
    }

    /// The column that is read.
    pub fn column(&self) -> &str {
        &self.column
    }

    /// The words, the most frequent first.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Number of tokens: the words and the unknown one.
    pub fn size(&self) -> usize {
        self.words.len() + UNKNOWN as usize + 1
    }

    /// The tokens of each row, at least one.
    pub(super) fn encode(&self, table: &Table) -> Result<Vec<Vec<u32>>, DataError> {
        let encode = |text: &String| {
            let indices = tokens(text, self.most_tokens)
                .map(|token| self.index.get(&token).copied().unwrap_or(UNKNOWN));
            let indices: Vec<u32> = indices.collect();
            if indices.is_empty() { vec![UNKNOWN] } else { indices }
        };
        Ok(texts(table, &self.column)?.iter().map(encode).collect())
    }

    pub(super) fn notices(&self, table: &Table) -> Result<Vec<Notice>, DataError> {
        let texts = texts(table, &self.column)?;
        let is_longer = |text: &&String| tokens(text, usize::MAX).nth(self.most_tokens).is_some();
        let longer = texts.iter().filter(is_longer).count();
        Ok(match longer {
            0 => Vec::new(),
            texts => vec![Notice::LongTexts {
                column: self.column.clone(),
                texts,
                most_tokens: self.most_tokens,
            }],
        })
    }
}

impl From<Stored> for Vocabulary {
    fn from(Stored { column, most_tokens, words }: Stored) -> Self {
        let index = words.iter().cloned().zip(UNKNOWN + 1..).collect();
        Self { column, most_tokens, words, index }
    }
}

impl From<Vocabulary> for Stored {
    fn from(Vocabulary { column, most_tokens, words, .. }: Vocabulary) -> Self {
        Self { column, most_tokens, words }
    }
}

/// The texts of a column; a missing one is empty.
fn texts(table: &Table, column: &str) -> Result<Vec<String>, DataError> {
    let values = &table.column(column)?.values;
    Ok((0..table.rows()).map(|row| text(values, row).unwrap_or_default()).collect())
}

fn tokens(text: &str, most: usize) -> impl Iterator<Item = String> {
    let words = text.split_word_bounds().filter(|word| !word.trim().is_empty());
    words.take(most).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Column, Values};

    fn table(texts: &[&str]) -> Table {
        let texts = texts.iter().map(|text| Some((*text).to_owned())).collect();
        let column = Column { name: "text".to_owned(), values: Values::Texts(texts) };
        Table::new("t", vec![column]).unwrap()
    }

    #[test]
    fn words_are_numbered_by_frequency_and_rare_ones_are_unknown() {
        let train = table(&["The cat, the dog", "the CAT!", "a cat sat, 3.5 times"]);
        let vocabulary = Vocabulary::fit(&train, "text", 100).unwrap();
        assert_eq!(vocabulary.words(), ["cat", ",", "the"]);
        assert_eq!(vocabulary.size(), 4);
        let rows = vocabulary.encode(&table(&["cat bird the", "", " \t"])).unwrap();
        assert_eq!(rows, [vec![1, UNKNOWN, 3], vec![UNKNOWN], vec![UNKNOWN]]);
    }

    #[test]
    fn texts_are_capped_and_said_to_be() {
        let train = table(&["one two three four", "one two"]);
        let vocabulary = Vocabulary::fit(&train, "text", 2).unwrap();
        assert_eq!(vocabulary.encode(&train).unwrap(), [vec![1, 2], vec![1, 2]]);
        let notices = vocabulary.notices(&train).unwrap();
        assert_eq!(notices[0].to_string(), "`text`: 1 text cut after 2 tokens");
    }

    #[test]
    fn languages_without_spaces_have_words_too() {
        let train = table(&["电影很好", "电影很差"]);
        let vocabulary = Vocabulary::fit(&train, "text", 100).unwrap();
        assert_eq!(vocabulary.encode(&train).unwrap()[0].len(), 4);
    }

    #[test]
    fn a_vocabulary_survives_json() {
        let vocabulary = Vocabulary::fit(&table(&["a b", "b a"]), "text", 7).unwrap();
        let json = serde_json::to_string(&vocabulary).unwrap();
        assert_eq!(json, r#"{"column":"text","most_tokens":7,"words":["a","b"]}"#);
        assert_eq!(serde_json::from_str::<Vocabulary>(&json).unwrap(), vocabulary);
    }

    #[test]
    fn texts_without_a_common_word_are_an_error() {
        let error = Vocabulary::fit(&table(&["a", "b"]), "text", 7).unwrap_err().to_string();
        assert!(error.contains("no word stands in 2 of the training texts"), "{error}");
    }
}
