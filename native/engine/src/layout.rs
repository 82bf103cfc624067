//! The layout: the pure function from a unit to its object and the offset in it. Fixed by the resolved plan; must
//! never know of lanes, agents, leases or of where the run's folder is.

mod listed;
mod name;
mod sizes;
mod tree;

use std::fmt::Write;
use std::ops::Range;
use std::sync::Arc;

pub use listed::Listed;
pub use name::Name;
pub use sizes::{MAX_SIZES, Sizes};
pub use tree::{MAX_DEPTH, Names, Tree};

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
    /// The directories that its files lie in, and how long the files are, where it is a tree.
    tree: Option<Arc<Tree>>,
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

    /// A tree of files: each is the first bytes of as many units as it needs, and of one unit when it is empty.
    ///
    /// # Errors
    /// Those of [`Layout::new`]; [`Code::InvalidArgument`] for a tree that cannot be.
    pub fn of_tree(unit_bytes: u64, tree: Tree) -> Result<Self> {
        tree.validate()?;
        let per_file = tree.file_bytes.div_ceil(unit_bytes.max(1)).max(1);
        // Too many are refused with those that are more than 2^63 bytes.
        let units = tree.files().saturating_mul(per_file);
        let layout = Self::cut(unit_bytes, units, Cut::Equal(per_file))?;
        Ok(Self { tree: Some(Arc::new(tree)), ..layout })
    }

    fn cut(unit_bytes: u64, units: u64, cut: Cut) -> Result<Self> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        if unit_bytes == 0 || !unit_bytes.is_multiple_of(4096) {
            return refuse(format!("a unit of {unit_bytes} bytes is no multiple of 4096"), "choose another unit size");
        }
        let mut layout = Self { unit_bytes, units, objects: 0, cut, tree: None };
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
        if let Some(tree) = &self.tree {
            return tree.file_bytes;
        }
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

    /// The tree that it is, if it is one.
    pub fn tree(&self) -> Option<&Tree> {
        self.tree.as_deref()
    }

    /// The same tree with the names that its next rename makes.
    pub fn renamed(&self) -> Option<Self> {
        let tree = self.tree()?;
        let names = tree.next?;
        Some(Self { tree: Some(Arc::new(Tree { names, ..tree.clone() })), ..self.clone() })
    }

    /// The number of the folder that an object is in, or none when all objects are in the run's folder itself.
    pub fn folder_of(&self, object: u64) -> Option<u64> {
        match &self.tree {
            Some(tree) => Some(tree.directory_of(tree.home_of(object), tree.names)),
            None => (self.objects() > OBJECTS_PER_FOLDER).then_some(object / OBJECTS_PER_FOLDER),
        }
    }

    /// How many numbered folders there are.
    pub fn folders(&self) -> u64 {
        match &self.tree {
            Some(tree) => tree.directories,
            None if self.objects() > OBJECTS_PER_FOLDER => self.objects().div_ceil(OBJECTS_PER_FOLDER),
            None => 0,
        }
    }

    /// The folder that a numbered folder is in; none when that is the run's folder.
    pub fn parent_of_folder(&self, folder: u64) -> Option<u64> {
        self.tree().and_then(|tree| tree.parent(folder))
    }

    /// The objects that are in a folder; in the run's folder itself for none.
    pub fn objects_in(&self, folder: Option<u64>) -> Range<u64> {
        match (folder, &self.tree) {
            (Some(directory), Some(tree)) => tree.files_in(directory),
            (Some(folder), None) => {
                let first = folder * OBJECTS_PER_FOLDER;
                first.min(self.objects())..(first + OBJECTS_PER_FOLDER).min(self.objects())
            }
            (None, _) if self.folders() > 0 => 0..0,
            (None, _) => 0..self.objects(),
        }
    }

    /// The same units cut into folders instead of objects, in the order of the objects in them: what work on whole folders
    /// is shared by.
    pub fn by_folder(&self) -> Self {
        let per_folder = match (&self.tree, &self.cut) {
            (Some(tree), Cut::Equal(per_object)) => tree.files_per_directory * per_object,
            (None, Cut::Equal(per_object)) if self.folders() > 0 => OBJECTS_PER_FOLDER * per_object,
            _ => self.units,
        };
        let (unit_bytes, units) = (self.unit_bytes, self.units);
        Self { unit_bytes, units, objects: units.div_ceil(per_folder), cut: Cut::Equal(per_folder), tree: None }
    }

    /// An object's name in its folder.
    pub fn file_name(&self, object: u64) -> Name {
        Tree::file_name(object, self.tree.as_ref().map_or_else(Names::default, |tree| tree.names))
    }

    /// A numbered folder's name in the folder that it is in.
    pub fn folder_name(&self, folder: u64) -> Name {
        if self.tree.is_some() { tree::directory_name(folder) } else { folder_name(folder) }
    }

    /// A numbered folder's path relative to the run's folder.
    pub fn folder_path(&self, folder: u64) -> String {
        self.tree.as_ref().map_or_else(|| folder_name(folder).to_string(), |tree| tree.directory_path(folder))
    }

    /// An object's name relative to the run's folder: `f00000012`, or `d00012/f00012345` when there are more than
    /// [`OBJECTS_PER_FOLDER`] objects; in a tree `d00000003/d00000017/f00012345`.
    pub fn name_of(&self, object: u64) -> String {
        match self.folder_of(object) {
            None => self.file_name(object).to_string(),
            Some(folder) => format!("{}/{}", self.folder_path(folder), self.file_name(object)),
        }
    }
}

/// Name of a numbered folder in the run's folder.
fn folder_name(folder: u64) -> Name {
    let mut name = Name::default();
    // A name has room for any number.
    let _ = write!(name, "d{folder:05}");
    name
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

    fn tree(file_bytes: u64) -> Tree {
        let names = Names { renames: 1, shift: 1 };
        Tree { directories: 3, files_per_directory: 4, file_bytes, branching: 0, names, next: None }
    }

    #[test]
    fn a_file_of_a_tree_has_units_of_its_own_also_when_it_is_empty_or_no_whole_number_of_them() {
        for (file_bytes, per_file) in [(0, 1), (3901, 1), (4096, 1), (4097, 2)] {
            let layout = Layout::of_tree(4096, tree(file_bytes)).unwrap();
            assert_eq!((layout.units(), layout.objects()), (12 * per_file, 12));
            assert_eq!(layout.units_of(5), 5 * per_file..6 * per_file);
            assert_eq!(layout.bytes_of(5), file_bytes);
        }
    }

    #[test]
    fn names_in_a_tree_are_those_of_its_last_rename() {
        let layout = Layout::of_tree(4096, tree(0)).unwrap();
        assert_eq!(layout.name_of(0), "d00000001/f00000000.r1");
        assert_eq!(layout.name_of(11), "d00000000/f00000011.r1");
        assert_eq!(layout.objects_in(Some(0)), 8..12);
        assert_eq!(layout.by_folder().objects(), 3);
    }

    #[test]
    fn folders_of_plain_files_hold_all_files_each_once() {
        for units in [1, 999, 1000, 1001, 2500] {
            let layout = Layout::new(4096, units, 1).unwrap();
            let numbered: u64 =
                (0..layout.folders()).map(|folder| layout.objects_in(Some(folder)).count() as u64).sum();
            assert_eq!(numbered + layout.objects_in(None).count() as u64, units);
            assert_eq!(layout.by_folder().objects(), layout.folders().max(1));
        }
    }

    #[test]
    fn a_layout_that_cannot_be_is_refused_before_anything_is_written() {
        for (unit, units, per_object) in [(0, 1, 1), (4095, 1, 1), (4096, 0, 1), (4096, 1, 0), (1 << 30, 1 << 34, 1)] {
            assert_eq!(Layout::new(unit, units, per_object).unwrap_err().code, Code::InvalidArgument);
        }
        assert!(Layout::new(4096, 1 << 51, 7).is_ok(), "2^63 bytes are just allowed");
    }
}
