//! Stores that speak S3, for JavaScript: what a sink is made of, and a look at one before a run.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::layout::Layout;
use seedstorm_engine::sink::SinkSpec;
use seedstorm_engine::sink::s3::{Retries, S3Lane, S3Spec, S3Target, Signing, Style};

use crate::content::whole;
use crate::engine::aside;
use crate::error::to_js;
use crate::settle::{Settle, value};
use crate::task::{JsTaskSpec, task_spec};

const NS_PER_MS: u64 = 1_000_000;

/// Where the objects of a run are, and how the store is talked to.
#[napi(object)]
pub struct JsS3Sink {
    /// Addresses of the store, dealt out to lanes by number.
    pub endpoints: Vec<String>,
    /// The bucket.
    pub bucket: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// The run's own part of the keys.
    pub run: String,
    /// Region of the signatures; else as the environment or the profile says.
    pub region: Option<String>,
    /// Where the bucket is named: path or virtual.
    pub style: String,
    /// A PEM file of authorities to trust.
    pub ca: Option<String>,
    /// Whether signatures cover the bytes: signed or unsigned.
    pub signing: String,
    /// Attempts in all at a request.
    pub attempts: f64,
    /// Wait before the second attempt, in ms.
    pub backoff_ms: f64,
    /// After this long an attempt is given up, in ms.
    pub timeout_ms: f64,
}

/// Asks for the bucket, on a thread of its own; how far the store's clock is ahead, in ms, or null.
#[napi(js_name = "checkS3", ts_return_type = "Promise<number | null>")]
pub fn check_s3<'env>(env: &'env Env, sink: JsS3Sink) -> Result<Object<'env>> {
    let spec = s3_spec(sink)?;
    let (settle, promise) = Settle::<Option<f64>>::new(env)?;
    let refused = settle.clone();
    let started = aside("s3-check", move || {
        settle.with(look(spec).map(|offset_ms| value(move || offset_ms)));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn look(spec: S3Spec) -> std::result::Result<Option<f64>, Error> {
    // The bucket is all that is asked for: any layout does.
    let target = S3Target::prepare(spec, Layout::new(4096, 1, 1)?)?;
    let seen = S3Lane::new(Arc::new(target), 0, || u64::MAX)?.look()?;
    let now = SystemTime::now();
    Ok(seen.server_time.map(|theirs| match theirs.duration_since(now) {
        Ok(ahead) => ahead.as_secs_f64() * 1e3,
        Err(behind) => -behind.duration().as_secs_f64() * 1e3,
    }))
}

/// Ends what a delete began: gives up uploads of the run that are still open and removes older versions of its objects, but
/// for those that are spared. On a thread of its own; whether nothing of the run is left.
#[napi(js_name = "clearS3", ts_return_type = "Promise<boolean>")]
pub fn clear_s3(env: &Env, spec: JsTaskSpec) -> Result<Object<'_>> {
    let spec = task_spec(spec, None)?;
    let SinkSpec::S3(store) = spec.sink else {
        let mend = "give the task of a delete on a store";
        return Err(to_js(&Error::new(Code::InvalidArgument, "the task's sink is no store", mend)));
    };
    let (settle, promise) = Settle::<bool>::new(env)?;
    let refused = settle.clone();
    let started = aside("s3-clear", move || {
        settle.with(clear(*store, spec.layout, &spec.spared_objects).map(|is_empty| value(move || is_empty)));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn clear(store: S3Spec, layout: Layout, spared: &HashSet<u64>) -> std::result::Result<bool, Error> {
    let mut lane = S3Lane::new(Arc::new(S3Target::prepare(store, layout)?), 0, || u64::MAX)?;
    lane.abort_uploads()?;
    lane.remove_versions(spared)?;
    let page = lane.list(None)?;
    Ok(page.objects.is_empty() && page.foreign.is_empty() && page.next.is_none())
}

/// What the paths of a run's objects begin with.
pub fn root_of(store: &JsS3Sink) -> String {
    let prefix = store.prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("s3://{}/{prefix}{slash}{}/", store.bucket, store.run)
}

/// The engine's view of a sink.
pub fn s3_spec(given: JsS3Sink) -> Result<S3Spec> {
    let unknown = |what: &str, given: &str| {
        let mend = format!("give {what} one of the values in binding.d.ts");
        to_js(&Error::new(Code::InvalidArgument, format!("{what} is “{given}”"), mend))
    };
    Ok(S3Spec {
        endpoints: given.endpoints,
        bucket: given.bucket,
        prefix: given.prefix,
        run: given.run,
        region: given.region,
        style: match given.style.as_str() {
            "path" => Style::Path,
            "virtual" => Style::Virtual,
            other => return Err(unknown("style", other)),
        },
        ca: given.ca.map(PathBuf::from),
        signing: match given.signing.as_str() {
            "signed" => Signing::Signed,
            "unsigned" => Signing::Unsigned,
            other => return Err(unknown("signing", other)),
        },
        retries: Retries {
            attempts: u32::try_from(whole("attempts", given.attempts)?).unwrap_or(u32::MAX),
            backoff_ns: whole("backoff", given.backoff_ms)?.saturating_mul(NS_PER_MS),
        },
        attempt_timeout_ns: whole("timeout", given.timeout_ms)?.saturating_mul(NS_PER_MS),
    })
}
