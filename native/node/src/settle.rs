//! A promise that is settled once, from whatever thread: a lane, or a thread of this layer. Dropped unsettled, it
//! rejects: a promise never hangs.

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

/// The settling side of a promise.
pub struct Settle<T: ToNapiValue + 'static>(Option<JsDeferred<T, Resolver<T>>>);

impl<T: ToNapiValue + 'static> Settle<T> {
    /// A promise and what settles it.
    pub fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
        Ok((Self(Some(deferred)), promise))
    }

    /// Settles the promise.
    pub fn with(mut self, outcome: std::result::Result<Resolver<T>, Error>) {
        if let Some(deferred) = self.0.take() {
            match outcome {
                Ok(value) => deferred.resolve(value),
                Err(error) => deferred.reject(to_js(&error)),
            }
        }
    }
}

impl Settle<()> {
    /// Settles the promise, and drops `owned` on JavaScript's thread: values of JavaScript may be dropped nowhere else.
    pub fn with_owned<O: Send + 'static>(mut self, outcome: std::result::Result<(), Error>, owned: O) {
        if let Some(deferred) = self.0.take() {
            deferred.resolve(Box::new(move |_| {
                drop(owned);
                outcome.map_err(|error| to_js(&error))
            }));
        }
    }
}

impl<T: ToNapiValue + 'static> Drop for Settle<T> {
    fn drop(&mut self) {
        if let Some(deferred) = self.0.take() {
            let error = Error::new(
                Code::EngineClosed,
                "the work was dropped before it was done",
                "close the engine only when its work is done",
            );
            deferred.reject(to_js(&error));
        }
    }
}
