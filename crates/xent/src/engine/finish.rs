//! The last step of a block, and where its results go.

use super::planes::Transpose;
use super::run::{Run, Scratch};
use crate::dispatch::{LINE, Streams, TILE, Task, prefetch, vectorised};
use crate::family::softmax::LONG;
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::stripes;
use std::ops::Range;

/// How many entries of a row are scaled at a time.
pub(super) const LANES: usize = 8;

/// Entries of some consecutive rows; `S` is a slice.
pub(super) enum Place<S> {
    /// Row after row.
    Rows(S),
    /// A slice for each class, with an entry for each row.
    Planes(Vec<S>),
}

impl<'a, T: Copy> Place<&'a mut [T]> {
    /// The places of ranges of rows, which follow each other; none without a buffer.
    pub(super) fn split(
        buffer: Option<&'a mut [T]>,
        layout: Layout,
        cuts: &[Range<usize>],
    ) -> Vec<Self> {
        let Some(mut buffer) = buffer else { return Vec::new() };
        if layout.inner == 1 {
            let row = |cut: &Range<usize>| {
                let mine = buffer.split_off_mut(..cut.len() * layout.classes);
                Place::Rows(mine.unwrap_or_default())
            };
            return cuts.iter().map(row).collect();
        }
        let mut blocks = buffer.chunks_exact_mut(layout.classes * layout.inner);
        let mut planes: Vec<&mut [T]> = Vec::new();
        let place = |cut: &Range<usize>| {
            if cut.start.is_multiple_of(layout.inner) {
                let block = blocks.next().unwrap_or_default();
                planes = block.chunks_exact_mut(layout.inner).collect();
            }
            let mine =
                |plane: &mut &'a mut [T]| plane.split_off_mut(..cut.len()).unwrap_or_default();
            Place::Planes(planes.iter_mut().map(mine).collect())
        };
        cuts.iter().map(place).collect()
    }

    /// The place of some of the rows.
    pub(super) fn part(&mut self, rows: Range<usize>, classes: usize) -> Place<&mut [T]> {
        match self {
            Place::Rows(all) => Place::Rows(&mut all[rows.start * classes..rows.end * classes]),
            Place::Planes(planes) => {
                Place::Planes(planes.iter_mut().map(|plane| &mut plane[rows.clone()]).collect())
            }
        }
    }

    /// What is there for some of the rows.
    pub(super) fn view(&self, rows: Range<usize>, classes: usize) -> Place<&[T]> {
        match self {
            Place::Rows(all) => Place::Rows(&all[rows.start * classes..rows.end * classes]),
            Place::Planes(planes) => {
                Place::Planes(planes.iter().map(|plane| &plane[rows.clone()]).collect())
            }
        }
    }
}

impl<'a, T: Copy + Default> Place<&'a [T]> {
    /// All entries together, row after row or class after class; moved there if they are not so.
    pub(super) fn together<'b>(
        self,
        classes: usize,
        as_planes: bool,
        [gathered, transposed]: &'b mut [Vec<T>; 2],
    ) -> &'b [T]
    where
        'a: 'b,
    {
        let (from, are_planes): (&[T], _) = match self {
            Place::Rows(rows) => (rows, false),
            Place::Planes(planes) => {
                gathered.clear();
                for plane in planes {
                    prefetch(plane);
                    gathered.extend_from_slice(plane);
                }
                (gathered, true)
            }
        };
        if are_planes == as_planes {
            return from;
        }
        transposed.resize(from.len(), T::default());
        vectorised(Transpose {
            from,
            to: transposed,
            rows: from.len() / classes,
            classes,
            back: are_planes,
        });
        transposed
    }
}

/// The last step of a block: weigh, round, write and sum.
pub(super) struct Finish<'a, T: Element> {
    pub(super) run: &'a Run<'a, T>,
    pub(super) scratch: &'a mut Scratch<T>,
    pub(super) rows: usize,
    pub(super) values: Option<&'a mut [T]>,
    pub(super) gradient: Option<Place<&'a mut [T]>>,
    pub(super) curvature: Option<Place<&'a mut [T]>>,
    pub(super) streams: Option<&'a Streams>,
    pub(super) sum: &'a mut T::Wide,
}

impl<T: Element> Task for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Scratch {
            marks, weights, factors, values, gradient, curvature, rounded, turned, ..
        } = self.scratch;
        let Run { problem, scale, averaged, planes, .. } = *self.run;
        let (classes, plain) = (problem.layout.classes, problem.is_plain());
        let rounding = Rounding { classes, planes, streams: self.streams };
        let (marked, values) = (&marks.weights[..self.rows], &mut values[..self.rows]);
        if !plain {
            for (value, weight) in values.iter_mut().zip(marked) {
                *value = weight.weigh(*value);
            }
        }
        if let Some(out) = self.values {
            for (out, &value) in out.iter_mut().zip(&*values) {
                *out = T::narrow(value);
            }
        }
        if averaged {
            for value in values.iter_mut() {
                *value = *value * scale;
            }
        }
        *self.sum = stripes(values);
        // One weight does for all elements.
        let weights = &mut weights[..if plain && classes == 1 { 1 } else { self.rows }];
        if let Some(place) = self.curvature {
            for (weight, marked) in weights.iter_mut().zip(marked) {
                *weight = *marked * scale;
            }
            rounding.run(place, curvature, weights, rounded, turned);
        }
        if let Some(place) = self.gradient {
            for ((weight, marked), factor) in weights.iter_mut().zip(marked).zip(&**factors) {
                *weight = (*marked * scale).weigh(*factor);
            }
            rounding.run(place, gradient, weights, rounded, turned);
        }
    }
}

/// Cuts `out` so that all tiles but the first start with a line of the cache.
fn tiles_from_a_line<T>(out: &[T]) -> impl Iterator<Item = Range<usize>> + use<T> {
    let (count, head) = (out.len(), out.as_ptr().align_offset(LINE).min(out.len()));
    let starts = (head..count).step_by(TILE).map(move |start| start..count.min(start + TILE));
    (head > 0).then_some(0..head).into_iter().chain(starts)
}

/// How a block is rounded into its place.
#[derive(Clone, Copy)]
struct Rounding<'a> {
    classes: usize,
    /// Whether the wide entries are planes.
    planes: bool,
    streams: Option<&'a Streams>,
}

impl Rounding<'_> {
    #[inline(always)]
    fn write<T: Element>(self, to: &mut [T], from: &[T]) {
        match self.streams {
            Some(streams) => streams.copy(to, from),
            None => to.copy_from_slice(from),
        }
    }

    /// Lets `round` fill `out`; by way of `rounded` if that is written past the cache.
    #[inline(always)]
    fn tile_by_tile<T: Element>(
        self,
        out: &mut [T],
        rounded: &mut [T],
        round: impl Fn(Range<usize>, &mut [T]),
    ) {
        for tile in tiles_from_a_line(out) {
            match self.streams {
                Some(streams) => {
                    let rounded = &mut rounded[..tile.len()];
                    round(tile.clone(), rounded);
                    streams.copy(&mut out[tile], rounded);
                }
                None => round(tile.clone(), &mut out[tile]),
            }
        }
    }

    /// Rounds each row times its weight, or all times the only weight, into `place` through
    /// `rounded`, and through `turned` if the place has rows where there are planes, or planes
    /// where there are rows.
    #[inline(always)]
    fn run<T: Element>(
        self,
        place: Place<&mut [T]>,
        wide: &[T::Wide],
        weights: &[T::Wide],
        rounded: &mut [T],
        turned: &mut Vec<T>,
    ) {
        let classes = self.classes;
        match (place, weights) {
            (Place::Rows(out), &[weight]) if !self.planes || classes == 1 => {
                self.tile_by_tile(out, rounded, |tile, to| T::weigh_all(&wide[tile], weight, to));
            }
            (Place::Rows(out), _) if classes == 1 => {
                let round = |tile: Range<usize>, to: &mut [T]| {
                    round_each(&wide[tile.clone()], &weights[tile], to);
                };
                self.tile_by_tile(out, rounded, round);
            }
            (place, _) => {
                let (rows, count) = (weights.len(), weights.len() * classes);
                if self.planes {
                    let planes = wide.chunks_exact(rows).zip(rounded.chunks_exact_mut(rows));
                    for (wide, to) in planes.take(classes) {
                        round_each(wide, weights, to);
                    }
                } else if classes < LONG {
                    round_rows(wide, weights, classes, rounded);
                } else {
                    let rows = wide.chunks_exact(classes).zip(rounded.chunks_exact_mut(classes));
                    for ((wide, to), &weight) in rows.zip(weights) {
                        T::weigh_all(wide, weight, to);
                    }
                }
                let mut rounded = &rounded[..count];
                if self.planes != matches!(place, Place::Planes(_)) {
                    turned.resize(count, T::default());
                    let back = self.planes;
                    Transpose { from: rounded, to: turned, rows, classes, back }.run();
                    rounded = turned;
                }
                match place {
                    Place::Rows(out) => self.write(out, rounded),
                    Place::Planes(out) => {
                        let planes = out.into_iter().zip(rounded.chunks_exact(rows));
                        planes.for_each(|(out, plane)| out.copy_from_slice(plane));
                    }
                }
            }
        }
    }
}

/// Rounds each entry times its weight.
#[inline(always)]
fn round_each<T: Element>(wide: &[T::Wide], weights: &[T::Wide], rounded: &mut [T]) {
    for (rounded, (&wide, weight)) in rounded.iter_mut().zip(wide.iter().zip(weights)) {
        *rounded = T::weighed(wide, *weight);
    }
}

/// Rounds each row times its weight. Whole lanes at a time: what is written past the end of a row,
/// the next row corrects.
#[inline(always)]
fn round_rows<T: Element>(
    wide: &[T::Wide],
    weights: &[T::Wide],
    classes: usize,
    rounded: &mut [T],
) {
    for (row, weight) in weights.iter().enumerate() {
        let (mut start, end) = (row * classes, (row + 1) * classes);
        while start < end {
            let wide = wide[start..].first_chunk::<LANES>();
            let rounded = rounded[start..].first_chunk_mut::<LANES>();
            let (Some(wide), Some(rounded)) = (wide, rounded) else { break };
            *rounded = wide.map(|wide| T::weighed(wide, *weight));
            start += LANES;
        }
    }
}
