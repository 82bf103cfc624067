//! Which unique unit's content a unit holds, and the other way round. Every aligned window of units holds exactly as
//! many distinct ones as the ratio asks, scattered by a permutation of its own.

use crate::parameters::ONE_MILLI;
use crate::permutation::Permutation;
use crate::{MAX_STREAM_BYTES, Parameters};

/// Marks a counter as that of a window's permutation (bits 112…127), where content words have another.
const WINDOW_MARK: u128 = 0xD1CE << 112;

/// The counter of the random bits that choose the permutation of window `window`.
pub(crate) const fn window_counter(window: u64) -> u128 {
    window as u128 | WINDOW_MARK
}

/// Dedup as a ratio and a window; see `Parameters`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dedup {
    ratio_milli: u64,
    window_bits: u32,
}

/// One window: the unique units that it holds, and how they are scattered over it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window {
    /// Its number: its first unit divided by the units in a window.
    pub(crate) number: u64,
    bits: u32,
    /// The first unique unit.
    base: u64,
    /// How many unique units, from `base` on; from 1 to 2^32.
    distinct: u64,
    permutation: Permutation,
}

impl Dedup {
    /// Dedup for these parameters, which are valid.
    pub(crate) fn new(parameters: &Parameters) -> Self {
        Self { ratio_milli: parameters.dedup_milli, window_bits: parameters.window_bits }
    }

    /// Whether every unit is its own unique unit, so that there is no need of windows.
    pub(crate) fn is_none(&self) -> bool {
        self.ratio_milli == ONE_MILLI
    }

    /// The number of the window that unit `unit` is in.
    pub(crate) fn window_of(&self, unit: u64) -> u64 {
        unit >> self.window_bits
    }

    /// The window of this number; `random` gives the bits that belong to a counter.
    pub(crate) fn window(&self, number: u64, random: impl FnOnce(u128) -> u128) -> Window {
        let base = self.base(number.into());
        Window {
            number,
            bits: self.window_bits,
            base: base as u64,
            distinct: (self.base(u128::from(number) + 1) - base) as u64,
            permutation: Permutation::new(self.window_bits, random(window_counter(number))),
        }
    }

    /// The number of the only window that holds a unique unit, unless that lies beyond unit 2^63. No window lies across.
    pub(crate) fn window_holding(&self, uid: u64) -> Option<u64> {
        // The last window whose base is at most `uid`. With b and D for window and ratio, base(w) = ⌊w·b·1000/D⌋ ≤ uid
        // exactly when w·b·1000 < (uid + 1)·D. The ratio is at most the window's units, so no window is empty.
        let beyond = (u128::from(uid) + 1) * u128::from(self.ratio_milli);
        let window = (beyond - 1) / (u128::from(ONE_MILLI) << self.window_bits);
        ((window << self.window_bits) < u128::from(MAX_STREAM_BYTES)).then_some(window as u64)
    }

    /// The first unique unit of a window; at most the window's first unit.
    fn base(&self, window: u128) -> u128 {
        (window << self.window_bits) * u128::from(ONE_MILLI) / u128::from(self.ratio_milli)
    }
}

impl Window {
    /// The unique unit that a unit of this window holds.
    pub(crate) fn uid(&self, unit: u64) -> u64 {
        // The window has at most 2^32 units, so this keeps all bits of the unit's place in it.
        let place = unit as u32 & (((1u64 << self.bits) - 1) as u32);
        self.base + ((u64::from(self.permutation.apply(place)) * self.distinct) >> self.bits)
    }

    /// The units of this window that hold a unique unit of this window.
    pub(crate) fn units_of(&self, uid: u64) -> Units {
        // Scattered place x holds unique unit ⌊x·Q/W⌋, so the places of one are neighbours.
        let nth = u128::from(uid - self.base);
        let start = |nth: u128| (nth << self.bits).div_ceil(self.distinct.into()) as u64;
        Units(Places::Scattered { window: *self, next: start(nth), end: start(nth + 1) })
    }
}

/// The units that hold one unique unit, in no particular order; from `Content::units_of`.
#[derive(Clone, Debug)]
pub struct Units(Places);

#[derive(Clone, Debug)]
enum Places {
    /// At most this one: there is no dedup.
    Single(Option<u64>),
    /// Places next…end of the window's permutation.
    Scattered { window: Window, next: u64, end: u64 },
}

impl Units {
    /// No units at all.
    pub(crate) fn none() -> Self {
        Self(Places::Single(None))
    }

    /// Only this unit.
    pub(crate) fn single(unit: u64) -> Self {
        Self(Places::Single(Some(unit).filter(|unit| *unit < MAX_STREAM_BYTES)))
    }
}

impl Iterator for Units {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        match &mut self.0 {
            Places::Single(unit) => unit.take(),
            Places::Scattered { window, next, end } => {
                let scattered = (*next..*end).next()?;
                *next += 1;
                Some((window.number << window.bits) + u64::from(window.permutation.undo(scattered as u32)))
            }
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = match &self.0 {
            Places::Single(unit) => usize::from(unit.is_some()),
            Places::Scattered { next, end, .. } => (end - next) as usize,
        };
        (left, Some(left))
    }
}

impl ExactSizeIterator for Units {}

#[cfg(test)]
mod tests;
