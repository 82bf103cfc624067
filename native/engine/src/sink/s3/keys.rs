//! The keys of a run's objects: `<prefix>/<run id>/<name in the layout>`. Pure; the only place that makes a key, and
//! that says whether a key is one of the run's own.

use object_store::path::Path;

use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// The longest key that S3 takes, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 1024;

/// What the keys of a run begin with, up to and with the last `/`.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    /// Of the target: the runs' places are below it.
    base: String,
    root: String,
}

/// What names of notes begin with: no run's id does.
const NOTE: &str = ".seedstorm-";

impl Keys {
    /// # Errors
    /// [`Code::InvalidArgument`] when prefix or run make no valid key.
    pub(super) fn new(prefix: &str, run: &str) -> Result<Self> {
        let prefix = prefix.trim_matches('/');
        let base = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        let root = format!("{base}{run}/");
        let valid = !run.is_empty() && !run.contains('/') && Path::parse(&root).is_ok();
        if !valid {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("{root:?} cannot be what keys begin with"),
                "use a prefix without empty parts, `.`, `..` or control characters",
            ));
        }
        Ok(Self { base, root })
    }

    /// The key of a note.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for a name that could be that of something else.
    pub(super) fn note(&self, name: &str) -> Result<String> {
        let key = format!("{}{name}", self.base);
        if name.starts_with(NOTE) && key.len() <= MAX_KEY_BYTES && Path::parse(&key).is_ok() {
            return Ok(key);
        }
        let what = format!("{name:?} is no name of a note");
        Err(Error::new(Code::InvalidArgument, what, "use a name that begins with .seedstorm-"))
    }

    /// Refuses a layout with a key that is too long. The last object has the longest name.
    pub(super) fn check(&self, layout: &Layout) -> Result<()> {
        let longest = self.of(layout, layout.objects() - 1);
        if longest.len() <= MAX_KEY_BYTES {
            return Ok(());
        }
        Err(Error::new(
            Code::InvalidArgument,
            format!("the key of the last object has {} bytes, more than {MAX_KEY_BYTES}", longest.len()),
            "choose a shorter prefix",
        ))
    }

    /// What every key of the run begins with.
    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// An object's key.
    pub(super) fn of(&self, layout: &Layout, object: u64) -> String {
        self.root.clone() + &layout.name_of(object)
    }

    /// The object whose key this is, if it is one of the layout's.
    pub(super) fn object_of(&self, layout: &Layout, key: &str) -> Option<u64> {
        let name = key.strip_prefix(&self.root)?;
        let object = name.rsplit('/').next()?.strip_prefix('f')?.parse().ok()?;
        (object < layout.objects() && layout.name_of(object) == name).then_some(object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        Layout::new(4096, 5000, 2).unwrap()
    }

    #[test]
    fn a_key_that_the_layout_does_not_make_is_never_taken_for_the_runs_own() {
        let keys = Keys::new("/qualify/", "run-1").unwrap();
        for object in [0, 999, 1000, 2499] {
            let key = keys.of(&layout(), object);
            assert_eq!(keys.object_of(&layout(), &key), Some(object), "{key}");
        }
        for foreign in [
            "qualify/run-1/d00002/f00002500",
            "qualify/run-1/d00001/f00000000",
            "qualify/run-1/f00000000",
            "qualify/run-1/d00000/f0",
            "qualify/run-1/d00000/f+0000001",
            "qualify/run-10/d00000/f00000000",
            "run-1/d00000/f00000000",
            "qualify/run-1/",
            "",
        ] {
            assert_eq!(keys.object_of(&layout(), foreign), None, "{foreign}");
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_refused_before_anything_is_written() {
        let name = "run-1/d00002/f00002499".len() + 1;
        let fits = Keys::new(&"p".repeat(MAX_KEY_BYTES - name), "run-1").unwrap();
        fits.check(&layout()).unwrap();
        let error = Keys::new(&"p".repeat(MAX_KEY_BYTES - name + 1), "run-1").unwrap().check(&layout()).unwrap_err();
        assert_eq!(error.code, Code::InvalidArgument);
        assert!(error.what.contains("1025 bytes"), "{}", error.what);
    }

    #[test]
    fn a_note_lies_below_the_prefix_and_can_be_no_runs_object() {
        let keys = Keys::new("/qualify/", "run-1").unwrap();
        assert_eq!(keys.note(".seedstorm-locks/a~b").unwrap(), "qualify/.seedstorm-locks/a~b");
        assert_eq!(Keys::new("", "r").unwrap().note(".seedstorm-x").unwrap(), ".seedstorm-x");
        for name in ["run-1/d00000/f00000000", "", ".seedstorm-/../run-1/x", ".seedstorm-a//b", "../.seedstorm-x"] {
            assert_eq!(keys.note(name).unwrap_err().code, Code::InvalidArgument, "{name:?}");
        }
    }

    #[test]
    fn a_prefix_that_could_lead_out_of_the_runs_place_is_refused() {
        for (prefix, run) in [("a//b", "r"), ("..", "r"), ("a/../b", "r"), (".", "r"), ("a", ""), ("a", "x/y")] {
            assert_eq!(Keys::new(prefix, run).unwrap_err().code, Code::InvalidArgument, "{prefix:?} {run:?}");
        }
        assert_eq!(Keys::new("", "r").unwrap().root(), "r/");
    }
}
