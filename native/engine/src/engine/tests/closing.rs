//! How an engine ends: closed, closed again, closed by its own lane, dropped, with work in it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use super::super::testing::{Endless, unpinned};
use super::super::*;
use super::{code, probe, probe_then};
use crate::lane::Lane;

#[test]
fn closing_ends_a_long_job_and_those_behind_it_each_told_once() {
    let engine = unpinned(3);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    let ran = Arc::new(AtomicBool::new(false));
    let behind: Vec<_> = (0..5)
        .map(|_| {
            let ran = Arc::clone(&ran);
            let (job, outcomes) = probe(move |_| ran.store(true, Ordering::SeqCst));
            engine.submit(job).unwrap();
            outcomes
        })
        .collect();
    long.wait_until_inside(3);
    engine.close().unwrap();
    assert_eq!(long.outcomes().iter().map(code).collect::<Vec<_>>(), [Some(Code::EngineClosed)]);
    for outcomes in behind {
        assert_eq!(outcomes.iter().map(|outcome| code(&outcome)).collect::<Vec<_>>(), [Some(Code::EngineClosed)]);
    }
    assert!(!ran.load(Ordering::SeqCst));
}

#[test]
fn closing_twice_and_from_several_threads_is_fine_and_work_after_it_is_refused() {
    let engine = unpinned(2);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                engine.close().unwrap();
                // Whoever returns, returns to an engine whose lanes are gone.
                assert_eq!(long.outcomes().len(), 1);
            });
        }
    });
    engine.close().unwrap();
    let (late, outcomes) = probe(|_| {});
    assert_eq!(engine.submit(late).unwrap_err().code, Code::EngineClosed);
    assert!(outcomes.recv().is_err(), "a refused job was called");
}

#[test]
fn an_engine_closed_by_its_own_lane_says_so_and_does_not_hang() {
    let engine = Arc::new(unpinned(3));
    let (closes, answers) = channel();
    let weak = Arc::downgrade(&engine);
    let close = move |weak: &Weak<Engine>| closes.send(weak.upgrade().unwrap().close().unwrap_err().code).unwrap();
    let (close_in_run, close_in_finished) = (close.clone(), close);
    let (weak_in_run, weak_in_finished) = (weak.clone(), weak);
    let run = move |lane: &mut Lane| {
        if lane.index == 0 {
            close_in_run(&weak_in_run);
        }
    };
    let (job, outcomes) = probe_then(run, move |_| close_in_finished(&weak_in_finished));
    engine.submit(job).unwrap();
    assert_eq!(code(&outcomes.recv().unwrap()), Some(Code::EngineClosed));
    assert_eq!([answers.recv().unwrap(), answers.recv().unwrap()], [Code::CloseOnLane; 2]);
    engine.close().unwrap();
}

#[test]
fn an_engine_dropped_while_busy_ends_its_job() {
    let engine = unpinned(2);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    long.wait_until_inside(2);
    drop(engine);
    assert_eq!(long.outcomes().iter().map(code).collect::<Vec<_>>(), [Some(Code::EngineClosed)]);
}

#[test]
fn a_job_that_owns_the_last_handle_of_its_engine_does_not_hang_it() {
    let engine = Arc::new(unpinned(2));
    let (told, ended) = channel::<()>();
    let owner = Mutex::new(Some((Arc::clone(&engine), told)));
    let (gone, go) = channel::<()>();
    let go = Mutex::new(go);
    // `finished` waits until the test has let go of its handle, then drops the last one on a lane.
    let (job, _outcomes) = probe_then(
        |_| {},
        move |_| {
            let _ = go.lock().unwrap().recv();
            drop(owner.lock().unwrap().take());
        },
    );
    engine.submit(job).unwrap();
    drop(engine);
    drop(gone);
    assert!(ended.recv().is_err());
}

#[test]
fn too_many_waiting_jobs_are_refused_and_not_piled_up() {
    let engine = unpinned(1);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    for _ in 0..MAX_WAITING_JOBS {
        engine.submit(probe(|_| {}).0).unwrap();
    }
    assert_eq!(engine.submit(probe(|_| {}).0).unwrap_err().code, Code::QueueFull);
    engine.close().unwrap();
}
