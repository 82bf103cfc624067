//! What a name that was found in a folder is: one that the layout makes there, or not. Pure; must never look at a folder.

use super::{Layout, Name};

/// What a name in a folder is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listed {
    /// An object's.
    Object(u64),
    /// A numbered folder's.
    Folder(u64),
    /// Nobody's that the layout knows there.
    Foreign,
}

impl Layout {
    /// What `name` is in a folder; in the run's folder itself for none.
    pub fn listed(&self, folder: Option<u64>, name: &[u8]) -> Listed {
        let is_name = |made: Name| made.as_bytes() == name;
        match (name.first(), number_in(name)) {
            (Some(b'f'), Some(object))
                if self.objects_in(folder).contains(&object) && is_name(self.file_name(object)) =>
            {
                Listed::Object(object)
            }
            (Some(b'd'), Some(number))
                if number < self.folders()
                    && self.parent_of_folder(number) == folder
                    && is_name(self.folder_name(number)) =>
            {
                Listed::Folder(number)
            }
            _ => Listed::Foreign,
        }
    }
}

/// The number behind a name's first letter.
fn number_in(name: &[u8]) -> Option<u64> {
    let digits = name.get(1..)?.iter().take_while(|byte| byte.is_ascii_digit());
    digits.map(|digit| u64::from(digit - b'0')).try_fold(None, |number: Option<u64>, digit| {
        number.unwrap_or(0).checked_mul(10)?.checked_add(digit).map(Some)
    })?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::{Names, Tree};

    #[test]
    fn a_name_counts_in_its_own_folder_only_and_only_when_it_is_spelt_as_the_layout_spells_it() {
        let layout = Layout::new(4096, 2500, 1).unwrap();
        assert_eq!(layout.listed(Some(1), b"f00001999"), Listed::Object(1999));
        assert_eq!(layout.listed(None, b"d00002"), Listed::Folder(2));
        for (folder, name) in [
            (Some(0), "f00001999"),
            (None, "f00001999"),
            (Some(1), "f1999"),
            (Some(1), "f00001999.r1"),
            (Some(1), "f00001999x"),
            (None, "d00003"),
            (Some(1), "d00001"),
            (Some(2), "f00002500"),
            (Some(1), "f99999999999999999999999"),
            (Some(1), "f"),
            (Some(1), "lost+found"),
            (Some(1), ""),
        ] {
            assert_eq!(layout.listed(folder, name.as_bytes()), Listed::Foreign, "{name}");
        }
    }

    #[test]
    fn after_a_rename_the_names_from_before_are_nobodys() {
        let names = Names { renames: 1, shift: 0 };
        let tree = Tree { directories: 6, files_per_directory: 2, file_bytes: 0, branching: 2, names, next: None };
        let layout = Layout::of_tree(4096, tree).unwrap();
        assert_eq!(layout.listed(Some(3), b"f00000007.r1"), Listed::Object(7));
        assert_eq!(layout.listed(Some(3), b"f00000007"), Listed::Foreign);
        assert_eq!(layout.listed(Some(1), b"d00000004"), Listed::Folder(4));
        assert_eq!(layout.listed(None, b"d00000004"), Listed::Foreign);
    }
}
