use std::time::Duration;

use super::scripted::{Act, Scripted};
use super::weed::VERSIONED;
use super::*;
use crate::error::Code;

#[test]
fn what_was_written_comes_back_whole_in_ranges_and_in_lists_and_is_gone_when_deleted() {
    let Some(weed) = Weed::start() else { return };
    for signing in [Signing::Unsigned, Signing::Signed] {
        let mut lane = lane(S3Spec { signing, ..spec(&weed.endpoint()) });
        lane.look().unwrap();
        for object in 0..10 {
            let done = lane.put(object, &mut content(object));
            assert_eq!(done.outcome.unwrap(), 4 * UNIT);
            assert!(done.submitted_ns <= done.attempt_ns && done.attempt_ns < done.first_byte_ns);
            assert!(done.first_byte_ns <= done.done_ns && done.attempts == 1 && done.failed.is_empty());
        }
        assert_eq!(listed(&mut lane), (0..10).collect::<Vec<_>>());
        assert_eq!(lane.get(3, 0, 4 * UNIT as usize).unwrap(), content(3));
        assert_eq!(lane.get(4, UNIT, UNIT as usize).unwrap(), content(4)[UNIT as usize..2 * UNIT as usize]);
        assert_eq!(lane.once(S3Request::Head { object: 5 }, &mut []).outcome.unwrap(), 4 * UNIT);
        for object in 0..10 {
            lane.once(S3Request::Delete { object }, &mut []).outcome.unwrap();
        }
        assert_eq!(lane.once(S3Request::Delete { object: 0 }, &mut []).outcome.unwrap(), 0, "it is gone already");
        assert!(listed(&mut lane).is_empty());
    }
}

#[test]
fn as_many_requests_as_the_queue_is_deep_are_under_way_at_once_on_one_thread() {
    let Some(weed) = Weed::start() else { return };
    let mut lane = lane(spec(&weed.endpoint()));
    let mut slots: Vec<Vec<u8>> = (0..8).map(content).collect();
    for (slot, memory) in slots.iter_mut().enumerate() {
        let request = S3Request::PutObject { object: slot as u64 };
        // SAFETY: the slots outlive the lane's use of them: all requests have ended below.
        unsafe { lane.submit(slot, request, memory.as_mut_ptr(), memory.len()) };
    }
    assert_eq!(lane.in_flight(), 8);
    let mut done = Vec::new();
    while done.len() < 8 {
        lane.wait(now_ns() + 60 * SECOND, &mut done);
    }
    let mut ended: Vec<usize> = done.iter().map(|done| done.slot).collect();
    ended.sort_unstable();
    assert_eq!(ended, (0..8).collect::<Vec<_>>());
    assert!(done.iter().all(|done| done.outcome.is_ok()));
    let last_begun = done.iter().map(|done| done.submitted_ns).max().unwrap();
    let first_ended = done.iter().map(|done| done.done_ns).min().unwrap();
    assert!(last_begun < first_ended, "they overlapped");
    let before = now_ns();
    lane.wait(now_ns() + 60 * SECOND, &mut done);
    assert!(now_ns() - before < SECOND, "nothing is in flight, so there is nothing to wait for");
    for entry in std::fs::read_dir("/proc/self/task").unwrap() {
        let name = std::fs::read_to_string(entry.unwrap().path().join("comm")).unwrap_or_default();
        assert!(!name.starts_with("tokio"), "a runtime has a thread of its own: {name}");
    }
}

#[test]
fn polling_alone_brings_a_request_to_its_end() {
    let Some(weed) = Weed::start() else { return };
    let mut lane = lane(spec(&weed.endpoint()));
    let mut memory = content(1);
    let mut done = Vec::new();
    // SAFETY: the memory outlives the request, which has ended below.
    unsafe { lane.submit(0, S3Request::PutObject { object: 1 }, memory.as_mut_ptr(), memory.len()) };
    while done.is_empty() {
        lane.poll(&mut done);
        std::thread::yield_now();
    }
    assert_eq!(done[0].outcome.as_ref().unwrap(), &(4 * UNIT));
}

#[test]
fn large_answers_come_to_their_end_however_often_the_lane_does_something_else() {
    let (bytes, depth, rounds) = (8 << 20, 16, 4);
    let server = Scripted::start(&[Act::Object(bytes)]);
    let layout = Layout::new(UNIT, 1 << 20, bytes as u64 / UNIT).unwrap();
    let spec = S3Spec { attempt_timeout_ns: 5 * SECOND, ..spec(&server.endpoint) };
    let mut lane = S3Lane::new(with_layout(spec, layout), 0, || u64::MAX).unwrap();
    let mut slots = vec![vec![0; bytes]; depth];
    for _ in 0..rounds {
        for (object, memory) in slots.iter_mut().enumerate() {
            let request = S3Request::Get { object: object as u64, offset: 0 };
            // SAFETY: the slots outlive the lane's use of them: all requests have ended below.
            unsafe { lane.submit(object, request, memory.as_mut_ptr(), memory.len()) };
        }
        let mut done = Vec::new();
        while done.len() < depth {
            lane.poll(&mut done);
            // Meanwhile the sockets fill.
            std::thread::sleep(Duration::from_millis(2));
        }
        for ended in done {
            assert_eq!(ended.outcome.unwrap(), bytes as u64);
        }
    }
    assert!(slots.iter().all(|memory| memory.iter().all(|byte| *byte == 7)));
}

#[test]
fn an_object_of_many_parts_is_there_only_when_its_upload_is_complete() {
    let Some(weed) = Weed::start() else { return };
    let part = 5 << 20;
    let layout = Layout::new(UNIT, 4 * part / UNIT, 2 * part / UNIT).unwrap();
    let spec = spec(&weed.endpoint());
    let mut whole: Vec<u8> = (0..2 * part).map(|at| (at / 4097) as u8).collect();
    let target = with_layout(spec, layout);
    let mut lane = S3Lane::new(target, 0, || u64::MAX).unwrap();
    let upload = lane.begin_upload(1).unwrap();
    // The second part first: parts come in any order.
    for nth in [1, 0] {
        let memory = &mut whole[nth * part as usize..][..part as usize];
        let request = S3Request::PutPart { upload: Arc::clone(&upload), part: nth };
        if nth == 0 {
            assert_eq!(lane.complete_upload(&upload, 2, 2 * part).unwrap_err().error.code, Code::InvalidArgument);
        }
        assert_eq!(lane.once(request, memory).outcome.unwrap(), part);
    }
    assert_eq!(lane.once(S3Request::Head { object: 1 }, &mut []).outcome.unwrap_err().error.code, Code::ObjectMissing);
    lane.complete_upload(&upload, 2, 2 * part).unwrap();
    assert!(lane.get(1, 0, 2 * part as usize).unwrap() == whole);
    assert!(lane.get(1, part - 10, 20).unwrap() == whole[part as usize - 10..][..20]);
    let upload = lane.begin_upload(0).unwrap();
    lane.abort_upload(&upload).unwrap();
    lane.abort_upload(&upload).unwrap();
    assert_eq!(lane.abort_uploads().unwrap(), 0);
}

fn with_layout(spec: S3Spec, layout: Layout) -> Arc<S3Target> {
    let variable = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(KEY_ID.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(SECRET.to_owned()),
        _ => None,
    };
    let surroundings = Surroundings { variable: &variable, file: &|_: &Path| None };
    Arc::new(S3Target::prepare_in(spec, layout, &surroundings, &super::super::dial::system_resolve).unwrap())
}

#[test]
fn uploads_that_a_crash_left_behind_are_found_and_aborted_and_those_of_others_are_not() {
    let Some(weed) = Weed::start() else { return };
    let mut other = lane(S3Spec { run: "run-10".into(), ..spec(&weed.endpoint()) });
    let theirs = other.begin_upload(3).unwrap();
    for object in 0..3 {
        lane(spec(&weed.endpoint())).begin_upload(object).unwrap();
    }
    let mut later = lane(spec(&weed.endpoint()));
    assert_eq!(later.abort_uploads().unwrap(), 3);
    assert_eq!(later.abort_uploads().unwrap(), 0);
    assert_eq!(other.abort_uploads().unwrap(), 1, "the other run's upload {theirs:?} was left alone");
}

#[test]
fn versions_of_the_runs_own_objects_are_removed_and_those_of_spared_ones_are_not() {
    let Some(weed) = Weed::start() else { return };
    weed.keep_versions();
    let mut lane = lane(S3Spec { bucket: VERSIONED.into(), ..spec(&weed.endpoint()) });
    for _ in 0..2 {
        for object in 0..3 {
            lane.put(object, &mut content(object)).outcome.unwrap();
        }
    }
    for object in 0..2 {
        lane.once(S3Request::Delete { object }, &mut []).outcome.unwrap();
    }
    assert_eq!(listed(&mut lane), [2]);
    assert_eq!(lane.remove_versions(&[2].into()).unwrap(), 6, "two versions and a delete marker of each");
    assert_eq!(lane.remove_versions(&[2].into()).unwrap(), 0);
    assert_eq!(lane.get(2, 0, 4 * UNIT as usize).unwrap(), content(2));
    assert_eq!(lane.remove_versions(&[].into()).unwrap(), 2);
    assert!(listed(&mut lane).is_empty());
}
