//! The name of a file or a folder, in memory of its own: lanes make one for each metadata call, and allocate nothing for
//! it. Must never know what it names.

use std::fmt;
use std::ops::Deref;

/// Room for the longest name that any layout makes: two letters, two numbers of 20 digits and what stands between.
const ROOM: usize = 48;

/// A short name in ASCII.
#[derive(Clone, Copy)]
pub struct Name {
    bytes: [u8; ROOM],
    length: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self { bytes: [0; ROOM], length: 0 }
    }
}

impl fmt::Write for Name {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let room = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..self.length]).unwrap_or_default()
    }
}

impl fmt::Display for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&**self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn the_longest_name_fits_and_a_longer_one_is_told_instead_of_cut() {
        let mut name = Name::default();
        write!(name, "f{:08}.r{}", u64::MAX, u32::MAX).unwrap();
        assert_eq!(&*name, "f18446744073709551615.r4294967295");
        assert!(write!(name, "{}", "x".repeat(ROOM)).is_err());
    }
}
