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
    units: Range<u64>,
    /// Units of the layout: the last object may be cut short by its end.
    layout_units: u64,
    /// Units of a claim, but for those at the ends of a segment, which may have fewer.
    grain: u64,
    first_object: u64,
    segments: usize,
    count: u64,
    cut: Cut,
}

/// Where segments begin, in units and in claims.
#[derive(Clone, Debug)]
enum Cut {
    /// Objects have the same size, so that all but two segments have as many claims.
    Even {
        units_per_object: u64,
        /// Claims in the first segment.
        head: u64,
        /// Claims in each segment between the first and the last.
        body: u64,
    },
    /// The border before each object, and that behind the last: looked for by halves.
    Uneven(Box<[Border]>),
}

#[derive(Clone, Copy, Debug)]
struct Border {
    /// The first unit of the object.
    unit: u64,
    /// The first claim of its segment.
    claim: u64,
}

impl Claims {
    /// Cuts `units`, not empty and inside the layout, into claims of `grain` units.
    pub(super) fn new(layout: &Layout, units: Range<u64>, grain: u64) -> Self {
        let objects = layout.objects_of(units.clone());
        let segments = (objects.end - objects.start) as usize;
        // How many cells of the object's grid a part of it touches.
        let cells = |object: Range<u64>| {
            let part = object.start.max(units.start)..object.end.min(units.end);
            (part.end - object.start).div_ceil(grain) - (part.start - object.start) / grain
        };
        let (cut, count) = if let Some(borders) = layout.borders_of(objects.clone()) {
            let mut claim = 0;
            let mut border = |unit: u64, next: Option<&u64>| {
                let border = Border { unit, claim };
                claim += next.map_or(0, |end| cells(unit..*end));
                border
            };
            let next = borders.iter().skip(1).map(Some).chain([None]);
            let borders =
                std::iter::zip(borders.iter().copied(), next).map(|(unit, next)| border(unit, next)).collect();
            (Cut::Uneven(borders), claim)
        } else {
            let body = layout.units_per_object().div_ceil(grain);
            let head = cells(layout.units_of(objects.start));
            let count = match segments {
                0 | 1 => head,
                _ => head + (segments as u64 - 2) * body + cells(layout.units_of(objects.end - 1)),
            };
            (Cut::Even { units_per_object: layout.units_per_object(), head, body }, count)
        };
        Self { units, layout_units: layout.units(), grain, first_object: objects.start, segments, count, cut }
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

    /// The first unit of the object that a segment is a part of.
    #[inline]
    pub(super) fn object_start(&self, segment: usize) -> u64 {
        match &self.cut {
            Cut::Even { units_per_object, .. } => self.object(segment) * units_per_object,
            Cut::Uneven(borders) => borders[segment].unit,
        }
    }

    /// The unit behind that object, unless the data ends before.
    fn object_end(&self, segment: usize) -> u64 {
        match &self.cut {
            Cut::Even { units_per_object, .. } => (self.object(segment) + 1) * units_per_object,
            Cut::Uneven(borders) => borders[segment + 1].unit,
        }
    }

    /// The units of a segment.
    pub(super) fn segment_units(&self, segment: usize) -> Range<u64> {
        self.object_start(segment).max(self.units.start)..self.object_end(segment).min(self.units.end)
    }

    /// Whether a segment is all of its object.
    pub(super) fn is_whole(&self, segment: usize) -> bool {
        let end = self.object_end(segment).min(self.layout_units);
        self.segment_units(segment) == (self.object_start(segment)..end)
    }

    /// The claims of a segment, by number.
    pub(super) fn segment_claims(&self, segment: usize) -> Range<u64> {
        match &self.cut {
            Cut::Uneven(borders) => borders[segment].claim..borders[segment + 1].claim,
            Cut::Even { head, body, .. } => {
                let first = if segment == 0 { 0 } else { head + (segment as u64 - 1) * body };
                let next = if segment + 1 == self.segments { self.count } else { head + segment as u64 * body };
                first..next
            }
        }
    }

    /// The segment that a claim is in, and which of its claims it is.
    #[inline]
    fn in_segment(&self, index: u64) -> (usize, u64) {
        match &self.cut {
            Cut::Even { head, .. } if index < *head => (0, index),
            Cut::Even { head, body, .. } => {
                let behind = index - head;
                ((1 + behind / body) as usize, behind % body)
            }
            Cut::Uneven(borders) => {
                let segment = borders.partition_point(|border| border.claim <= index) - 1;
                (segment, index - borders[segment].claim)
            }
        }
    }

    /// The claim of this number.
    pub(super) fn get(&self, index: u64) -> Claim {
        let (segment, nth) = self.in_segment(index);
        let object = self.object_start(segment);
        let units = self.segment_units(segment);
        let cell = (units.start - object) / self.grain + nth;
        let start = (object + cell * self.grain).max(units.start);
        let end = (object + (cell + 1) * self.grain).min(units.end);
        Claim { index, segment, units: start..end }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::layout::Sizes;

    fn layouts() -> impl Strategy<Value = Layout> {
        let even = (1u64..500, 1u64..60).prop_map(|(units, per_object)| Layout::new(4096, units, per_object).unwrap());
        let uneven =
            (1u64..500, proptest::collection::vec(1u32..40, 16), any::<u64>()).prop_map(|(units, table, seed)| {
                Layout::with_sizes(4096, units, Sizes::new(&table, seed).unwrap()).unwrap()
            });
        prop_oneof![even, uneven]
    }

    proptest! {
        #[test]
        fn the_claims_of_a_range_are_its_units_each_once_and_never_cross_an_object(
            layout in layouts(), grain in 1u64..70, a in 0u64..500, b in 0u64..500,
        ) {
            let (a, b) = (a % layout.units(), b % layout.units());
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
                let object = claims.object(segment);
                prop_assert_eq!(claims.object_start(segment), layout.units_of(object).start);
                prop_assert_eq!(claims.is_whole(segment), layout.units_of(object) == units);
                prop_assert_eq!(claims.get(span.start).units.start, units.start);
                prop_assert_eq!(claims.get(span.end - 1).units.end, units.end);
            }
            prop_assert_eq!(claim, claims.count());
        }
    }
}
