//! What this host allows, for JavaScript.

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::readiness::{Limit, Readiness, readiness};

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
}

/// Looks at this process and its host, on a thread of its own.
#[napi(ts_return_type = "Promise<JsReadiness>")]
pub fn look_at_host(env: &Env) -> Result<Object<'_>> {
    let (settle, promise) = Settle::<JsReadiness>::new(env)?;
    let refused = settle.clone();
    let started = aside("host-look", move || {
        let readiness = readiness();
        settle.with(Ok(value(move || readiness_of(readiness))));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn readiness_of(readiness: Readiness) -> JsReadiness {
    JsReadiness {
        open_files: limit_of(readiness.open_files),
        locked_memory_bytes: limit_of(readiness.locked_memory_bytes),
        no_io_uring: readiness.no_io_uring,
        no_linux_aio: readiness.no_linux_aio,
        linux_aio_left: readiness.linux_aio_left.map(|left| left as f64),
    }
}

fn limit_of(limit: Limit) -> JsLimit {
    JsLimit { soft: limit.soft.map(|limit| limit as f64), hard: limit.hard.map(|limit| limit as f64) }
}
