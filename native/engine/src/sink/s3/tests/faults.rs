use std::sync::atomic::Ordering;

use super::scripted::{Act, Scripted};
use super::*;
use crate::error::Code;

const OK: Act = Act::Answer("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n");
const SLOW_DOWN: Act = Act::Answer(
    "HTTP/1.1 503 Slow Down\r\nContent-Length: 72\r\n\r\n<Error><Code>SlowDown</Code><Message>too much to do</Message>   </Error>",
);

fn patient(endpoint: &str, attempts: u32) -> S3Spec {
    S3Spec { retries: Retries { attempts, backoff_ns: 1_000_000 }, ..spec(endpoint) }
}

#[test]
fn a_missing_object_is_told_from_one_that_is_too_short_and_both_from_other_errors() {
    let Some(weed) = Weed::start() else { return };
    let mut lane = lane(spec(&weed.endpoint()));
    let missing = lane.get(7, 0, 4 * UNIT as usize).unwrap_err();
    assert_eq!((missing.status, missing.error.code), (404, Code::ObjectMissing));
    assert!(missing.error.what.contains("GET qualify/tests/of lanes/run-1/f00000007"), "{}", missing.error.what);
    lane.put(7, &mut content(7)[..100]).outcome.unwrap();
    for (offset, bytes, left) in [(0, 4 * UNIT as usize, 100), (UNIT, UNIT as usize, 0), (50, 100, 50)] {
        let mut memory = vec![0xa5; bytes];
        let read = lane.once(S3Request::Get { object: 7, offset }, &mut memory).outcome.unwrap();
        assert_eq!(read, left, "what comes back ends where the object does");
        assert_eq!(lane.read(7, offset, bytes).unwrap().unwrap().len() as u64, left);
    }
    assert_eq!(lane.length(7).unwrap(), Some(100));
    assert_eq!((lane.length(8).unwrap(), lane.read(8, 0, 10).unwrap()), (None, None));
    drop(lane);
    let mut nowhere = super::lane(S3Spec { bucket: "no-such-bucket".into(), ..spec(&weed.endpoint()) });
    assert_eq!(nowhere.look().unwrap_err().error.code, Code::TargetMissing);
    let written = nowhere.put(0, &mut content(0)).outcome.unwrap_err();
    assert_eq!((written.status, written.error.code), (404, Code::TargetMissing));
}

#[test]
fn a_server_that_is_killed_and_started_again_costs_attempts_that_are_counted_and_no_more() {
    let Some(mut weed) = Weed::start() else { return };
    let endpoint = weed.endpoint();
    let (tell, written) = std::sync::mpsc::channel();
    let (go, killed) = std::sync::mpsc::channel();
    let client = std::thread::spawn(move || {
        let retries = Retries { attempts: 12, backoff_ns: SECOND / 50 };
        let mut lane = lane(S3Spec { retries, ..spec(&endpoint) });
        lane.put(0, &mut content(0)).outcome.unwrap();
        tell.send(()).unwrap();
        killed.recv().unwrap();
        let at_once = super::lane(spec(&endpoint)).put(1, &mut content(1)).outcome.unwrap_err();
        tell.send(()).unwrap();
        (at_once, lane.put(1, &mut content(1)))
    });
    written.recv().unwrap();
    weed.kill();
    go.send(()).unwrap();
    written.recv().unwrap();
    weed.start_again();
    let (at_once, done) = client.join().unwrap();
    assert_eq!((at_once.status, at_once.error.code), (0, Code::Unreachable));
    assert!(at_once.error.what.contains("Connection refused"), "{}", at_once.error.what);
    done.outcome.unwrap();
    assert!(done.attempts > 1 && done.failed.len() as u32 == done.attempts - 1);
    assert!(
        done.failed.iter().all(|failed| failed.begun_ns >= done.submitted_ns && failed.ended_ns <= done.attempt_ns)
    );
    for object in 0..2 {
        let back = lane(spec(&weed.endpoint())).get(object, 0, 4 * UNIT as usize);
        assert_eq!(back.unwrap(), content(object));
    }
}

#[test]
fn only_the_engine_tries_again_as_often_as_the_plan_says_and_each_attempt_is_told() {
    let server = Scripted::start(&[SLOW_DOWN, SLOW_DOWN, OK, SLOW_DOWN]);
    let mut lane = lane(patient(&server.endpoint, 3));
    let done = lane.put(0, &mut content(0));
    assert_eq!((done.outcome.unwrap(), done.attempts), (4 * UNIT, 3));
    let why: Vec<_> = done.failed.iter().map(|failed| (failed.why.status, failed.why.error.what.clone())).collect();
    assert_eq!(why.len(), 2);
    assert!(
        why.iter().all(|(status, what)| *status == 503 && what.ends_with("503 SlowDown (too much to do)")),
        "{why:?}"
    );
    let mut hasty = super::lane(patient(&server.endpoint, 1));
    let done = hasty.put(0, &mut content(0));
    assert_eq!((done.outcome.unwrap_err().status, done.attempts), (503, 1));
    assert_eq!(server.heads.lock().unwrap().len(), 4, "nobody else sent a request twice");
}

#[test]
fn a_store_without_lists_of_versions_and_uploads_keeps_none() {
    const NO_UPLOAD: &str =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\n\r\n<Error><Code>NoSuchUpload</Code></Error>";
    const NO_BUCKET: &str =
        "HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\n\r\n<Error><Code>NoSuchBucket</Code></Error>";
    for none in ["HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n", NO_UPLOAD] {
        let server = Scripted::start(&[Act::Answer(none)]);
        let mut lane = lane(spec(&server.endpoint));
        assert_eq!(lane.remove_versions(&[].into()).unwrap(), 0);
        assert_eq!(lane.abort_uploads().unwrap(), 0);
        assert!(lane.list(None).is_err(), "a list of objects is another thing");
    }
    let server = Scripted::start(&[Act::Answer(NO_BUCKET)]);
    assert_eq!(lane(spec(&server.endpoint)).abort_uploads().unwrap_err().error.code, Code::TargetMissing);
}

#[test]
fn no_attempt_begins_behind_the_deadline() {
    let server = Scripted::start(&[SLOW_DOWN]);
    let deadline_ns = now_ns() + 50_000_000;
    let target =
        target(S3Spec { retries: Retries { attempts: 1000, backoff_ns: 20_000_000 }, ..spec(&server.endpoint) });
    let mut lane = S3Lane::new(target, 0, move || deadline_ns).unwrap();
    let done = lane.put(0, &mut content(0));
    assert_eq!(done.outcome.unwrap_err().status, 503);
    assert!(done.attempt_ns < deadline_ns && done.attempts < 5);
}

#[test]
fn a_connection_is_used_again_and_one_that_the_server_closed_is_not() {
    let server = Scripted::start(&[OK, OK, OK, Act::Close, OK]);
    let mut lane = lane(spec(&server.endpoint));
    for _ in 0..3 {
        lane.put(0, &mut content(0)).outcome.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
    let lost = lane.put(0, &mut content(0)).outcome.unwrap_err();
    assert_eq!((lost.status, lost.error.code), (0, Code::Unreachable));
    lane.put(0, &mut content(0)).outcome.unwrap();
    assert_eq!(server.connections.load(Ordering::Relaxed), 2);
}

#[test]
fn a_server_that_never_answers_is_given_up_after_the_time_out() {
    let server = Scripted::start(&[Act::Hang]);
    let mut lane = lane(S3Spec { attempt_timeout_ns: SECOND / 5, ..patient(&server.endpoint, 2) });
    let done = lane.put(0, &mut content(0));
    let why = done.outcome.unwrap_err();
    assert!(
        why.error.code == Code::Unreachable && why.error.what.contains("did not answer in 0.2 s"),
        "{}",
        why.error.what
    );
    assert_eq!(done.attempts, 2);
    assert_eq!(server.connections.load(Ordering::Relaxed), 2, "a connection that hangs is not used again");
}

#[test]
fn memory_is_the_lanes_again_when_an_answer_came_early_or_the_lane_was_dropped() {
    // Far more than a socket takes in: most of it is still to be sent when the answer is there.
    let mut memory = vec![1u8; 64 << 20];
    let early = Act::AnswerEarly("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
    let server = Scripted::start(&[early, Act::Hang]);
    let mut lane = lane(spec(&server.endpoint));
    // The lane itself looks, as each attempt ends, whether its memory is back.
    let done = lane.put(0, &mut memory);
    assert_eq!(done.outcome.unwrap_err().status, 403);
    memory.fill(2);
    // SAFETY: the memory outlives the lane, which is dropped below.
    unsafe { lane.submit(1, S3Request::PutObject { object: 0 }, memory.as_mut_ptr(), memory.len()) };
    let mut done = Vec::new();
    lane.wait(now_ns() + SECOND / 5, &mut done);
    assert!(done.is_empty() && lane.in_flight() == 1);
    drop(lane);
    drop(memory);
}

#[test]
fn an_upload_whose_completion_was_answered_into_the_void_is_known_by_the_length_of_its_object() {
    const BEGUN: Act = Act::Answer(
        "HTTP/1.1 200 OK\r\nContent-Length: 130\r\n\r\n<InitiateMultipartUploadResult><Bucket>qualify</Bucket><Key>k</Key><UploadId>id</UploadId></InitiateMultipartUploadResult>        ",
    );
    const GONE: Act =
        Act::Answer("HTTP/1.1 404 Not Found\r\nContent-Length: 40\r\n\r\n<Error><Code>NoSuchUpload</Code></Error>");
    const LENGTH: Act = Act::Answer(
        "HTTP/1.1 200 OK\r\nETag: \"e\"\r\nLast-Modified: Wed, 12 Oct 2022 17:50:00 GMT\r\nContent-Length: 16384\r\n\r\n",
    );
    for (bytes, whole) in [(4 * UNIT, true), (8 * UNIT, false)] {
        let server = Scripted::start(&[BEGUN, OK, Act::Close, GONE, LENGTH]);
        let mut lane = lane(patient(&server.endpoint, 2));
        let upload = lane.begin_upload(3).unwrap();
        let part = S3Request::PutPart { upload: Arc::clone(&upload), part: 0 };
        lane.once(part, &mut content(3)).outcome.unwrap();
        assert_eq!(lane.complete_upload(&upload, 1, bytes).is_ok(), whole);
    }
}
