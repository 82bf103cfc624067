//! What is asked of files beside their bytes: room before the first byte, and node-local storage that is not read out of
//! the page cache.

use std::fs;
use std::os::unix::fs::MetadataExt;

use seedstorm_engine::error::Code;
use seedstorm_engine::sink::{Direct, FileOptions, Preallocate, SyncPolicy};
use seedstorm_engine::task::Operation;

use crate::support::{Folder, Mount, Plan, UNIT, engine, files_with};

fn preallocated(preallocate: Preallocate) -> FileOptions {
    FileOptions { preallocate, ..FileOptions::default() }
}

#[test]
fn a_file_that_does_not_fit_fails_before_any_of_its_bytes_is_written() {
    let Some(mount) = Mount::new("tmpfs", "size=1m") else { return };
    let sink = files_with(vec![mount.run()], Direct::No, SyncPolicy::Range, preallocated(Preallocate::Yes));
    // Two files of 2 MiB each on 1 MiB.
    let plan = Plan::new(256, 128, sink);
    let engine = engine();
    let outcome = plan.over_all(&engine, Operation::Write);
    for range in &outcome.last.ranges {
        let error = range.failed.as_ref().expect("no range fits");
        assert_eq!(error.code, Code::DiskFull, "{error}");
        assert!(error.what.contains("preallocate 2097152 bytes for"), "{error}");
    }
    assert_eq!(outcome.operations(), 0, "nothing was written");
    plan.over_all(&engine, Operation::Delete).expect_all_done(256);
}

#[test]
fn preallocated_files_have_the_right_bytes_and_the_time_is_in_no_latency() {
    let target = Folder::new();
    let sink = files_with(vec![target.run()], Direct::Auto, SyncPolicy::File, preallocated(Preallocate::Auto));
    let plan = Plan::new(30, 8, sink);
    let engine = engine();
    let run = plan.prepare(&engine, Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(0, 0..30);
    let outcome = run.finish();
    outcome.expect_all_done(30);
    let work = outcome.work.unwrap();
    if outcome.last.notes.iter().all(|note| !note.contains("preallocate")) {
        assert_eq!(work.preallocated.objects, 4);
        assert!(work.preallocated.spent_ns > 0);
    }
    let timed: u64 = outcome.last.pools.iter().map(|pool| pool.timed()).sum();
    assert_eq!(timed, 30, "only the writes are timed as such");
    for object in 0..4 {
        assert_eq!(fs::read(plan.file(object)).unwrap(), plan.bytes_of(object));
        assert_eq!(fs::metadata(plan.file(object)).unwrap().size(), plan.layout.bytes_of(object));
    }
}

/// Storage with a page cache that can be emptied: the file system of temporary files may be memory.
fn cached_folder(name: &str) -> std::path::PathBuf {
    let folder = std::path::PathBuf::from("/var/tmp").join(format!("seedstorm-local-{}-{name}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    folder
}

#[test]
fn a_buffered_read_of_what_was_just_written_is_known_as_cached_and_one_of_local_storage_is_not() {
    for local in [false, true] {
        let target = cached_folder(if local { "evicted" } else { "cached" });
        let options = FileOptions { local, ..FileOptions::default() };
        let plan = Plan::new(256, 16, files_with(vec![target.join("run-1")], Direct::No, SyncPolicy::File, options));
        let engine = engine();
        plan.over_all(&engine, Operation::Write).expect_all_done(256);
        let outcome = plan.over_all(&engine, Operation::Verify);
        outcome.expect_all_done(256);
        let work = outcome.work.unwrap();
        fs::remove_dir_all(&target).unwrap();
        assert!(!work.direct);
        assert_eq!(work.cache.before.objects, 16);
        assert_eq!(work.cache.before.pages, 256 * UNIT / 4096);
        if local {
            assert!(work.cache.before.resident * 50 < work.cache.before.pages, "{:?}", work.cache.before);
        } else {
            assert_eq!(work.cache.before.resident, work.cache.before.pages);
        }
        assert_eq!(work.cache.after.resident, work.cache.after.pages, "buffered reads fill the cache");
        assert!(work.cache.after.pages > 0);
    }
}

#[test]
fn a_part_of_a_file_on_local_storage_is_removed_by_whoever_has_it() {
    for (local, left) in [(false, true), (true, false)] {
        let target = Folder::new();
        let options = FileOptions { local, ..FileOptions::default() };
        let plan = Plan::new(8, 8, files_with(vec![target.run()], Direct::No, SyncPolicy::File, options));
        let engine = engine();
        for operation in [Operation::Write, Operation::Delete] {
            let run = plan.prepare(&engine, operation).unwrap();
            run.task.begin_at(0);
            // The beginning of the file was another's, on another host.
            run.add(0, 4..8);
            run.finish();
        }
        assert_eq!(plan.file(0).exists(), left);
    }
}
