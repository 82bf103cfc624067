//! Notes in a store that speaks S3, for JavaScript: each call on a thread and a connection of its own.

use std::sync::Arc;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::Error;
use seedstorm_engine::layout::Layout;
use seedstorm_engine::sink::s3::{S3Lane, S3Target};

use crate::engine::aside;
use crate::s3::{JsS3Sink, s3_spec};
use crate::settle::{Settle, value};

/// Writes a note below the target's prefix, or writes it anew.
#[napi(js_name = "putS3Note", ts_return_type = "Promise<void>")]
pub fn put_s3_note(env: &Env, sink: JsS3Sink, name: String, text: String) -> Result<Object<'_>> {
    ask(env, sink, move |lane| lane.put_note(&name, &text))
}

/// What a note says; null when it is not there.
#[napi(js_name = "readS3Note", ts_return_type = "Promise<string | null>")]
pub fn read_s3_note(env: &Env, sink: JsS3Sink, name: String) -> Result<Object<'_>> {
    ask(env, sink, move |lane| lane.note(&name))
}

/// Removes a note, and all versions of it.
#[napi(js_name = "removeS3Note", ts_return_type = "Promise<void>")]
pub fn remove_s3_note(env: &Env, sink: JsS3Sink, name: String) -> Result<Object<'_>> {
    ask(env, sink, move |lane| lane.remove_note(&name))
}

/// Names of the notes in a folder of notes.
#[napi(js_name = "listS3Notes", ts_return_type = "Promise<Array<string>>")]
pub fn list_s3_notes(env: &Env, sink: JsS3Sink, folder: String) -> Result<Object<'_>> {
    ask(env, sink, move |lane| lane.notes(&folder))
}

/// Asks the sink's first endpoint, on a thread of its own.
fn ask<T: napi::bindgen_prelude::ToNapiValue + Send + 'static>(
    env: &Env,
    sink: JsS3Sink,
    what: impl FnOnce(&mut S3Lane) -> std::result::Result<T, Error> + Send + 'static,
) -> Result<Object<'_>> {
    let spec = s3_spec(sink)?;
    let (settle, promise) = Settle::<T>::new(env)?;
    let refused = settle.clone();
    let started = aside("s3-note", move || {
        let asked = || {
            // No object is asked for: any layout does.
            let target = S3Target::prepare(spec, Layout::new(4096, 1, 1)?)?;
            what(&mut S3Lane::new(Arc::new(target), 0, || u64::MAX)?)
        };
        settle.with(asked().map(|answer| value(move || answer)));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}
