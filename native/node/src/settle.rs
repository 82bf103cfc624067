//! A promise that is settled once, from whatever thread: a lane, or a thread of this layer. Dropped unsettled, it
//! rejects: a promise never hangs.

use napi::bindgen_prelude::{Object, ToNapiValue};
use napi::{Env, JsDeferred, Result};
use seedstorm_engine::error::{Code, Error};

use crate::error::to_js;

type Resolver<T> = Box<dyn FnOnce(Env) -> Result<T> + Send>;

/// The settling side of a promise.
pub struct Settle<T: ToNapiValue + 'static>(Option<JsDeferred<T, Resolver<T>>>);

impl<T: ToNapiValue + 'static> Settle<T> {
    /// A promise and what settles it.
    pub fn new(env: &Env) -> Result<(Self, Object<'_>)> {
        let (deferred, promise) = env.create_deferred::<T, Resolver<T>>()?;
        Ok((Self(Some(deferred)), promise))
    }

    /// Settles the promise. `value` runs on JavaScript's thread, and what it owns is dropped there.
    pub fn with(mut self, outcome: std::result::Result<Resolver<T>, Error>) {
        if let Some(deferred) = self.0.take() {
            match outcome {
                Ok(value) => deferred.resolve(value),
                Err(error) => deferred.reject(to_js(&error)),
            }
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
