//! Blocks row after row, and class after class.

use crate::dispatch::Task;

/// From rows to planes, or back.
pub(super) struct Transpose<'a, T> {
    pub(super) from: &'a [T],
    pub(super) to: &'a mut [T],
    pub(super) rows: usize,
    pub(super) classes: usize,
    /// Whether `from` is planes.
    pub(super) back: bool,
}

impl<T: Copy> Task for Transpose<'_, T> {
    type Output = ();

    /// With as many classes as the compiler knows of, it moves vectors and not single numbers.
    #[inline(always)]
    fn run(self) {
        match self.classes {
            2 => self.of::<2>(),
            3 => self.of::<3>(),
            4 => self.of::<4>(),
            5 => self.of::<5>(),
            6 => self.of::<6>(),
            7 => self.of::<7>(),
            8 => self.of::<8>(),
            _ => self.of_many(),
        }
    }
}

impl<T: Copy> Transpose<'_, T> {
    #[inline(always)]
    fn of<const CLASSES: usize>(self) {
        let Self { from, to, rows, back, .. } = self;
        if back {
            let mut rest = from;
            let planes: [&[T]; CLASSES] = std::array::from_fn(|_| {
                let (plane, others) = rest.split_at(rows);
                rest = others;
                plane
            });
            for (row, to) in to.as_chunks_mut::<CLASSES>().0[..rows].iter_mut().enumerate() {
                *to = std::array::from_fn(|class| planes[class][row]);
            }
        } else {
            let mut rest = to;
            let mut planes: [&mut [T]; CLASSES] = std::array::from_fn(|_| {
                let (plane, others) = std::mem::take(&mut rest).split_at_mut(rows);
                rest = others;
                plane
            });
            for (row, from) in from.as_chunks::<CLASSES>().0[..rows].iter().enumerate() {
                for (plane, &entry) in planes.iter_mut().zip(from) {
                    plane[row] = entry;
                }
            }
        }
    }

    #[inline(always)]
    fn of_many(self) {
        let Self { from, to, rows, classes, back } = self;
        for class in 0..classes {
            let plane = class * rows..(class + 1) * rows;
            if back {
                for (to, &entry) in to[class..].iter_mut().step_by(classes).zip(&from[plane]) {
                    *to = entry;
                }
            } else {
                for (to, &entry) in to[plane].iter_mut().zip(from[class..].iter().step_by(classes))
                {
                    *to = entry;
                }
            }
        }
    }
}
