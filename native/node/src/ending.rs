//! How work of lanes ended, for whoever asks, before or after.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use seedstorm_engine::error::Error;

use crate::settle::{Settle, value};

/// The end of some work, which a handle of type `T` cancels when it is dropped.
pub struct Ending<T>(Mutex<State<T>>);

struct State<T> {
    outcome: Option<std::result::Result<(), Error>>,
    /// The promises of those who asked before. Each holds the work, which would be cancelled when it is collected.
    waiting: Vec<(Settle<()>, Arc<T>)>,
}

impl<T> Default for Ending<T> {
    fn default() -> Self {
        Self(Mutex::new(State { outcome: None, waiting: Vec::new() }))
    }
}

impl<T> Ending<T> {
    /// The work has ended.
    pub fn tell(&self, outcome: &std::result::Result<(), Error>) {
        let waiting = {
            let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.outcome = Some(outcome.clone());
            std::mem::take(&mut state.waiting)
        };
        for (settle, _work) in waiting {
            settle.with(outcome.clone().map(|()| value(|| ())));
        }
    }

    /// A promise that settles when it has.
    pub fn promise<'env>(&self, env: &'env Env, work: &Arc<T>) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match &state.outcome {
            None => state.waiting.push((settle, Arc::clone(work))),
            Some(outcome) => settle.with(outcome.clone().map(|()| value(|| ()))),
        }
        Ok(promise)
    }
}
