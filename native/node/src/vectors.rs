//! Vectors of floating point numbers for JavaScript.

use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Float32Array, Float32ArraySlice, Object};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_content::Vectors;
use seedstorm_engine::error::Error;
use seedstorm_engine::vectors::{RawNumbers, fill_vectors, refused};

use crate::content::{u64_of, whole32};
use crate::engine::NativeEngine;
use crate::error::{parameter, to_js};
use crate::settle::Settle;

/// A stream of vectors of one dimension.
#[napi]
pub struct NativeVectors {
    vectors: Arc<Vectors>,
}

#[napi]
impl NativeVectors {
    /// The stream of these parameters.
    #[napi(constructor)]
    pub fn new(seed: BigInt, namespace: String, dimension: f64, normalised: bool) -> Result<Self> {
        let (seed, dimension) = (u64_of("seed", &seed)?, whole32("dimension", dimension)?);
        let vectors = Vectors::new(seed, &namespace, dimension, normalised).map_err(|error| parameter(&error))?;
        Ok(Self { vectors: Arc::new(vectors) })
    }

    /// Writes vectors from number `first` on, on this thread.
    #[napi]
    pub fn fill_now(&self, first: BigInt, mut destination: Float32ArraySlice) -> Result<()> {
        let first = u64_of("the first vector", &first)?;
        // SAFETY: as in `NativeStream::fill_and_wait`.
        let destination = unsafe { destination.as_mut() };
        self.vectors.fill(first, destination).map_err(|error| to_js(&refused(&error)))
    }

    /// Writes vectors from number `first` on, by lanes; until the promise settles the memory is the lanes'.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn fill<'env>(
        &self,
        env: &'env Env,
        engine: &NativeEngine,
        first: BigInt,
        mut destination: Float32Array,
    ) -> Result<Object<'env>> {
        let first = u64_of("the first vector", &first)?;
        let (settle, promise) = Settle::<()>::new(env)?;
        let unsubmitted = settle.clone();
        // SAFETY: as in `NativeEngine::fill`; JavaScript aligns its arrays of numbers.
        let raw = unsafe {
            let numbers = destination.as_mut();
            RawNumbers::new(numbers.as_mut_ptr(), numbers.len())
        };
        let hold = engine.hold().clone();
        let done = Box::new(move |outcome: std::result::Result<(), Error>| {
            settle.with_owned(outcome, |()| (), (destination, hold));
        });
        if let Err(error) = fill_vectors(engine.hold(), Arc::clone(&self.vectors), first, raw, done) {
            unsubmitted.with(Err(error));
        }
        Ok(promise)
    }
}
