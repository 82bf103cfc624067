//! What this host allows, for JavaScript.

use std::path::PathBuf;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::readiness::{DirectAlignment, Limit, Readiness, direct_alignment, readiness};

use crate::engine::aside;
use crate::settle::{Settle, value};

/// A limit of this process; what is absent is unlimited.
#[napi(object, object_from_js = false)]
pub struct JsLimit {
    /// What holds now.
    pub soft: Option<f64>,
    /// What it may raise the limit to by itself.
    pub hard: Option<f64>,
}

/// What direct I/O must be aligned to, in bytes; 0: there is none.
#[napi(object, object_from_js = false)]
pub struct JsDirectAlignment {
    /// Buffers.
    pub memory_bytes: u32,
    /// Offsets and lengths.
    pub offset_bytes: u32,
}

/// What this host allows.
#[napi(object, object_from_js = false)]
pub struct JsReadiness {
    /// How many files may be open.
    pub open_files: JsLimit,
    /// How many bytes of memory may be locked.
    pub locked_memory_bytes: JsLimit,
    /// Why io_uring cannot be used, where it cannot.
    pub no_io_uring: Option<String>,
    /// Why Linux AIO cannot be used, where it cannot.
    pub no_linux_aio: Option<String>,
    /// How many more I/Os Linux AIO takes from the whole host, where it tells.
    pub linux_aio_left: Option<f64>,
    /// What direct I/O must be aligned to at the path that was asked about; absent where the system does not tell.
    pub direct_alignment: Option<JsDirectAlignment>,
}

/// Looks at this process and its host, and at a folder or device when one is named, on a thread of its own.
#[napi(ts_return_type = "Promise<JsReadiness>")]
pub fn look_at_host(env: &Env, path: Option<String>) -> Result<Object<'_>> {
    let (settle, promise) = Settle::<JsReadiness>::new(env)?;
    let refused = settle.clone();
    let started = aside("host-look", move || {
        let alignment = path.and_then(|path| direct_alignment(&PathBuf::from(path)));
        let readiness = readiness();
        settle.with(Ok(value(move || readiness_of(readiness, alignment))));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn readiness_of(readiness: Readiness, alignment: Option<DirectAlignment>) -> JsReadiness {
    JsReadiness {
        open_files: limit_of(readiness.open_files),
        locked_memory_bytes: limit_of(readiness.locked_memory_bytes),
        no_io_uring: readiness.no_io_uring,
        no_linux_aio: readiness.no_linux_aio,
        linux_aio_left: readiness.linux_aio_left.map(|left| left as f64),
        direct_alignment: alignment
            .map(|DirectAlignment { memory_bytes, offset_bytes }| JsDirectAlignment { memory_bytes, offset_bytes }),
    }
}

fn limit_of(limit: Limit) -> JsLimit {
    JsLimit { soft: limit.soft.map(|limit| limit as f64), hard: limit.hard.map(|limit| limit as f64) }
}
