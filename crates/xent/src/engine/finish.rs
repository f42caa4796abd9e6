//! The last step of a block, and where its results go.

use super::run::{Run, Scratch, interleave};
use crate::dispatch::{LINE, Streams, TILE, Task};
use crate::number::{Element, Real};
use crate::predictions::Layout;
use crate::reduce::stripes;
use std::ops::Range;

/// How many entries of a row are scaled at a time.
pub(super) const LANES: usize = 8;

/// The part of a buffer that belongs to some consecutive rows.
pub(super) enum Place<'a, T> {
    /// Row after row.
    Rows(&'a mut [T]),
    /// A slice for each class, with an entry for each row.
    Planes(Vec<&'a mut [T]>),
}

impl<'a, T: Copy> Place<'a, T> {
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
    pub(super) fn part(&mut self, rows: Range<usize>, classes: usize) -> Place<'_, T> {
        match self {
            Place::Rows(all) => Place::Rows(&mut all[rows.start * classes..rows.end * classes]),
            Place::Planes(planes) => {
                Place::Planes(planes.iter_mut().map(|plane| &mut plane[rows.clone()]).collect())
            }
        }
    }

    /// What is there for some of the rows, row after row.
    pub(super) fn gather<'b>(
        &'b self,
        rows: Range<usize>,
        classes: usize,
        gathered: &'b mut Vec<T>,
    ) -> &'b [T] {
        match self {
            Place::Rows(all) => &all[rows.start * classes..rows.end * classes],
            Place::Planes(planes) => {
                let parts = planes.iter().map(|plane| &plane[rows.clone()]);
                interleave(parts, classes, rows.len(), gathered)
            }
        }
    }
}

/// The last step of a block: weigh, round, write and sum.
pub(super) struct Finish<'a, T: Element> {
    pub(super) run: &'a Run<'a, T>,
    pub(super) scratch: &'a mut Scratch<T>,
    pub(super) rows: usize,
    pub(super) values: Option<&'a mut [T]>,
    pub(super) gradient: Option<Place<'a, T>>,
    pub(super) curvature: Option<Place<'a, T>>,
    pub(super) streams: Option<&'a Streams>,
    pub(super) sum: &'a mut T::Wide,
}

impl<T: Element> Task for Finish<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run(self) {
        let Scratch { marks, weights, factors, values, gradient, curvature, rounded, .. } =
            self.scratch;
        let Run { problem, scale, averaged, .. } = *self.run;
        let (classes, plain) = (problem.layout.classes, problem.is_plain());
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
            scale_rows(place, curvature, weights, classes, rounded, self.streams);
        }
        if let Some(place) = self.gradient {
            for ((weight, marked), factor) in weights.iter_mut().zip(marked).zip(&**factors) {
                *weight = (*marked * scale).weigh(*factor);
            }
            scale_rows(place, gradient, weights, classes, rounded, self.streams);
        }
    }
}

/// Cuts `out` so that all tiles but the first start with a line of the cache.
fn tiles_from_a_line<T>(out: &[T]) -> impl Iterator<Item = Range<usize>> + use<T> {
    let (count, head) = (out.len(), out.as_ptr().align_offset(LINE).min(out.len()));
    let starts = (head..count).step_by(TILE).map(move |start| start..count.min(start + TILE));
    (head > 0).then_some(0..head).into_iter().chain(starts)
}

/// Rounds each row times its weight, or all times the only weight, into `place` through `rounded`.
#[inline(always)]
fn scale_rows<T: Element>(
    place: Place<'_, T>,
    wide: &[T::Wide],
    weights: &[T::Wide],
    classes: usize,
    rounded: &mut [T],
    streams: Option<&Streams>,
) {
    let write = |to: &mut [T], from: &[T]| match streams {
        Some(streams) => streams.copy(to, from),
        None => to.copy_from_slice(from),
    };
    match (place, weights) {
        (Place::Rows(out), &[weight]) => {
            for tile in tiles_from_a_line(out) {
                for (rounded, &wide) in rounded.iter_mut().zip(&wide[tile.clone()]) {
                    *rounded = T::weighed(wide, weight);
                }
                let count = tile.len();
                write(&mut out[tile], &rounded[..count]);
            }
        }
        (Place::Rows(out), _) if classes == 1 => {
            for tile in tiles_from_a_line(out) {
                let inputs = wide[tile.clone()].iter().zip(&weights[tile.clone()]);
                for (rounded, (&wide, weight)) in rounded.iter_mut().zip(inputs) {
                    *rounded = T::weighed(wide, *weight);
                }
                let count = tile.len();
                write(&mut out[tile], &rounded[..count]);
            }
        }
        (place, _) => {
            round_rows(wide, weights, classes, rounded);
            match place {
                Place::Rows(out) => write(out, &rounded[..out.len()]),
                Place::Planes(planes) => {
                    for (class, plane) in planes.into_iter().enumerate() {
                        for (out, row) in plane.iter_mut().zip(rounded.chunks(classes)) {
                            *out = row[class];
                        }
                    }
                }
            }
        }
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
