//! Targets that cannot be used, or not as the plan wants, are told plainly; nothing of the user's is touched.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use seedstorm_engine::error::Code;
use seedstorm_engine::sink::{Direct, FileOptions, SyncPolicy, remove_run_folder};
use seedstorm_engine::task::Operation;

use crate::support::{Folder, Mount, Plan, UNIT, count, engine, files, files_with, is_root};

fn refused(plan: &Plan, operation: Operation) -> seedstorm_engine::error::Error {
    plan.prepare(&engine(), operation).err().expect("it was taken")
}

#[test]
fn a_target_that_is_not_there_is_told_for_every_operation() {
    let target = Folder::new();
    let plan = Plan::new(8, 8, files(target.0.join("missing/run-1"), SyncPolicy::Range));
    for operation in [Operation::Write, Operation::Read, Operation::Verify, Operation::Delete] {
        let error = refused(&plan, operation);
        assert_eq!(error.code, Code::TargetMissing);
        assert!(error.what.contains(target.0.join("missing").to_str().unwrap()), "{error}");
    }
    assert!(!target.0.join("missing").exists());
}

#[test]
fn a_target_that_is_a_file_is_told() {
    let target = Folder::new();
    fs::write(target.0.join("file"), "the user's own").unwrap();
    let error = refused(&Plan::new(8, 8, files(target.0.join("file/run-1"), SyncPolicy::Range)), Operation::Write);
    assert_eq!(error.code, Code::TargetNotWritable);
    assert!(error.what.ends_with("file cannot be written to: it is not a folder"), "{error}");
}

#[test]
fn a_target_that_this_user_may_not_write_to_is_told_with_its_path() {
    if is_root() {
        // Rights do not bind root; a file system that is mounted read-only does.
        let Some(mount) = Mount::new("tmpfs", "ro,size=1m") else { return };
        let plan = Plan::new(8, 8, files(mount.run(), SyncPolicy::Range));
        let error = refused(&plan, Operation::Write);
        assert_eq!(error.code, Code::TargetNotWritable);
        assert!(error.what.contains(mount.path().to_str().unwrap()), "{error}");
        return;
    }
    let target = Folder::new();
    fs::set_permissions(&target.0, fs::Permissions::from_mode(0o555)).unwrap();
    let error = refused(&Plan::new(8, 8, files(target.run(), SyncPolicy::Range)), Operation::Write);
    fs::set_permissions(&target.0, fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(error.code, Code::TargetNotWritable);
}

#[test]
fn a_task_that_has_ended_keeps_nothing_open_so_that_the_target_can_be_unmounted() {
    for sync in [SyncPolicy::Range, SyncPolicy::End] {
        let target = Folder::new();
        let plan = Plan::new(8, 2, files(target.run(), sync));
        let engine = engine();
        for (operation, finishes) in [(Operation::Write, true), (Operation::Verify, true), (Operation::Write, false)] {
            let run = plan.prepare(&engine, operation).unwrap();
            run.task.begin_at(0);
            run.add(0, 0..8);
            if finishes {
                run.task.finish();
            } else {
                run.task.cancel();
            }
            assert_eq!(run.outcome().is_ok(), finishes);
            let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| fs::read_link(fd.ok()?.path()).ok());
            let kept: Vec<_> = open.filter(|path| path.starts_with(&target.0)).collect();
            assert!(kept.is_empty(), "{kept:?}");
        }
    }
}

#[test]
fn a_full_file_system_fails_the_range_says_where_and_how_far_and_does_not_hang() {
    let Some(mount) = Mount::new("tmpfs", "size=1m") else { return };
    for direct in [Direct::Auto, Direct::No] {
        let sink = files_with(vec![mount.run()], direct, SyncPolicy::Range, FileOptions::default());
        let plan = Plan { block: 8 * UNIT, ..Plan::new(256, 64, sink) };
        let engine = engine();
        let outcome = plan.over_all(&engine, Operation::Write);
        assert_eq!(outcome.result, Ok(()));
        let failed: Vec<_> = outcome.last.ranges.iter().filter_map(|range| range.failed.as_ref()).collect();
        assert!(failed.len() > 10, "{failed:?}");
        for error in failed {
            assert_eq!(error.code, Code::DiskFull, "{error}");
            assert!(error.what.contains(mount.run().to_str().unwrap()), "{error}");
            assert!(error.what.contains("bytes were written by this task before"), "{error}");
        }
        let done: u64 = outcome.last.ranges.iter().flat_map(|range| &range.done).map(|(first, end)| end - first).sum();
        assert!(done * UNIT < 1 << 20, "no more is durable than there is room for");
        plan.over_all(&engine, Operation::Delete).expect_all_done(256);
        assert_eq!(remove_run_folder(&mount.run()), Ok(true));
    }
}

#[test]
fn a_file_system_that_refuses_direct_io_is_an_error_when_the_plan_insists_and_leaves_no_file() {
    let Some(mount) = Mount::new("ramfs", "") else { return };
    let sink = files_with(vec![mount.run()], Direct::Yes, SyncPolicy::Range, FileOptions::default());
    let outcome = Plan::new(8, 2, sink).over_all(&engine(), Operation::Write);
    for range in &outcome.last.ranges {
        assert_eq!(range.failed.as_ref().unwrap().code, Code::DirectRefused);
    }
    assert_eq!(outcome.operations(), 0);
    assert_eq!(remove_run_folder(&mount.run()), Ok(true), "nothing was left in it");
}

#[test]
fn a_file_system_that_refuses_direct_io_is_used_buffered_when_the_plan_allows_and_that_is_said() {
    let Some(mount) = Mount::new("ramfs", "") else { return };
    let plan = Plan::new(30, 8, files(mount.run(), SyncPolicy::Range));
    for operation in [Operation::Write, Operation::Verify] {
        let outcome = plan.over_all(&engine(), operation);
        outcome.expect_all_done(30);
        assert_eq!(outcome.last.notes.len(), 1, "{:?}", outcome.last.notes);
        assert!(outcome.last.notes[0].contains("refuses O_DIRECT"), "{:?}", outcome.last.notes);
    }
}

#[test]
fn a_symbolic_link_in_the_place_of_an_object_is_never_followed() {
    let target = Folder::new();
    let precious = target.0.join("precious");
    fs::write(&precious, "the user's own").unwrap();
    let plan = Plan::new(16, 8, files(target.run(), SyncPolicy::Range));
    fs::create_dir(target.run()).unwrap();
    symlink(&precious, plan.file(0)).unwrap();
    let engine = engine();
    let written = plan.over_all(&engine, Operation::Write);
    let error = written.last.ranges[0].failed.as_ref().unwrap();
    assert!(error.code == Code::Io && error.mend.contains("symbolic link"), "{error}");
    assert!(written.last.ranges[2].complete, "ranges of other objects go on");
    assert_eq!(fs::read_to_string(&precious).unwrap(), "the user's own");
    plan.over_all(&engine, Operation::Delete).expect_all_done(16);
    assert_eq!(fs::read_to_string(&precious).unwrap(), "the user's own", "the link goes, not what it leads to");
}

#[test]
fn a_run_folder_that_is_a_symbolic_link_is_refused() {
    let target = Folder::new();
    fs::create_dir(target.0.join("elsewhere")).unwrap();
    symlink(target.0.join("elsewhere"), target.run()).unwrap();
    let plan = Plan::new(8, 8, files(target.run(), SyncPolicy::Range));
    for operation in [Operation::Write, Operation::Delete] {
        assert_eq!(refused(&plan, operation).code, Code::TargetNotWritable);
    }
}

#[test]
fn a_delete_removes_only_what_the_layout_names_and_spares_what_it_is_told_to() {
    let target = Folder::new();
    let mut plan = Plan::new(40, 8, files(target.run(), SyncPolicy::Never));
    let engine = engine();
    plan.over_all(&engine, Operation::Write).expect_all_done(40);
    let own = target.run().join("notes.txt");
    fs::write(&own, "the user's own").unwrap();
    fs::remove_file(plan.file(4)).unwrap();
    plan.spared = HashSet::from([2]);
    let deleted = plan.over_all(&engine, Operation::Delete);
    deleted.expect_all_done(40);
    assert_eq!(deleted.operations(), 3);
    assert_eq!(count(&deleted.last, |counts| counts.absent), 1);
    assert!(plan.file(2).exists() && own.exists());
    assert_eq!(remove_run_folder(&target.run()), Ok(false));
    assert_eq!(fs::read_dir(target.run()).unwrap().count(), 2);
    assert_eq!(remove_run_folder(&target.0.join("never-there")), Ok(true));
}

#[test]
fn writing_again_into_an_earlier_run_s_files_keeps_what_other_ranges_wrote() {
    let target = Folder::new();
    let plan = Plan::new(16, 16, files(target.run(), SyncPolicy::Range));
    let engine = engine();
    for half in [0..8, 8..16] {
        let run = plan.prepare(&engine, Operation::Write).unwrap();
        run.task.begin_at(0);
        run.add(1, half);
        assert_eq!(run.finish().result, Ok(()));
    }
    plan.over_all(&engine, Operation::Verify).expect_all_done(16);
    let mode = fs::metadata(plan.file(0)).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode & !0o644, 0, "{mode:o}");
}

#[test]
fn a_fenced_range_leaves_no_file_open_although_the_task_goes_on() {
    let target = Folder::new();
    let plan = Plan::new(1 << 16, 64, files(target.run(), SyncPolicy::Range));
    let engine = engine();
    let run = plan.prepare(&engine, Operation::Write).unwrap();
    run.task.begin_at(0);
    run.add(1, 0..1 << 16);
    run.until(|snapshot| snapshot.ranges[0].written.iter().any(|(first, end)| end - first > 64));
    run.task.fence_range(1);
    run.until(|snapshot| snapshot.ranges[0].drained);
    let open: Vec<_> = fs::read_dir("/proc/self/fd")
        .unwrap()
        .filter_map(|fd| fs::read_link(fd.ok()?.path()).ok())
        .filter(|path| path.starts_with(target.run()) && path.is_file())
        .collect();
    assert!(open.is_empty(), "{open:?}");
    run.add(2, 0..64);
    assert!(run.finish().last.ranges[0].complete);
}
