//! The layout: the pure function from a unit to its object and the offset in it. Fixed by the resolved plan; must
//! never know of lanes, agents, leases or of where the run's folder is.

mod sizes;

use std::ops::Range;
use std::sync::Arc;

pub use sizes::{MAX_SIZES, Sizes};

use crate::error::{Code, Error, Result};

/// A folder holds at most this many objects: huge folders are slow to list and to remove on many file systems.
pub const OBJECTS_PER_FOLDER: u64 = 1000;

/// Where each unit of a run is: units in order, cut into objects. Only the last may be shorter than its size says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    unit_bytes: u64,
    units: u64,
    objects: u64,
    cut: Cut,
}

/// How units are cut into objects.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Cut {
    /// So many units to each object.
    Equal(u64),
    /// Objects of sizes of their own.
    Unequal(Arc<Sizes>),
}

/// Where a unit is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Number of the object, from 0.
    pub object: u64,
    /// Offset of the unit's first byte in the object, in bytes.
    pub offset: u64,
}

impl Layout {
    /// A layout of `units` units of `unit_bytes` bytes (a multiple of 4096), `units_per_object` to an object.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] when a number is zero, the unit is no multiple of 4096 or the whole passes 2^63 bytes.
    pub fn new(unit_bytes: u64, units: u64, units_per_object: u64) -> Result<Self> {
        Self::cut(unit_bytes, units, Cut::Equal(units_per_object.min(units)))
    }

    /// The same with objects of unequal sizes.
    ///
    /// # Errors
    /// Those of [`Layout::new`].
    pub fn with_sizes(unit_bytes: u64, units: u64, sizes: Sizes) -> Result<Self> {
        Self::cut(unit_bytes, units, Cut::Unequal(Arc::new(sizes)))
    }

    fn cut(unit_bytes: u64, units: u64, cut: Cut) -> Result<Self> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        if unit_bytes == 0 || !unit_bytes.is_multiple_of(4096) {
            return refuse(format!("a unit of {unit_bytes} bytes is no multiple of 4096"), "choose another unit size");
        }
        let mut layout = Self { unit_bytes, units, objects: 0, cut };
        if units == 0 || layout.units_per_object() == 0 {
            let per_object = layout.units_per_object();
            return refuse(
                format!("a layout of {units} units, {per_object} to an object, is empty"),
                "give both at least 1",
            );
        }
        if units.checked_mul(unit_bytes).is_none_or(|bytes| bytes > 1 << 63) {
            return refuse(
                format!("{units} units of {unit_bytes} bytes are more than 2^63 bytes"),
                "choose a smaller data size",
            );
        }
        layout.objects = layout.object_at(units - 1).0 + 1;
        Ok(layout)
    }

    /// Bytes in a unit.
    pub fn unit_bytes(&self) -> u64 {
        self.unit_bytes
    }

    /// Units in all.
    pub fn units(&self) -> u64 {
        self.units
    }

    /// Units in an object, in the largest one where sizes differ; the last object may hold fewer.
    pub fn units_per_object(&self) -> u64 {
        match &self.cut {
            Cut::Equal(units_per_object) => *units_per_object,
            Cut::Unequal(sizes) => sizes.largest(),
        }
    }

    /// Objects in all.
    pub fn objects(&self) -> u64 {
        self.objects
    }

    /// Where objects begin and end, in units: one number more than there are objects. `None`: all have the same size.
    pub(crate) fn borders_of(&self, objects: Range<u64>) -> Option<Vec<u64>> {
        let Cut::Unequal(sizes) = &self.cut else { return None };
        Some(sizes.borders_of(objects).into_iter().map(|unit| unit.min(self.units)).collect())
    }

    /// The object that a unit is in, and the first of that object's units.
    #[inline]
    fn object_at(&self, unit: u64) -> (u64, u64) {
        match &self.cut {
            Cut::Equal(units_per_object) => {
                let object = unit / units_per_object;
                (object, object * units_per_object)
            }
            Cut::Unequal(sizes) => sizes.object_at(unit),
        }
    }

    /// Where a unit is.
    #[inline]
    pub fn place(&self, unit: u64) -> Place {
        debug_assert!(unit < self.units);
        let (object, first) = self.object_at(unit);
        Place { object, offset: (unit - first) * self.unit_bytes }
    }

    /// The units that an object holds.
    pub fn units_of(&self, object: u64) -> Range<u64> {
        let units = match &self.cut {
            Cut::Equal(units_per_object) => object * units_per_object..(object + 1) * units_per_object,
            Cut::Unequal(sizes) => sizes.units_of(object),
        };
        units.start..units.end.min(self.units)
    }

    /// Bytes in an object.
    pub fn bytes_of(&self, object: u64) -> u64 {
        let units = self.units_of(object);
        (units.end - units.start) * self.unit_bytes
    }

    /// The objects that hold any of these units.
    pub fn objects_of(&self, units: Range<u64>) -> Range<u64> {
        if units.is_empty() {
            return 0..0;
        }
        self.object_at(units.start).0..self.object_at(units.end - 1).0 + 1
    }

    /// The number of the folder that an object is in, or none when all objects are in the run's folder itself.
    pub fn folder_of(&self, object: u64) -> Option<u64> {
        (self.objects() > OBJECTS_PER_FOLDER).then_some(object / OBJECTS_PER_FOLDER)
    }

    /// An object's name relative to the run's folder: `f00000012`, or `d00012/f00012345` when there are more than
    /// [`OBJECTS_PER_FOLDER`] objects.
    pub fn name_of(&self, object: u64) -> String {
        match self.folder_of(object) {
            None => file_name(object),
            Some(folder) => format!("{}/{}", folder_name(folder), file_name(object)),
        }
    }
}

/// Name of an object's file in its folder.
pub fn file_name(object: u64) -> String {
    format!("f{object:08}")
}

/// Name of a numbered folder in the run's folder.
pub fn folder_name(folder: u64) -> String {
    format!("d{folder:05}")
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn equal() -> impl Strategy<Value = Layout> {
        (1u64..64, 1u64..5000, 1u64..6000)
            .prop_map(|(pages, units, per_object)| Layout::new(pages * 4096, units, per_object).unwrap())
    }

    fn layouts() -> impl Strategy<Value = Layout> {
        let unequal = (1u64..64, 1u64..5000, sizes::tests::sizes())
            .prop_map(|(pages, units, sizes)| Layout::with_sizes(pages * 4096, units, sizes).unwrap());
        prop_oneof![equal(), unequal]
    }

    proptest! {
        #[test]
        fn every_unit_has_exactly_one_place_and_no_two_overlap(layout in layouts()) {
            let mut next_free = vec![0u64; layout.objects() as usize];
            for unit in 0..layout.units() {
                let place = layout.place(unit);
                // Units come in order, so "starts where the one before ended" is both no overlap and no hole.
                prop_assert_eq!(place.offset, next_free[place.object as usize]);
                next_free[place.object as usize] += layout.unit_bytes();
                prop_assert!(layout.units_of(place.object).contains(&unit));
            }
            for object in 0..layout.objects() {
                prop_assert_eq!(layout.bytes_of(object), next_free[object as usize]);
            }
        }

        #[test]
        fn objects_start_on_unit_boundaries_and_only_the_last_is_short(layout in equal()) {
            for object in 0..layout.objects() {
                let units = layout.units_of(object);
                prop_assert_eq!(layout.place(units.start), Place { object, offset: 0 });
                let full = units.end - units.start == layout.units_per_object();
                prop_assert!(full || object + 1 == layout.objects());
            }
        }

        #[test]
        fn the_objects_of_a_range_are_those_of_its_units(layout in layouts(), a in 0u64..5000, b in 0u64..5000) {
            let (a, b) = (a % layout.units(), b % layout.units());
            let range = a.min(b)..a.max(b);
            let wanted: HashSet<u64> = range.clone().map(|unit| layout.place(unit).object).collect();
            let found: HashSet<u64> = layout.objects_of(range).collect();
            prop_assert_eq!(wanted, found);
        }

        #[test]
        fn no_two_objects_share_a_name(layout in layouts()) {
            let names: HashSet<String> = (0..layout.objects()).map(|object| layout.name_of(object)).collect();
            prop_assert_eq!(names.len() as u64, layout.objects());
        }
    }

    #[test]
    fn names_are_those_of_the_documented_layout() {
        assert_eq!(Layout::new(4096, 1000, 1).unwrap().name_of(12), "f00000012");
        assert_eq!(Layout::new(4096, 100_000, 1).unwrap().name_of(12_345), "d00012/f00012345");
        assert_eq!(Layout::new(4096, 1001, 1).unwrap().name_of(0), "d00000/f00000000");
    }

    #[test]
    fn a_layout_that_cannot_be_is_refused_before_anything_is_written() {
        for (unit, units, per_object) in [(0, 1, 1), (4095, 1, 1), (4096, 0, 1), (4096, 1, 0), (1 << 30, 1 << 34, 1)] {
            assert_eq!(Layout::new(unit, units, per_object).unwrap_err().code, Code::InvalidArgument);
        }
        assert!(Layout::new(4096, 1 << 51, 7).is_ok(), "2^63 bytes are just allowed");
    }
}
