//! Notes beside the runs' data, on a real server.

use super::weed::{VERSIONED, Weed};
use super::*;
use crate::error::Code;

#[test]
fn notes_are_seen_by_other_runs_and_endpoints_and_nothing_of_them_is_left() {
    let Some(weed) = Weed::start() else { return };
    let mut own = lane(spec(&weed.endpoint()));
    let mut other = lane(S3Spec { run: "run-2".into(), ..spec(&weed.endpoint()) });
    assert_eq!(other.notes(".seedstorm-x").unwrap(), [""; 0]);
    own.put_note(".seedstorm-x/a~1", "said").unwrap();
    own.put_note(".seedstorm-x/a~1", "said again").unwrap();
    own.put_note(".seedstorm-y/b", "elsewhere").unwrap();
    assert_eq!(other.notes(".seedstorm-x").unwrap(), ["a~1"]);
    assert_eq!(other.note(".seedstorm-x/a~1").unwrap().as_deref(), Some("said again"));
    assert_eq!(other.note(".seedstorm-x/none").unwrap(), None);
    assert!(listed(&mut own).is_empty(), "no note is an object of a run");
    other.remove_note(".seedstorm-x/a~1").unwrap();
    other.remove_note(".seedstorm-x/a~1").unwrap();
    assert_eq!(own.note(".seedstorm-x/a~1").unwrap(), None);
    assert_eq!(own.notes(".seedstorm-x").unwrap(), [""; 0]);
    own.remove_note(".seedstorm-y/b").unwrap();
}

#[test]
fn a_bucket_that_keeps_versions_keeps_none_of_a_note_that_was_removed() {
    let Some(weed) = Weed::start() else { return };
    weed.keep_versions();
    let mut lane = lane(S3Spec { bucket: VERSIONED.into(), ..spec(&weed.endpoint()) });
    for text in ["one", "two"] {
        lane.put_note(".seedstorm-x/a", text).unwrap();
        lane.put_note(".seedstorm-x/ab", text).unwrap();
    }
    lane.remove_note(".seedstorm-x/a").unwrap();
    assert_eq!(lane.note(".seedstorm-x/ab").unwrap().as_deref(), Some("two"));
    lane.remove_note(".seedstorm-x/ab").unwrap();
    let left = lane.wait_for(async |store, _| store.remove_versions_of("", &|_| true).await);
    assert_eq!(left.unwrap(), 0);
}

#[test]
fn what_is_too_long_to_be_a_note_is_none_and_a_store_that_cannot_be_asked_is_an_error() {
    let Some(mut weed) = Weed::start() else { return };
    let mut lane = lane(spec(&weed.endpoint()));
    lane.put_note(".seedstorm-x/long", &"x".repeat(MAX_NOTE_BYTES + 1)).unwrap();
    assert_eq!(lane.note(".seedstorm-x/long").unwrap().as_deref(), Some(""));
    lane.put_note(".seedstorm-x/long", &"x".repeat(MAX_NOTE_BYTES)).unwrap();
    assert_eq!(lane.note(".seedstorm-x/long").unwrap().map(|text| text.len()), Some(MAX_NOTE_BYTES));
    weed.kill();
    assert_eq!(lane.notes(".seedstorm-x").unwrap_err().code, Code::Unreachable);
    assert_eq!(lane.note(".seedstorm-x/long").unwrap_err().code, Code::Unreachable);
}
