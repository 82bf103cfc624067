//! What an engine promises through its whole life, whatever jobs and callers do.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Barrier, Condvar, Mutex, Weak};
use std::thread;

use super::*;
use crate::topology::TopologySource;

/// An engine of this many lanes on a made-up machine, unpinned, so that any machine can run it.
fn engine(lanes: usize) -> Engine {
    let topology = Topology::load(&TopologySource::Synthetic(format!("numa:1 core:{lanes} pu:1"))).unwrap();
    let options = EngineOptions {
        topology: Arc::new(topology),
        placement: PlacementOptions::default(),
        buffer_bytes: 4096,
        pin: false,
    };
    Engine::new(options).unwrap()
}

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

/// A job that stays in every lane until it is aborted.
#[derive(Default)]
struct Endless {
    state: Mutex<(usize, bool, Vec<Result<()>>)>,
    changed: Condvar,
}

impl Endless {
    fn wait_until_inside(&self, lanes: usize) {
        let state = self.state.lock().unwrap();
        drop(self.changed.wait_while(state, |state| state.0 < lanes).unwrap());
    }
    fn outcomes(&self) -> Vec<Result<()>> {
        self.state.lock().unwrap().2.clone()
    }
}

impl Job for Endless {
    fn run(&self, _: &mut Lane) {
        let mut state = self.state.lock().unwrap();
        state.0 += 1;
        self.changed.notify_all();
        drop(self.changed.wait_while(state, |state| !state.1).unwrap());
    }
    fn abort(&self, _: &Error) {
        self.state.lock().unwrap().1 = true;
        self.changed.notify_all();
    }
    fn finished(&self, outcome: Result<()>) {
        self.state.lock().unwrap().2.push(outcome);
    }
}

fn code(outcome: &Result<()>) -> Option<Code> {
    outcome.as_ref().err().map(|error| error.code)
}

#[test]
fn a_job_runs_once_on_every_lane_all_at_the_same_time() {
    let engine = engine(8);
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
        Engine::new(EngineOptions { topology: topology.clone(), placement, buffer_bytes: 4096, pin: true }).unwrap();
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
    let engine = engine(3);
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
    let engine = engine(4);
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
    let engine = engine(3);
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
    let engine = engine(4);
    let (bad, outcomes) = probe_then(|_| panic!("every lane"), |_| panic!("and at the end"));
    engine.submit(bad.clone()).unwrap();
    assert_eq!(code(&outcomes.recv().unwrap()), Some(Code::LanePanicked));
    let (good, outcomes) = probe(|_| {});
    engine.submit(good).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    assert_eq!(bad.aborted.load(Ordering::SeqCst), 1);
}

#[test]
fn closing_ends_a_long_job_and_those_behind_it_each_told_once() {
    let engine = engine(3);
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
    let engine = engine(2);
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
    let engine = Arc::new(engine(3));
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
    let engine = engine(2);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    long.wait_until_inside(2);
    drop(engine);
    assert_eq!(long.outcomes().iter().map(code).collect::<Vec<_>>(), [Some(Code::EngineClosed)]);
}

#[test]
fn a_job_that_owns_the_last_handle_of_its_engine_does_not_hang_it() {
    let engine = Arc::new(engine(2));
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
fn a_finished_job_may_submit_the_next_one() {
    let engine = Arc::new(engine(2));
    let (last, outcomes) = probe(|_| {});
    let weak = Arc::downgrade(&engine);
    let (first, _first) = probe_then(|_| {}, move |_| weak.upgrade().unwrap().submit(last.clone()).unwrap());
    engine.submit(first).unwrap();
    assert_eq!(outcomes.recv().unwrap(), Ok(()));
    engine.close().unwrap();
}

#[test]
fn too_many_waiting_jobs_are_refused_and_not_piled_up() {
    let engine = engine(1);
    let long = Arc::new(Endless::default());
    engine.submit(long.clone()).unwrap();
    for _ in 0..MAX_WAITING_JOBS {
        engine.submit(probe(|_| {}).0).unwrap();
    }
    assert_eq!(engine.submit(probe(|_| {}).0).unwrap_err().code, Code::QueueFull);
    engine.close().unwrap();
}

#[test]
fn many_engines_live_side_by_side_and_one_after_the_other() {
    for _ in 0..20 {
        let engines: Vec<Engine> = (0..8).map(|_| engine(4)).collect();
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
    let topology = Topology::load(&TopologySource::Synthetic("numa:1 core:4000 pu:1".into())).unwrap();
    let mut options = EngineOptions {
        topology: Arc::new(topology),
        placement: PlacementOptions::default(),
        buffer_bytes: 4096,
        pin: true,
    };
    let error = Engine::new(options.clone()).unwrap_err();
    assert_eq!(error.code, Code::LaneStart);
    assert!(error.what.contains("PU "), "{error}");
    options.buffer_bytes = 1 << 40;
    assert_eq!(Engine::new(options).unwrap_err().code, Code::OutOfMemory);
}

#[test]
fn more_lanes_than_an_engine_can_have_are_refused() {
    let topology = Topology::load(&TopologySource::Synthetic("numa:1 core:4097 pu:1".into())).unwrap();
    let options = EngineOptions {
        topology: Arc::new(topology),
        placement: PlacementOptions::default(),
        buffer_bytes: 0,
        pin: false,
    };
    assert_eq!(Engine::new(options).unwrap_err().code, Code::InvalidArgument);
}
