//! Asks every lane of an engine, or those chosen, the same question and collects the answers.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::lane::{Job, Lane};
use crate::lanes::Lanes;

/// What each lane is asked.
pub(crate) trait Question: Send + Sync + 'static {
    /// What a lane answers.
    type Answer: Send + 'static;

    /// Asked once on each lane, by all at the same time. One that takes long returns early when `stop` becomes true:
    /// its answer does not count any more.
    fn ask(&self, lane: &mut Lane, stop: &AtomicBool) -> Result<Self::Answer>;
}

/// Called once, with the answers in the order of lanes, or with the first error.
pub(crate) type Done<T> = Box<dyn FnOnce(Result<Vec<T>>) + Send>;

/// Asks these lanes. Returns at once; `done` is called on a lane at the end.
///
/// # Errors
/// Those of [`Engine::submit`]; `done` is then dropped without being called.
pub(crate) fn survey<Q: Question>(engine: &Engine, lanes: Lanes, question: Q, done: Done<Q::Answer>) -> Result<()> {
    let survey = Survey {
        question,
        stop: AtomicBool::new(false),
        answers: Mutex::new(Vec::with_capacity(engine.lane_count())),
        failure: Mutex::new(None),
        done: Mutex::new(Some(done)),
    };
    engine.submit_to(lanes, Arc::new(survey))
}

struct Survey<Q: Question> {
    question: Q,
    stop: AtomicBool,
    /// Each with its lane's number.
    answers: Mutex<Vec<(usize, Q::Answer)>>,
    failure: Mutex<Option<Error>>,
    done: Mutex<Option<Done<Q::Answer>>>,
}

impl<Q: Question> Job for Survey<Q> {
    fn run(&self, lane: &mut Lane) {
        match self.question.ask(lane, &self.stop) {
            Ok(answer) => self.answers.lock().unwrap_or_else(PoisonError::into_inner).push((lane.index, answer)),
            Err(error) => {
                self.stop.store(true, Ordering::Relaxed);
                self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error);
            }
        }
    }

    fn abort(&self, _: &Error) {
        self.stop.store(true, Ordering::Relaxed);
    }

    fn finished(&self, outcome: Result<()>) {
        let Some(done) = self.done.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        let failure = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take();
        let mut answers = std::mem::take(&mut *self.answers.lock().unwrap_or_else(PoisonError::into_inner));
        answers.sort_unstable_by_key(|(lane, _)| *lane);
        let answers = answers.into_iter().map(|(_, answer)| answer).collect();
        done(outcome.and(failure.map_or(Ok(()), Err)).map(|()| answers));
    }
}
