//! Work on a buffer that is cut into pieces, which lanes claim one after the other until none is left. Knows neither
//! content nor storage.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};
use crate::lanes::Lanes;

/// What is to be done with each piece.
pub(crate) trait Pieces: Send + Sync + 'static {
    /// What all of the work comes to.
    type Output: Send + 'static;

    /// How many pieces there are.
    fn count(&self) -> usize;

    /// Does one piece. Called once for each number below the count, by several threads at once.
    fn work(&self, nth: usize);

    /// What it came to, asked once, when every piece is done.
    fn output(&self) -> Self::Output;
}

/// Called once, with the outcome, by whoever did the last piece.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Lets lanes do the work. Returns at once; `done` is called when the last piece is done and no lane touches any more.
///
/// # Errors
/// Those of [`Engine::submit`]; `done` is then dropped without being called.
pub(crate) fn submit<P: Pieces>(engine: &Engine, lanes: Lanes, pieces: P, done: Done<P::Output>) -> Result<()> {
    engine.submit_to(lanes, Arc::new(PieceJob::new(pieces, done)))
}

/// Lets lanes do the work and returns when all is done. A caller that takes part does not wait for lanes that have not
/// claimed a piece: when they are busy with other work, it does all by itself. Not to be called on a lane.
///
/// # Errors
/// Those of [`Engine::submit`]; `LanePanicked`, `EngineClosed` when pieces were left undone.
pub(crate) fn share<P: Pieces>(engine: &Engine, lanes: Lanes, takes_part: bool, pieces: P) -> Result<P::Output> {
    let (sender, outcome) = channel();
    // The receiver is there until an outcome has come.
    let done = Box::new(move |done| drop(sender.send(done)));
    let job = Arc::new(PieceJob::new(pieces, done));
    engine.submit_to(lanes, Arc::clone(&job) as Arc<dyn Job>)?;
    // Whatever the caller's own part does, lanes may have pieces of the buffer until the outcome has come.
    if takes_part && catch_unwind(AssertUnwindSafe(|| job.take_part())).is_err() {
        job.stop.store(true, Ordering::Relaxed);
        job.give_up();
    }
    outcome.recv().unwrap_or_else(|_| Err(undone()))
}

fn undone() -> Error {
    Error::new(Code::LanePanicked, "a part of the work was given up", "report this as a defect")
}

struct PieceJob<P: Pieces> {
    pieces: P,
    next: AtomicUsize,
    /// Pieces that are not done yet.
    left: AtomicUsize,
    stop: AtomicBool,
    /// Whether the lanes, or a caller that took part, have left with pieces undone: those of the other, unless it has
    /// left too.
    has_left: AtomicBool,
    done: Mutex<Option<Done<P::Output>>>,
}

impl<P: Pieces> PieceJob<P> {
    fn new(pieces: P, done: Done<P::Output>) -> Self {
        let (left, done) = (AtomicUsize::new(pieces.count()), Mutex::new(Some(done)));
        let (stop, has_left) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { pieces, next: AtomicUsize::new(0), left, stop, has_left, done }
    }

    /// The lanes, or the caller, will do no more pieces. The second to say so tells that some were left undone.
    fn give_up(&self) {
        if self.has_left.swap(true, Ordering::AcqRel) {
            self.tell(Err(undone()));
        }
    }

    fn take_part(&self) {
        while !self.stop.load(Ordering::Relaxed) {
            let nth = self.next.fetch_add(1, Ordering::Relaxed);
            if nth >= self.pieces.count() {
                return;
            }
            self.pieces.work(nth);
            // Whoever does the last piece has all bytes of the others before it: each decrement releases its own.
            if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
                self.tell(Ok(()));
            }
        }
    }

    fn tell(&self, outcome: Result<()>) {
        let done = self.done.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(done) = done {
            done(outcome.map(|()| self.pieces.output()));
        }
    }
}

impl<P: Pieces> Job for PieceJob<P> {
    fn run(&self, _: &mut Lane) {
        self.take_part();
    }

    fn abort(&self, _: &Error) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn finished(&self, outcome: Result<()>) {
        match outcome {
            // The caller that takes part has not done its pieces yet.
            Ok(()) if self.left.load(Ordering::Acquire) > 0 => self.give_up(),
            // Without pieces nobody has told yet.
            outcome => self.tell(outcome),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender};

    use super::*;
    use crate::engine::testing::{Endless, unpinned};

    /// Counts how often each piece was done.
    struct Count(Vec<AtomicUsize>);

    impl Count {
        fn new(pieces: usize) -> Self {
            Self((0..pieces).map(|_| AtomicUsize::new(0)).collect())
        }
    }

    impl Pieces for Count {
        type Output = Vec<usize>;

        fn count(&self) -> usize {
            self.0.len()
        }

        fn work(&self, nth: usize) {
            self.0[nth].fetch_add(1, Ordering::Relaxed);
        }

        fn output(&self) -> Vec<usize> {
            self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect()
        }
    }

    /// Panics at one piece.
    struct Panic;

    impl Pieces for Panic {
        type Output = ();

        fn count(&self) -> usize {
            64
        }

        fn work(&self, nth: usize) {
            assert!(nth != 40, "asked for by a test");
        }

        fn output(&self) {}
    }

    #[test]
    fn every_piece_is_done_once_whoever_takes_part() {
        let engine = unpinned(3);
        for pieces in [0, 1, 2, 1000] {
            for takes_part in [false, true] {
                let counts = share(&engine, Lanes::all(), takes_part, Count::new(pieces));
                assert_eq!(counts.unwrap(), vec![1; pieces]);
            }
            let (sender, outcome) = channel();
            let done = Box::new(move |done| sender.send(done).unwrap());
            let one = Lanes::of(engine.placement(), None, Some(1)).unwrap();
            submit(&engine, one, Count::new(pieces), done).unwrap();
            assert_eq!(outcome.recv().unwrap().unwrap(), vec![1; pieces]);
        }
    }

    #[test]
    fn a_caller_does_all_by_itself_while_the_lanes_are_busy() {
        let engine = unpinned(2);
        let busy = Arc::new(Endless::default());
        engine.submit(Arc::clone(&busy) as Arc<dyn Job>).unwrap();
        busy.wait_until_inside(2);
        assert_eq!(share(&engine, Lanes::all(), true, Count::new(100)).unwrap(), vec![1; 100]);
        engine.close().unwrap();
        assert_eq!(share(&engine, Lanes::all(), true, Count::new(1)).unwrap_err().code, Code::EngineClosed);
    }

    /// Keeps a lane until it is sent something.
    struct Gate(Mutex<Receiver<()>>, Sender<()>);

    impl Job for Gate {
        fn run(&self, _: &mut Lane) {
            self.0.lock().unwrap().recv().unwrap();
        }

        fn abort(&self, _: &Error) {}

        fn finished(&self, _: Result<()>) {
            self.1.send(()).unwrap();
        }
    }

    /// One piece, which is only done when all lanes have come and gone.
    struct Slow {
        engine: Arc<Engine>,
        open: Sender<()>,
    }

    impl Pieces for Slow {
        type Output = ();

        fn count(&self) -> usize {
            1
        }

        fn work(&self, _: usize) {
            let (go, gate) = channel();
            let (ended, end) = channel();
            self.engine.submit(Arc::new(Gate(Mutex::new(gate), ended))).unwrap();
            go.send(()).unwrap();
            self.open.send(()).unwrap();
            end.recv().unwrap();
        }

        fn output(&self) {}
    }

    #[test]
    fn lanes_that_leave_before_the_caller_is_done_give_nothing_up() {
        let engine = Arc::new(unpinned(1));
        let (open, gate) = channel();
        let (ended, _end) = channel();
        engine.submit(Arc::new(Gate(Mutex::new(gate), ended))).unwrap();
        let slow = Slow { engine: Arc::clone(&engine), open };
        share(&engine, Lanes::all(), true, slow).unwrap();
    }

    #[test]
    fn a_panic_in_a_piece_is_an_error_whoever_did_it_and_the_engine_lives_on() {
        let engine = unpinned(2);
        for _ in 0..20 {
            assert_eq!(share(&engine, Lanes::all(), true, Panic).unwrap_err().code, Code::LanePanicked);
        }
        assert_eq!(share(&engine, Lanes::all(), true, Count::new(9)).unwrap(), vec![1; 9]);
    }
}
