//! What a loss is evaluated on: slices and `ndarray` arrays, read or replaced in place.

use crate::error::{Error, Result};
use crate::family::Family;
use crate::number::Element;
use std::borrow::Cow;

/// How predictions are laid out: rows of classes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    /// How many rows.
    pub(crate) rows: usize,
    /// The length of a row; 1 for a pointwise loss.
    pub(crate) classes: usize,
    /// How far the classes of a row are apart: the product of the axes after theirs.
    pub(crate) inner: usize,
}

impl Layout {
    /// How a family reads entries of a shape, with the classes along `axis`.
    pub(crate) fn new(
        shape: &[usize],
        entries: usize,
        family: Family,
        axis: Option<isize>,
    ) -> Result<Self> {
        if shape.iter().product::<usize>() != entries {
            return Err(Error::Shape {
                argument: "predictions",
                expected: match shape {
                    [_, classes] => format!("rows of {classes} classes"),
                    _ => format!("as many entries as in the shape {shape:?}"),
                },
                actual: format!("{entries} entries"),
            });
        }
        match (family, axis) {
            (Family::Pointwise, None) => Ok(Self { rows: entries, classes: 1, inner: 1 }),
            (Family::Pointwise, Some(_)) => Err(Error::Unsupported(
                "axis: a pointwise loss has no classes; leave the axis out".to_owned(),
            )),
            (Family::Classwise, None) if shape.is_empty() => {
                Ok(Self { rows: 1, classes: 1, inner: 1 })
            }
            (Family::Classwise, axis) => {
                let (axis, axes) = (axis.unwrap_or(-1), shape.len() as isize);
                if !(-axes..axes).contains(&axis) {
                    return Err(Error::Unsupported(format!(
                        "axis: {axis} is none of the axes of predictions of the shape {shape:?}; \
                         give one in {}..={}",
                        -axes,
                        axes - 1
                    )));
                }
                let axis = axis.rem_euclid(axes) as usize;
                let classes = shape[axis];
                let together = classes == 1 || entries == 0;
                let inner = if together { 1 } else { shape[axis + 1..].iter().product() };
                Ok(Self { rows: entries.checked_div(classes).unwrap_or(0), classes, inner })
            }
        }
    }

    /// The place of an entry.
    pub(crate) fn index(self, row: usize, class: usize) -> usize {
        (row / self.inner * self.classes + class) * self.inner + row % self.inner
    }

    /// The row of an entry.
    pub(crate) fn row_of(self, index: usize) -> usize {
        index / (self.classes * self.inner) * self.inner + index % self.inner
    }
}

/// Predictions of any shape.
///
/// A pointwise loss takes each entry by itself. A classwise loss takes the last axis as the
/// classes, or the one that [`Call::axis`](crate::Call::axis) names: `&[T]` is one row,
/// `(&[T], classes)` are rows one after the other, `(&[T], [usize; N])` is an array by its shape,
/// and an `ndarray` array has a shape of its own.
pub trait Predictions {
    /// The type of an entry.
    type Element: Element;
    /// What a new gradient comes as: a vector, or an array of the same shape.
    type Gradient;

    /// The length of each axis.
    fn shape(&self) -> Vec<usize>;

    /// How many entries there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries in row-major order; borrowed where they lie so.
    fn entries(&self) -> Cow<'_, [Self::Element]>;

    /// The rows along the last axis, if each is in one piece but they do not follow each other.
    fn rows_apart(&self) -> Option<Vec<&[Self::Element]>> {
        None
    }

    /// Row-major entries in the shape of the predictions.
    fn shaped(&self, entries: Vec<Self::Element>) -> Self::Gradient;
}

/// Predictions that a gradient can replace.
pub trait PredictionsMut: Predictions {
    /// Runs `change` over the entries in row-major order.
    fn replace<R>(&mut self, change: impl FnOnce(&mut [Self::Element]) -> R) -> R;
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

            fn shape(&self) -> Vec<usize> {
                vec![Predictions::len(self)]
            }

            fn len(&self) -> usize {
                self[..].len()
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

    fn shape(&self) -> Vec<usize> {
        vec![self.len().checked_div(self.1).unwrap_or(0), self.1]
    }

    fn len(&self) -> usize {
        self.0.len()
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

impl<T, P, const N: usize> Predictions for (P, [usize; N])
where
    T: Element,
    P: Predictions<Element = T, Gradient = Vec<T>>,
{
    type Element = T;
    type Gradient = Vec<T>;

    fn shape(&self) -> Vec<usize> {
        self.1.to_vec()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn entries(&self) -> Cow<'_, [T]> {
        self.0.entries()
    }

    fn shaped(&self, entries: Vec<T>) -> Vec<T> {
        entries
    }
}

impl<T, P, const N: usize> PredictionsMut for (P, [usize; N])
where
    T: Element,
    P: PredictionsMut<Element = T, Gradient = Vec<T>>,
{
    fn replace<R>(&mut self, change: impl FnOnce(&mut [T]) -> R) -> R {
        self.0.replace(change)
    }
}

#[cfg(feature = "ndarray")]
mod arrays {
    use super::{Cow, Element, Predictions, PredictionsMut};
    use ndarray::{Array, ArrayBase, Data, DataMut, Dimension};

    macro_rules! arrays {
        ($($reference:ty, $data:ident;)*) => {$(
            impl<T: Element, S: $data<Elem = T>, D: Dimension> Predictions for $reference {
                type Element = T;
                type Gradient = Array<T, D>;

                fn shape(&self) -> Vec<usize> {
                    ArrayBase::shape(self).to_vec()
                }

                fn len(&self) -> usize {
                    ArrayBase::len(self)
                }

                fn entries(&self) -> Cow<'_, [T]> {
                    match self.as_slice() {
                        Some(entries) => Cow::Borrowed(entries),
                        None => Cow::Owned(self.iter().copied().collect()),
                    }
                }

                fn rows_apart(&self) -> Option<Vec<&[T]>> {
                    if self.is_standard_layout() || self.ndim() < 2 {
                        return None;
                    }
                    self.rows().into_iter().map(|row| row.to_slice()).collect()
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
