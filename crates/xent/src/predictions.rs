//! What a loss is evaluated on: slices and `ndarray` arrays, read or replaced in place.

use crate::error::{Error, Result};
use crate::family::Family;
use crate::number::Element;
use std::borrow::Cow;

/// How predictions are laid out: rows of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    /// How many rows.
    pub rows: usize,
    /// The length of a row; 1 for a pointwise loss.
    pub classes: usize,
}

/// Predictions of any shape.
///
/// A pointwise loss takes each entry by itself. A classwise loss takes the last axis as the
/// classes: `&[T]` is one row, `(&[T], classes)` are rows one after the other, an array has its
/// own last axis.
pub trait Predictions {
    /// The type of an entry.
    type Element: Element;
    /// What a new gradient comes as: a vector, or an array of the same shape.
    type Gradient;

    /// Rows and classes, as the family reads them.
    ///
    /// # Errors
    /// [`Error::Shape`] if the entries do not fill rows of that length.
    fn layout(&self, family: Family) -> Result<Layout>;

    /// The entries in row-major order; borrowed where they lie so.
    fn entries(&self) -> Cow<'_, [Self::Element]>;

    /// Row-major entries in the shape of the predictions.
    fn shaped(&self, entries: Vec<Self::Element>) -> Self::Gradient;
}

/// Predictions that a gradient can replace.
pub trait PredictionsMut: Predictions {
    /// Runs `change` over the entries in row-major order.
    fn replace<R>(&mut self, change: impl FnOnce(&mut [Self::Element]) -> R) -> R;
}

fn layout(family: Family, len: usize, classes: usize) -> Result<Layout> {
    match family {
        Family::Pointwise => Ok(Layout { rows: len, classes: 1 }),
        Family::Classwise if classes == 0 || !len.is_multiple_of(classes) => Err(Error::Shape {
            argument: "predictions",
            expected: format!("rows of {classes} classes"),
            actual: format!("{len} entries"),
        }),
        Family::Classwise => Ok(Layout { rows: len / classes, classes }),
    }
}

macro_rules! slices {
    ($([$($generics:tt)*] $slice:ty;)*) => {$(
        slices!(@ [$($generics)*] &$slice);
        slices!(@ [$($generics)*] &mut $slice);

        impl<T: Element, $($generics)*> PredictionsMut for &mut $slice {
            fn replace<R>(&mut self, change: impl FnOnce(&mut [T]) -> R) -> R {
                change(&mut self[..])
            }
        }
    )*};
    (@ [$($generics:tt)*] $reference:ty) => {
        impl<T: Element, $($generics)*> Predictions for $reference {
            type Element = T;
            type Gradient = Vec<T>;

            fn layout(&self, family: Family) -> Result<Layout> {
                layout(family, self.len(), self.len())
            }

            fn entries(&self) -> Cow<'_, [T]> {
                Cow::Borrowed(&self[..])
            }

            fn shaped(&self, entries: Vec<T>) -> Vec<T> {
                entries
            }
        }
    };
}

slices! {
    [] [T];
    [] Vec<T>;
    [const N: usize] [T; N];
}

impl<T: Element, P: Predictions<Element = T, Gradient = Vec<T>>> Predictions for (P, usize) {
    type Element = T;
    type Gradient = Vec<T>;

    fn layout(&self, family: Family) -> Result<Layout> {
        layout(family, self.0.entries().len(), self.1)
    }

    fn entries(&self) -> Cow<'_, [T]> {
        self.0.entries()
    }

    fn shaped(&self, entries: Vec<T>) -> Vec<T> {
        entries
    }
}

impl<T: Element, P: PredictionsMut<Element = T, Gradient = Vec<T>>> PredictionsMut for (P, usize) {
    fn replace<R>(&mut self, change: impl FnOnce(&mut [T]) -> R) -> R {
        self.0.replace(change)
    }
}

#[cfg(feature = "ndarray")]
mod arrays {
    use super::{Cow, Element, Family, Layout, Predictions, PredictionsMut, Result, layout};
    use ndarray::{Array, ArrayBase, Data, DataMut, Dimension};

    macro_rules! arrays {
        ($($reference:ty, $data:ident;)*) => {$(
            impl<T: Element, S: $data<Elem = T>, D: Dimension> Predictions for $reference {
                type Element = T;
                type Gradient = Array<T, D>;

                fn layout(&self, family: Family) -> Result<Layout> {
                    layout(family, self.len(), self.shape().last().copied().unwrap_or(1))
                }

                fn entries(&self) -> Cow<'_, [T]> {
                    match self.as_slice() {
                        Some(entries) => Cow::Borrowed(entries),
                        None => Cow::Owned(self.iter().copied().collect()),
                    }
                }

                fn shaped(&self, entries: Vec<T>) -> Array<T, D> {
                    Array::from_shape_vec(self.raw_dim(), entries)
                        .expect("as many entries as the predictions have")
                }
            }
        )*};
    }

    arrays! {
        &ArrayBase<S, D>, Data;
        &mut ArrayBase<S, D>, DataMut;
    }

    impl<T: Element, S: DataMut<Elem = T>, D: Dimension> PredictionsMut for &mut ArrayBase<S, D> {
        fn replace<R>(&mut self, change: impl FnOnce(&mut [T]) -> R) -> R {
            if let Some(entries) = self.as_slice_mut() {
                return change(entries);
            }
            let mut entries: Vec<T> = self.iter().copied().collect();
            let result = change(&mut entries);
            self.iter_mut().zip(entries).for_each(|(entry, new)| *entry = new);
            result
        }
    }
}
