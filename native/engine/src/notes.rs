//! What an engine has to say to people: what was asked for and not got, and what changed while it ran. Each thing once.

use std::sync::{Mutex, PoisonError};

/// More are not kept: by then the first ones say enough.
const MAX_NOTES: usize = 64;

/// Notes of one engine.
#[derive(Debug, Default)]
pub(crate) struct Notes(Mutex<Vec<String>>);

impl Notes {
    /// Keeps a note, unless it is there already.
    pub(crate) fn add(&self, note: String) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < MAX_NOTES && !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// All of them, in the order in which they came.
    pub(crate) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_thing_is_told_once_and_not_without_end() {
        let notes = Notes::default();
        notes.add("one".into());
        notes.add("two".into());
        notes.add("one".into());
        assert_eq!(notes.all(), ["one", "two"]);
        (0..1000).for_each(|number| notes.add(number.to_string()));
        assert_eq!(notes.all().len(), MAX_NOTES);
    }
}
