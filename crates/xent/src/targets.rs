//! What predictions are held against: class indices, or numbers.

use crate::dispatch::prefetch;
use crate::number::Element;
use std::borrow::Cow;

/// The targets of a call, made by `From` from slices, vectors and arrays.
///
/// Integers are class indices, one per row. Floating-point numbers of the type of the predictions
/// are values, one per prediction; for a classwise loss each row of them is a distribution.
#[derive(Clone, Debug)]
pub enum Targets<'a, T: Element> {
    /// A class index for each row.
    Labels(Labels<'a>),
    /// A number for each prediction, row-major.
    Values(Cow<'a, [T]>),
}

/// A type that targets can be stored in, for predictions of type `T`.
pub trait TargetElement<T: Element>: Copy {
    /// Row-major entries as targets.
    fn targets(entries: Cow<'_, [Self]>) -> Targets<'_, T>;
}

macro_rules! values {
    ($($element:ty),*) => {$(
        impl TargetElement<$element> for $element {
            fn targets(entries: Cow<'_, [Self]>) -> Targets<'_, $element> {
                Targets::Values(entries)
            }
        }
    )*};
}

values!(half::f16, half::bf16, f32, f64);

macro_rules! labels {
    ($($variant:ident $integer:ty,)*) => {
        /// Class indices of any integer type, as they are.
        #[derive(Clone, Debug)]
        #[non_exhaustive]
        pub enum Labels<'a> {
            $(
                #[doc = concat!("Class indices stored as `", stringify!($integer), "`.")]
                $variant(Cow<'a, [$integer]>),
            )*
        }

        impl Labels<'_> {
            /// How many rows there are.
            pub fn len(&self) -> usize {
                match self { $(Labels::$variant(entries) => entries.len(),)* }
            }

            /// Whether there are no rows.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// The class index of a row; one too large for an `i64` becomes `i64::MAX`.
            ///
            /// # Panics
            /// If there is no such row.
            #[inline]
            pub fn get(&self, row: usize) -> i64 {
                match self {
                    $(Labels::$variant(entries) => entries[row].try_into().unwrap_or(i64::MAX),)*
                }
            }

            /// The class indices of the rows from `first` on.
            #[inline(always)]
            pub(crate) fn read(&self, first: usize, out: &mut [i64]) {
                match self {
                    $(Labels::$variant(entries) => {
                        let entries = &entries[first..first + out.len()];
                        prefetch(entries);
                        for (out, &entry) in out.iter_mut().zip(entries) {
                            *out = entry.try_into().unwrap_or(i64::MAX);
                        }
                    })*
                }
            }
        }

        $(
            impl<T: Element> TargetElement<T> for $integer {
                fn targets(entries: Cow<'_, [Self]>) -> Targets<'_, T> {
                    Targets::Labels(Labels::$variant(entries))
                }
            }
        )*
    };
}

labels! {
    U8 u8,
    U16 u16,
    U32 u32,
    U64 u64,
    Usize usize,
    I8 i8,
    I16 i16,
    I32 i32,
    I64 i64,
}

impl<'a, T: Element, E: TargetElement<T>> From<&'a [E]> for Targets<'a, T> {
    fn from(entries: &'a [E]) -> Self {
        E::targets(Cow::Borrowed(entries))
    }
}

impl<'a, T: Element, E: TargetElement<T>> From<&'a Vec<E>> for Targets<'a, T> {
    fn from(entries: &'a Vec<E>) -> Self {
        E::targets(Cow::Borrowed(entries))
    }
}

impl<'a, T: Element, E: TargetElement<T>, const N: usize> From<&'a [E; N]> for Targets<'a, T> {
    fn from(entries: &'a [E; N]) -> Self {
        E::targets(Cow::Borrowed(entries))
    }
}

#[cfg(feature = "ndarray")]
impl<'a, T, S, D> From<&'a ndarray::ArrayBase<S, D>> for Targets<'a, T>
where
    T: Element,
    S: ndarray::Data<Elem: TargetElement<T>>,
    D: ndarray::Dimension,
{
    /// Borrows an array in standard layout; copies any other.
    fn from(array: &'a ndarray::ArrayBase<S, D>) -> Self {
        TargetElement::targets(match array.as_slice() {
            Some(entries) => Cow::Borrowed(entries),
            None => Cow::Owned(array.iter().copied().collect()),
        })
    }
}
