//! A promise that is settled once, from whatever thread: a lane, or a thread of this layer. Dropped unsettled, it
//! rejects: a promise never hangs.

use std::sync::{Arc, Mutex, PoisonError};

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred, Result};
use seedstorm_engine::error::{Code, Error};

use crate::error::to_js;

/// What makes a promise's value, on JavaScript's thread; what it owns is dropped there.
pub type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

/// A resolver that needs nothing of JavaScript.
pub fn value<T>(make: impl FnOnce() -> T + Send + 'static) -> Resolver<T> {
    Box::new(move |_| Ok(make()))
}

/// The settling side of a promise. Clones settle the same promise, and the first to do it counts: the work has one,
/// and whoever submits the work another, for when it is refused. Such an error goes through the promise too: thrown
/// beside a promise that nobody ever got, it would leave that one rejected and unhandled, which ends the process.
pub struct Settle<T: ToNapiValue + 'static>(Arc<Unsettled<T>>);

struct Unsettled<T: ToNapiValue + 'static>(Mutex<Option<JsDeferred<T, Resolver<T>>>>);

impl<T: ToNapiValue + 'static> Clone for Settle<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: ToNapiValue + 'static> Settle<T> {
    /// A promise and what settles it.
    pub fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
        Ok((Self(Arc::new(Unsettled(Mutex::new(Some(deferred))))), promise))
    }

    /// Settles the promise.
    pub fn with(&self, outcome: std::result::Result<Resolver<T>, Error>) {
        self.0.settle(outcome);
    }
}

impl<T: ToNapiValue + 'static> Settle<T> {
    /// Settles the promise with what `make` makes of the outcome, and drops `owned`, both on JavaScript's thread: values
    /// of JavaScript may be dropped nowhere else.
    pub fn with_owned<V: Send + 'static, O: Send + 'static>(
        &self,
        outcome: std::result::Result<V, Error>,
        make: fn(V) -> T,
        owned: O,
    ) {
        self.with(Ok(Box::new(move |_| {
            drop(owned);
            outcome.map(make).map_err(|error| to_js(&error))
        })));
    }
}

impl<T: ToNapiValue + 'static> Unsettled<T> {
    fn settle(&self, outcome: std::result::Result<Resolver<T>, Error>) {
        let Some(deferred) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() else { return };
        match outcome {
            Ok(value) => deferred.resolve(value),
            Err(error) => deferred.reject(to_js(&error)),
        }
    }
}

impl<T: ToNapiValue + 'static> Drop for Unsettled<T> {
    fn drop(&mut self) {
        self.settle(Err(Error::new(
            Code::EngineClosed,
            "the work was dropped before it was done",
            "close the engine only when its work is done",
        )));
    }
}
