//! Names one sector: the steps from what is certain and cheap to what must be searched for.

use super::held::{Held, Origin, What};
use super::{AGREEING_BYTES, Diagnosis, SECTOR_BYTES, different_bits, is_nearly};
use crate::{CELL_BYTES, MAX_STREAM_BYTES};
use std::cmp::Reverse;

/// A sector, or the part of one that is there.
#[derive(Clone, Copy)]
pub(super) struct Sector<'a> {
    /// What should be there.
    pub(super) expected: Origin,
    /// Where it begins, in bytes from the start of the stream.
    pub(super) offset: u64,
    /// What is there.
    pub(super) actual: &'a [u8],
    /// What is there behind it.
    pub(super) after: &'a [u8],
}

impl Sector<'_> {
    /// All of it holds this.
    fn held(&self, what: What) -> Held {
        Held { offset: self.offset, length: self.actual.len(), what }
    }

    /// All of it is what is expected, but for flipped bits.
    fn flipped(&self, bits: u32, right: &[u8]) -> Held {
        let first = right.iter().zip(self.actual).take_while(|(right, actual)| right == actual).count();
        let first_byte_offset = self.offset + first as u64;
        self.held(What::Flipped { origin: self.expected, bits, first_byte_offset })
    }

    /// All of it is from this origin, which is not the one that is expected.
    pub(super) fn from(&self, origin: Origin) -> Held {
        self.held(self.stray(origin, 0))
    }

    /// What it is that stands at `place` in the sector when it is not what is expected, but of this origin.
    pub(super) fn stray(&self, origin: Origin, place: usize) -> What {
        let expected = self.expected.plus(place);
        let here = (origin.run, origin.uid, origin.at) == (expected.run, expected.uid, expected.at);
        if here { What::Stale(origin) } else { What::Stray(origin) }
    }
}

impl Diagnosis<'_> {
    /// What a sector holds. `before`: where it comes from if the strays before it go on.
    pub(super) fn name(&self, sector: &Sector, before: Option<Origin>) -> Held {
        let Sector { expected, actual, .. } = *sector;
        let mut right = [0; SECTOR_BYTES];
        let right = &mut right[..actual.len()];
        self.fill(expected, right);
        let bits = different_bits(right, actual);
        if bits == 0 {
            return sector.held(What::Right(expected));
        }
        let nearly_right = is_nearly(bits, actual.len()).then_some((expected, bits));
        if nearly_right.is_none() && actual.iter().all(|byte| *byte == 0) {
            return sector.held(What::Zeros);
        }
        if let Some(origin) = before.filter(|origin| self.flips(*origin, actual) == Some(0)) {
            return sector.from(origin);
        }
        let mut origins = Vec::new();
        // A piece too short for a name is what is expected there, with flipped bits, or nothing.
        let runs = if actual.len() < AGREEING_BYTES { 0..0 } else { 0..self.earlier.len() + 1 };
        for run in runs {
            let found = self.origins(run, sector);
            let likely = before.iter().chain(&found);
            let flipped = likely.filter_map(|origin| Some((*origin, self.flips(*origin, actual)?)));
            if let Some((origin, bits)) = self.likeliest(nearly_right.into_iter().chain(flipped).collect(), sector) {
                return if origin == expected { sector.flipped(bits, right) } else { sector.from(origin) };
            }
            origins.extend(found);
        }
        if actual.len() < AGREEING_BYTES {
            return nearly_right.map_or_else(|| sector.held(What::Foreign), |(_, bits)| sector.flipped(bits, right));
        }
        let parts = self.mixture(sector, right, &origins);
        if self.is_torn(&parts) {
            return sector.held(What::Torn(parts));
        }
        // Garbage beside strays of one write does not take their name away. Right bytes give none to the others.
        let stray = parts.iter().find(|part| matches!(part.what, What::Stale(_) | What::Stray(_)));
        match stray.and_then(|part| part.origin().map(|origin| (part.offset - sector.offset, origin))) {
            None => sector.held(What::Foreign),
            Some((place, origin)) if origin.at >= place as i64 => {
                sector.from(Origin { at: origin.at - place as i64, ..origin })
            }
            // It would begin before its unit: no place is that of the whole sector.
            Some(_) => sector.held(What::Torn(parts)),
        }
    }

    /// The likeliest of some origins whose content the sector is, each with how many of its bits are flipped: the one with
    /// the fewest. In a cell that repeats a short period several of its sectors are equal, or differ in few bytes; among
    /// equals what stands behind the sector decides, where it can.
    fn likeliest(&self, fitting: Vec<(Origin, u32)>, sector: &Sector) -> Option<(Origin, u32)> {
        if fitting.len() <= 1 {
            return fitting.first().copied();
        }
        fitting.into_iter().min_by_key(|(origin, bits)| {
            let off_sectors = sector.distance(*origin) > 1;
            (*bits, off_sectors, Reverse(self.goes_on(*origin, sector)))
        })
    }

    /// How many of the sectors behind one go on from its origin. Past a cell's worth of them, or where nothing is there
    /// any more that could contradict, the answer is all.
    fn goes_on(&self, origin: Origin, sector: &Sector) -> usize {
        let mut next = origin.plus(sector.actual.len());
        let behind = sector.after.chunks(SECTOR_BYTES).take(CELL_BYTES / SECTOR_BYTES + 1);
        for (count, actual) in behind.enumerate() {
            if self.flips(next, actual) != Some(0) && !self.next_unit(&mut next, actual) {
                return count;
            }
            next = next.plus(actual.len());
        }
        usize::MAX
    }

    /// Moves an origin that is at the end of its unit to the start of the one behind it, if `actual` is from there. Under
    /// dedup each unit that it may be in has one of its own behind it.
    fn next_unit(&self, origin: &mut Origin, actual: &[u8]) -> bool {
        let content = self.content_of(*origin);
        if origin.at != content.unit_bytes() as i64 {
            return false;
        }
        let behind = content.units_of(origin.uid).take(super::MAX_CANDIDATE_UNITS).filter_map(|unit| {
            let unit = unit + 1;
            (unit < MAX_STREAM_BYTES).then(|| Origin { uid: content.unique_unit(unit), at: 0, ..*origin })
        });
        let mut fitting = behind.filter(|origin| self.flips(*origin, actual) == Some(0));
        fitting.next().inspect(|found| *origin = *found).is_some()
    }

    /// How many bits of these bytes are flipped if they are of this origin; `None` where they are not.
    fn flips(&self, origin: Origin, actual: &[u8]) -> Option<u32> {
        let content = self.content_of(origin);
        let inside = origin.at >= 0 && origin.at as u64 + actual.len() as u64 <= content.unit_bytes();
        if !inside {
            return None;
        }
        let mut bytes = [0; SECTOR_BYTES];
        let bytes = &mut bytes[..actual.len()];
        self.fill(origin, bytes);
        Some(different_bits(bytes, actual)).filter(|bits| is_nearly(*bits, actual.len()))
    }
}
