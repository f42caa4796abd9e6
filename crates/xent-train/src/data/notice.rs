use std::fmt;

use serde::{Deserialize, Serialize};

/// Something done to the data that its owner should know of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "notice", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Notice {
    /// A column without a name, commonly a row index, was left out.
    UnnamedColumn {
        /// Position of the column; the first is 1.
        position: usize,
    },
    /// Rows without a target were left out.
    RowsWithoutTarget {
        /// The target.
        column: String,
        /// How many rows.
        rows: usize,
    },
    /// Rows that the data has for training were left out.
    OnlyTest {
        /// How many rows.
        left_out: usize,
    },
    /// Images of another size were scaled, whatever their proportions.
    ScaledImages {
        /// How many images.
        images: usize,
        /// The height that all have now.
        height: usize,
        /// The width.
        width: usize,
    },
    /// Missing numbers were replaced by the median of the training rows.
    MissingNumbers {
        /// The column.
        column: String,
        /// How many cells of the rows at hand.
        cells: usize,
        /// What replaces them.
        median: f64,
    },
    /// Missing text was made a category of its own.
    MissingText {
        /// The column.
        column: String,
        /// How many cells of the rows at hand.
        cells: usize,
    },
    /// A column that never varies in training was left out.
    Constant {
        /// The column.
        column: String,
    },
    /// A text column with too many distinct values was left out.
    Identifier {
        /// The column.
        column: String,
        /// Its distinct values.
        levels: usize,
        /// The rows they were counted in.
        rows: usize,
        /// If nearly all cells are numbers, the place and text of one that is not.
        text: Option<String>,
    },
    /// Texts were cut after so many tokens.
    LongTexts {
        /// The column.
        column: String,
        /// How many texts.
        texts: usize,
        /// How many tokens are read.
        most_tokens: usize,
    },
    /// Cells with a category that training has not seen were encoded as no category.
    UnseenCategory {
        /// The column.
        column: String,
        /// How many cells.
        cells: usize,
        /// One such category; missing cells have none.
        example: Option<String>,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnnamedColumn { position } => {
                write!(f, "column {position} has no name and is left out")
            }
            Self::RowsWithoutTarget { column, rows } => {
                write!(f, "{} without `{column}` left out", count(*rows, "row"))
            }
            Self::OnlyTest { left_out } => {
                write!(f, "{} for training left out", count(*left_out, "row"))
            }
            Self::ScaledImages { images, height, width } => {
                let images = count(*images, "image");
                write!(f, "{images} of another size scaled to {height}×{width} pixels")
            }
            Self::MissingNumbers { column, cells, median } => write!(
                f,
                "`{column}`: {} replaced by the training median {median}",
                count(*cells, "missing value")
            ),
            Self::MissingText { column, cells } => write!(
                f,
                "`{column}`: {} treated as a category of their own",
                count(*cells, "missing value")
            ),
            Self::Constant { column } => {
                write!(f, "`{column}` never varies in training and is left out")
            }
            Self::Identifier { column, levels, rows, text } => {
                write!(
                    f,
                    "`{column}` has {levels} distinct texts in {} and is left out",
                    count(*rows, "row")
                )?;
                match text {
                    Some(text) => write!(f, "; it would be numeric but for {text}"),
                    None => Ok(()),
                }
            }
            Self::LongTexts { column, texts, most_tokens } => write!(
                f,
                "`{column}`: {} cut after {}",
                count(*texts, "text"),
                count(*most_tokens, "token")
            ),
            Self::UnseenCategory { column, cells, example } => {
                write!(f, "`{column}`: {} not seen in training", count(*cells, "value"))?;
                match example {
                    Some(example) => write!(f, ", for example `{example}`"),
                    None => write!(f, " (missing)"),
                }
            }
        }
    }
}

fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
