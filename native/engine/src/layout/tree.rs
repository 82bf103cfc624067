//! A tree of directories with many small files, instead of a few large files: where each file is, and what it is called. A
//! pure function of the file's number; must never know what is in a file.
//!
//! Every directory is *home* to as many files as any other: file f is at home in directory f / files_per_directory. Where
//! it lies moves on with renames: all files of one home go to one other directory, so that a directory's files are always
//! those of one home. A range of files can so be looked up, listed and removed without looking at any other.

use std::fmt::Write;
use std::ops::Range;

use super::name::Name;
use crate::error::{Code, Error, Result};

/// The most directories one inside another: no path comes near the 4096 bytes that Linux takes.
pub const MAX_DEPTH: u64 = 128;

/// A tree of files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tree {
    /// How many directories there are.
    pub directories: u64,
    /// How many files each of them is home to.
    pub files_per_directory: u64,
    /// Bytes of each file; may be 0, and need be no multiple of anything.
    pub file_bytes: u64,
    /// How many directories lie in each directory, and at the top; 0: all lie side by side at the top.
    pub branching: u64,
    /// What files are called now, and where they lie.
    pub names: Names,
    /// What a rename makes of that; a delete removes what has either name.
    pub next: Option<Names>,
}

/// A generation of names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// How many times each file was renamed.
    pub renames: u32,
    /// How many directories behind its home a file lies, counted around.
    pub shift: u64,
}

impl Tree {
    pub(super) fn validate(&self) -> Result<()> {
        let refuse = |what: String, mend: &str| Err(Error::new(Code::InvalidArgument, what, mend));
        if self.directories == 0 || self.files_per_directory == 0 {
            return refuse("a tree without a directory or without a file is none".into(), "give at least one of each");
        }
        if self.directories.checked_mul(self.files_per_directory).is_none() {
            return refuse("the tree has more than 2^64 files".into(), "choose fewer");
        }
        if self.depth() > MAX_DEPTH {
            return refuse(
                format!("directories would lie {} deep, more than {MAX_DEPTH}", self.depth()),
                "choose a larger branching or fewer directories",
            );
        }
        Ok(())
    }

    /// How many files there are.
    pub fn files(&self) -> u64 {
        self.directories * self.files_per_directory
    }

    /// How many directories lie on the way to the deepest, itself included. Stops counting where that is too many.
    fn depth(&self) -> u64 {
        let mut depth = 1;
        let mut directory = self.directories - 1;
        while depth <= MAX_DEPTH
            && let Some(parent) = self.parent(directory)
        {
            directory = parent;
            depth += 1;
        }
        depth
    }

    /// The directory that a directory lies in; none at the top.
    pub fn parent(&self, directory: u64) -> Option<u64> {
        directory.checked_div(self.branching)?.checked_sub(1)
    }

    /// The directory that a file is at home in.
    pub fn home_of(&self, file: u64) -> u64 {
        file / self.files_per_directory
    }

    /// The directory in which the files of a home lie under these names.
    pub fn directory_of(&self, home: u64, names: Names) -> u64 {
        // Both are below the number of directories, which is below 2^63: files have at least a unit each.
        (home + names.shift % self.directories) % self.directories
    }

    /// The home whose files lie in a directory.
    fn home_in(&self, directory: u64) -> u64 {
        (directory + self.directories - self.names.shift % self.directories) % self.directories
    }

    /// The files that lie in a directory.
    pub(super) fn files_in(&self, directory: u64) -> Range<u64> {
        let home = self.home_in(directory);
        home * self.files_per_directory..(home + 1) * self.files_per_directory
    }

    /// A directory's path relative to the run's folder.
    pub(super) fn directory_path(&self, directory: u64) -> String {
        let mut path = self.parent(directory).map_or_else(String::new, |parent| self.directory_path(parent) + "/");
        path.push_str(&directory_name(directory));
        path
    }

    /// A file's name in its directory, under these names.
    pub fn file_name(file: u64, names: Names) -> Name {
        let mut name = Name::default();
        // A name has room for any numbers.
        let _ = write!(name, "f{file:08}");
        if names.renames > 0 {
            let _ = write!(name, ".r{}", names.renames);
        }
        name
    }
}

/// A directory's own name.
pub fn directory_name(directory: u64) -> Name {
    let mut name = Name::default();
    let _ = write!(name, "d{directory:08}");
    name
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    prop_compose! {
        fn trees()(directories in 1u64..200, files in 1u64..20, branching in 0u64..6, shift in 0u64..1000, renames in 0u32..3)
            -> Tree {
            let branching = if branching == 1 && directories > MAX_DEPTH { 0 } else { branching };
            let names = Names { renames, shift };
            Tree { directories, files_per_directory: files, file_bytes: 0, branching, names, next: None }
        }
    }

    proptest! {
        #[test]
        fn every_directory_holds_the_files_of_one_home_and_every_file_lies_in_one_directory(tree in trees()) {
            let mut seen = HashSet::new();
            for directory in 0..tree.directories {
                for file in tree.files_in(directory) {
                    prop_assert!(seen.insert(file));
                    prop_assert_eq!(tree.directory_of(tree.home_of(file), tree.names), directory);
                }
            }
            prop_assert_eq!(seen.len() as u64, tree.files());
        }

        #[test]
        fn a_directory_lies_in_one_with_a_smaller_number_and_no_directory_holds_more_than_its_branching(tree in trees()) {
            tree.validate().unwrap();
            let mut children = vec![0; tree.directories as usize];
            let mut paths = HashSet::new();
            for directory in 0..tree.directories {
                if let Some(parent) = tree.parent(directory) {
                    prop_assert!(parent < directory);
                    children[parent as usize] += 1;
                }
                prop_assert!(paths.insert(tree.directory_path(directory)));
            }
            prop_assert!(children.iter().all(|count| *count <= tree.branching));
        }
    }

    #[test]
    fn paths_are_those_of_the_documented_tree() {
        let tree = Tree {
            directories: 10,
            files_per_directory: 3,
            file_bytes: 0,
            branching: 2,
            names: Names::default(),
            next: None,
        };
        assert_eq!(tree.directory_path(1), "d00000001");
        assert_eq!(tree.directory_path(6), "d00000000/d00000002/d00000006");
        assert_eq!(&*Tree::file_name(29, tree.names), "f00000029");
        assert_eq!(&*Tree::file_name(29, Names { renames: 2, shift: 0 }), "f00000029.r2");
    }

    #[test]
    fn a_tree_whose_paths_no_system_would_take_is_refused() {
        let deep = |directories| Tree {
            directories,
            files_per_directory: 1,
            file_bytes: 0,
            branching: 1,
            names: Names::default(),
            next: None,
        };
        assert!(deep(MAX_DEPTH).validate().is_ok());
        assert_eq!(deep(MAX_DEPTH + 1).validate().unwrap_err().code, Code::InvalidArgument);
    }
}
