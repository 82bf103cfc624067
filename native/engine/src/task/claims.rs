//! How a range of units is cut into claims: what a lane takes at a time. Pure; must never know which claims are taken.
//!
//! A range is cut at the borders of objects into segments, and each segment into claims on a grid that starts at the
//! object's beginning. So a block lies at the same offset of the same object whatever ranges the plan was cut into.

use std::ops::Range;

use crate::layout::Layout;

/// A piece of a range that one lane works on at a time; it lies in one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// Its number in the range, from 0.
    pub(super) index: u64,
    /// The segment that it is in.
    pub(super) segment: usize,
    /// Its units.
    pub(super) units: Range<u64>,
}

/// The claims of one range.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    layout: Layout,
    units: Range<u64>,
    /// Units of a claim, but for those at the ends of a segment, which may have fewer.
    grain: u64,
    first_object: u64,
    segments: usize,
    /// Claims in the first segment.
    head: u64,
    /// Claims in each segment between the first and the last.
    body: u64,
    count: u64,
}

impl Claims {
    /// Cuts `units`, not empty and inside the layout, into claims of `grain` units.
    pub(super) fn new(layout: &Layout, units: Range<u64>, grain: u64) -> Self {
        let objects = layout.objects_of(units.clone());
        let segments = (objects.end - objects.start) as usize;
        let body = layout.units_per_object().div_ceil(grain);
        let mut claims = Self {
            layout: layout.clone(),
            units,
            grain,
            first_object: objects.start,
            segments,
            head: 0,
            body,
            count: 0,
        };
        claims.head = claims.in_segment(0);
        claims.count = match segments {
            0 | 1 => claims.head,
            _ => claims.head + (segments as u64 - 2) * body + claims.in_segment(segments - 1),
        };
        claims
    }

    /// How many claims there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many segments there are: objects that the range touches.
    pub(super) fn segments(&self) -> usize {
        self.segments
    }

    /// The units of the range.
    pub(super) fn units(&self) -> Range<u64> {
        self.units.clone()
    }

    /// The object that a segment is a part of.
    pub(super) fn object(&self, segment: usize) -> u64 {
        self.first_object + segment as u64
    }

    /// The segment that is a part of an object.
    pub(super) fn segment_of(&self, object: u64) -> Option<usize> {
        let segment = object.checked_sub(self.first_object)?;
        (segment < self.segments as u64).then_some(segment as usize)
    }

    /// The units of a segment.
    pub(super) fn segment_units(&self, segment: usize) -> Range<u64> {
        let object = self.layout.units_of(self.object(segment));
        object.start.max(self.units.start)..object.end.min(self.units.end)
    }

    /// The claims of a segment, by number.
    pub(super) fn segment_claims(&self, segment: usize) -> Range<u64> {
        let first = if segment == 0 { 0 } else { self.head + (segment as u64 - 1) * self.body };
        let next = if segment + 1 == self.segments { self.count } else { self.head + segment as u64 * self.body };
        first..next
    }

    /// The claim of this number.
    pub(super) fn get(&self, index: u64) -> Claim {
        let (segment, nth) = if index < self.head {
            (0, index)
        } else {
            let behind = index - self.head;
            ((1 + behind / self.body) as usize, behind % self.body)
        };
        let object = self.layout.units_of(self.object(segment)).start;
        let units = self.segment_units(segment);
        let cell = (units.start - object) / self.grain + nth;
        let start = (object + cell * self.grain).max(units.start);
        let end = (object + (cell + 1) * self.grain).min(units.end);
        Claim { index, segment, units: start..end }
    }

    /// How many cells of the object's grid a segment touches.
    fn in_segment(&self, segment: usize) -> u64 {
        let object = self.layout.units_of(self.object(segment)).start;
        let units = self.segment_units(segment);
        (units.end - object).div_ceil(self.grain) - (units.start - object) / self.grain
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_claims_of_a_range_are_its_units_each_once_and_never_cross_an_object(
            units in 1u64..500, per_object in 1u64..60, grain in 1u64..70, a in 0u64..500, b in 0u64..500,
        ) {
            let layout = Layout::new(4096, units, per_object).unwrap();
            let (a, b) = (a % units, b % units);
            let range = a.min(b)..a.max(b) + 1;
            let claims = Claims::new(&layout, range.clone(), grain);
            let mut next = range.start;
            for index in 0..claims.count() {
                let claim = claims.get(index);
                prop_assert_eq!(claim.index, index);
                prop_assert_eq!(claim.units.start, next);
                prop_assert!(!claim.units.is_empty() && claim.units.end - claim.units.start <= grain);
                next = claim.units.end;
                let object = layout.place(claim.units.start).object;
                prop_assert_eq!(object, claims.object(claim.segment));
                prop_assert_eq!(object, layout.place(claim.units.end - 1).object);
                prop_assert!(claims.segment_claims(claim.segment).contains(&index));
                // Inside a segment claims begin on the object's grid, so that blocks are where they always are.
                let in_object = claim.units.start - layout.units_of(object).start;
                prop_assert!(in_object.is_multiple_of(grain) || claim.units.start == range.start);
            }
            prop_assert_eq!(next, range.end);
            let mut claim = 0;
            for segment in 0..claims.segments() {
                let span = claims.segment_claims(segment);
                prop_assert_eq!(span.start, claim);
                prop_assert_eq!(claims.segment_of(claims.object(segment)), Some(segment));
                claim = span.end;
                let units = claims.segment_units(segment);
                prop_assert_eq!(claims.get(span.start).units.start, units.start);
                prop_assert_eq!(claims.get(span.end - 1).units.end, units.end);
            }
            prop_assert_eq!(claim, claims.count());
        }
    }
}
