//! A target before a run uses it, for JavaScript: what JavaScript cannot ask of the system by itself.

use std::path::PathBuf;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::Error;
use seedstorm_engine::sink;

use crate::engine::aside;
use crate::settle::{Settle, value};

/// What a file system wants of O_DIRECT.
#[napi(object, object_from_js = false)]
pub struct JsDirectAlignment {
    /// Whether it takes it at all.
    pub takes: bool,
    /// Addresses in memory are multiples of this.
    pub memory_bytes: f64,
    /// Offsets and lengths are multiples of this.
    pub offset_bytes: f64,
    /// Whether the kernel said so; else it was tried.
    pub told: bool,
}

/// Finds it out for a folder's file system, on a thread of its own.
#[napi(ts_return_type = "Promise<JsDirectAlignment>")]
pub fn direct_alignment(env: &Env, folder: String) -> Result<Object<'_>> {
    on_a_thread(env, "target-look", move || {
        let found = sink::direct_alignment(&PathBuf::from(folder))?;
        Ok(JsDirectAlignment {
            takes: found.is_some(),
            memory_bytes: found.map_or(0.0, |found| found.memory_bytes as f64),
            offset_bytes: found.map_or(0.0, |found| found.offset_bytes as f64),
            told: found.is_some_and(|found| found.told),
        })
    })
}

/// Writes back what is dirty and empties this host's page cache, on a thread of its own.
#[napi(ts_return_type = "Promise<void>")]
pub fn drop_caches(env: &Env) -> Result<Object<'_>> {
    on_a_thread(env, "drop-caches", sink::drop_caches)
}

fn on_a_thread<'env, T: napi::bindgen_prelude::ToNapiValue + Send + 'static>(
    env: &'env Env,
    name: &str,
    work: impl FnOnce() -> std::result::Result<T, Error> + Send + 'static,
) -> Result<Object<'env>> {
    let (settle, promise) = Settle::<T>::new(env)?;
    let refused = settle.clone();
    if let Err(error) = aside(name, move || settle.with(work().map(|done| value(move || done)))) {
        refused.with(Err(error));
    }
    Ok(promise)
}
