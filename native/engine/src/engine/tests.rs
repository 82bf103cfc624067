//! What an engine promises through its whole life, whatever jobs and callers do.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;

use super::testing::{Endless, unpinned};
use super::*;
use crate::topology::TopologySource;

mod closing;

type Run = Box<dyn Fn(&mut Lane) + Send + Sync>;
type Finished = Box<dyn Fn(Result<()>) + Send + Sync>;

/// A job put together from closures, which counts how it is called.
struct Probe {
    run: Run,
    finished: Finished,
    aborted: AtomicUsize,
    outcomes: Sender<Result<()>>,
}

impl Job for Probe {
    fn run(&self, lane: &mut Lane) {
        (self.run)(lane);
    }
    fn abort(&self, _: &Error) {
        self.aborted.fetch_add(1, Ordering::SeqCst);
    }
    fn finished(&self, outcome: Result<()>) {
        // Told first: a test may make the rest panic.
        let _ = self.outcomes.send(outcome.clone());
        (self.finished)(outcome);
    }
}

fn probe(run: impl Fn(&mut Lane) + Send + Sync + 'static) -> (Arc<Probe>, Receiver<Result<()>>) {
    probe_then(run, |_| {})
}

fn probe_then(
    run: impl Fn(&mut Lane) + Send + Sync + 'static,
    finished: impl Fn(Result<()>) + Send + Sync + 'static,
) -> (Arc<Probe>, Receiver<Result<()>>) {
    let (outcomes, receiver) = channel();
    let aborted = AtomicUsize::new(0);
    (Arc::new(Probe { run: Box::new(run), finished: Box::new(finished), aborted, outcomes }), receiver)
}

fn code(outcome: &Result<()>) -> Option<Code> {
    outcome.as_ref().err().map(|error| error.code)
}

#[test]
fn a_job_runs_once_on_every_lane_all_at_the_same_time() {
    let engine = unpinned(8);
    let seen = Arc::new(Mutex::new(Vec::new()));
    // The barrier opens only when all eight lanes are inside at once.
    let (all, seen_by) = (Barrier::new(8), Arc::clone(&seen));
    let (job, outcomes) = probe(move |lane| {
        all.wait();
        seen_by.lock().unwrap().push((lane.index, thread::current().name().map(str::to_owned)));
    });
    engine.submit(job).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    let mut seen = seen.lock().unwrap();
    seen.sort();
    let expected: Vec<_> = (0..8).map(|lane| (lane, Some(format!("lane-{lane}")))).collect();
    assert_eq!(*seen, expected);
}

#[test]
fn every_lane_runs_on_the_pu_it_was_given() {
    let topology = Arc::new(Topology::load(&TopologySource::ThisMachine).unwrap());
    let placement = PlacementOptions { smt: true, ..Default::default() };
    let engine =
        Engine::new(EngineOptions { placement, buffer_bytes: 4096, ..EngineOptions::on(topology.clone()) }).unwrap();
    let places = Arc::new(Mutex::new(Vec::new()));
    let places_by = Arc::clone(&places);
    let (job, outcomes) = probe(move |lane| {
        // SAFETY: sched_getcpu takes nothing.
        let ran_on = unsafe { libc::sched_getcpu() };
        places_by.lock().unwrap().push((lane.pu, ran_on, cpuset::allowed_to_thread().unwrap()));
    });
    engine.submit(job).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    let mut places = places.lock().unwrap().clone();
    places.sort();
    let expected: Vec<_> = topology.allowed.pus.iter().map(|pu| (*pu, *pu as i32, vec![*pu])).collect();
    assert_eq!(places, expected);
}

#[test]
fn jobs_run_in_the_order_they_were_given_and_never_two_at_once() {
    let engine = unpinned(3);
    let log = Arc::new(Mutex::new(Vec::new()));
    let inside = Arc::new(AtomicUsize::new(0));
    let mut waiting = Vec::new();
    for number in 0..50 {
        let (log, inside) = (Arc::clone(&log), Arc::clone(&inside));
        let inside_at_end = Arc::clone(&inside);
        let (job, outcomes) = probe_then(
            move |_| {
                inside.fetch_add(1, Ordering::SeqCst);
                log.lock().unwrap().push(number);
            },
            move |_| assert_eq!(inside_at_end.swap(0, Ordering::SeqCst), 3),
        );
        engine.submit(job).unwrap();
        waiting.push(outcomes);
    }
    assert!(waiting.into_iter().all(|outcomes| outcomes.recv() == Ok(Ok(()))));
    let expected: Vec<usize> = (0..50).flat_map(|number| [number; 3]).collect();
    assert_eq!(*log.lock().unwrap(), expected);
}

#[test]
fn a_panic_in_one_lane_fails_its_job_once_and_the_engine_works_on() {
    let engine = unpinned(4);
    let (bad, outcomes) = probe(|lane| assert!(lane.index != 2, "a broken job"));
    engine.submit(bad.clone()).unwrap();
    let error = outcomes.recv().unwrap().unwrap_err();
    assert_eq!(error.code, Code::LanePanicked);
    assert!(error.what.contains("lane 2") && error.what.contains("a broken job"), "{error}");
    assert_eq!(bad.aborted.load(Ordering::SeqCst), 1);
    let (good, good_outcomes) = probe(|_| {});
    engine.submit(good).unwrap();
    assert_eq!(good_outcomes.recv().unwrap(), Ok(()));
    engine.close().unwrap();
    drop(bad);
    assert!(outcomes.recv().is_err(), "finished was called twice");
}

#[test]
fn a_panic_frees_the_lanes_that_wait_for_the_panicked_one() {
    let engine = unpinned(3);
    let endless = Arc::new(Endless::default());
    struct Mixed(Arc<Endless>, Sender<Result<()>>);
    impl Job for Mixed {
        fn run(&self, lane: &mut Lane) {
            if lane.index == 0 {
                self.0.wait_until_inside(2);
                panic!("lane 0 gives up");
            }
            self.0.run(lane);
        }
        fn abort(&self, reason: &Error) {
            self.0.abort(reason);
        }
        fn finished(&self, outcome: Result<()>) {
            self.1.send(outcome).unwrap();
        }
    }
    let (sender, outcomes) = channel();
    engine.submit(Arc::new(Mixed(endless, sender))).unwrap();
    assert_eq!(code(&outcomes.recv().unwrap()), Some(Code::LanePanicked));
}

#[test]
fn panics_on_all_lanes_at_once_and_while_finishing_leave_the_engine_usable() {
    let engine = unpinned(4);
    let (bad, outcomes) = probe_then(|_| panic!("every lane"), |_| panic!("and at the end"));
    engine.submit(bad.clone()).unwrap();
    assert_eq!(code(&outcomes.recv().unwrap()), Some(Code::LanePanicked));
    let (good, outcomes) = probe(|_| {});
    engine.submit(good).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    assert_eq!(bad.aborted.load(Ordering::SeqCst), 1);
}

#[test]
fn a_finished_job_may_submit_the_next_one() {
    let engine = Arc::new(unpinned(2));
    let (last, outcomes) = probe(|_| {});
    let weak = Arc::downgrade(&engine);
    let (first, _first) = probe_then(|_| {}, move |_| weak.upgrade().unwrap().submit(last.clone()).unwrap());
    engine.submit(first).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    engine.close().unwrap();
}

#[test]
fn many_engines_live_side_by_side_and_one_after_the_other() {
    for _ in 0..20 {
        let engines: Vec<Engine> = (0..8).map(|_| unpinned(4)).collect();
        let waiting: Vec<_> = engines
            .iter()
            .map(|engine| {
                let (job, outcomes) = probe(|lane| lane.buffer.as_mut_slice().fill(1));
                engine.submit(job).unwrap();
                outcomes
            })
            .collect();
        assert!(waiting.into_iter().all(|outcomes| outcomes.recv() == Ok(Ok(()))));
    }
}

#[test]
fn a_pu_that_is_not_there_is_named_and_no_lane_is_left_behind() {
    let topology = Topology::load(&TopologySource::Synthetic("package:40 numa:1 core:100 pu:1".into())).unwrap();
    let mut options = EngineOptions { buffer_bytes: 4096, ..EngineOptions::on(Arc::new(topology)) };
    let error = Engine::new(options.clone()).unwrap_err();
    assert_eq!(error.code, Code::LaneStart);
    assert!(error.what.contains("PU "), "{error}");
    options.buffer_bytes = 1 << 40;
    assert_eq!(Engine::new(options).unwrap_err().code, Code::OutOfMemory);
}

#[test]
fn more_lanes_than_an_engine_can_have_are_refused() {
    let topology = Topology::load(&TopologySource::Synthetic("package:64 numa:1 core:65 pu:1".into())).unwrap();
    let options = EngineOptions { buffer_bytes: 0, pin: false, ..EngineOptions::on(Arc::new(topology)) };
    assert_eq!(Engine::new(options).unwrap_err().code, Code::InvalidArgument);
}
