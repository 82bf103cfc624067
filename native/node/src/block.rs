//! Block devices for JavaScript: a look at one, before anything is done to it.

use std::path::PathBuf;

use napi::bindgen_prelude::Object;
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::sink::{BlockPlace, BlockUse, Looked, Own, look};

use crate::content::{ContentParameters, content_of, generation_of, whole};
use crate::engine::aside;
use crate::settle::{Settle, value};
use crate::snapshot::{JsError, error_of};

/// A block device, or a part of it.
#[napi(object)]
pub struct JsBlockPlace {
    /// Its path.
    pub device: String,
    /// Where the part begins, in bytes.
    pub offset: f64,
    /// The length of the part, in bytes; to the device's end when absent.
    pub bytes: Option<f64>,
    /// The device's own identity, where the plan repeats it.
    pub identity: Option<String>,
}

/// What is to happen on it.
#[napi(object)]
pub struct JsBlockUse {
    /// Whether it will be written to.
    pub writes: bool,
    /// Bytes of the data.
    pub data_bytes: f64,
    /// Bytes of an I/O.
    pub block_bytes: f64,
    /// The content of the data: what an earlier run with the same left there is nobody's loss.
    pub content: ContentParameters,
    /// The last generation that may be there.
    pub generation: f64,
}

/// What was seen.
#[napi(object, object_from_js = false)]
pub struct JsLooked {
    /// What the device is known by; absent when the system knows nothing that is the device's own.
    pub identity: Option<String>,
    /// Bytes of the whole device.
    pub device_bytes: f64,
    /// Bytes of the part.
    pub part_bytes: f64,
    /// What offsets and lengths of direct I/O must be multiples of.
    pub logical_sector_bytes: f64,
    /// What the device really writes at a time.
    pub physical_sector_bytes: f64,
    /// What speaks against the use of it, the gravest first.
    #[napi(ts_type = "Array<JsError>")]
    pub against: Vec<JsError>,
}

/// Looks at a device, on a thread of its own: a device may take its time to answer.
#[napi(ts_return_type = "Promise<JsLooked>")]
pub fn look_at_device(env: &Env, place: JsBlockPlace, purpose: JsBlockUse) -> Result<Object<'_>> {
    let place = place_of(place)?;
    let content = content_of(&purpose.content)?;
    let generation = generation_of(purpose.generation)?;
    let (data_bytes, block_bytes) = (whole("data", purpose.data_bytes)?, whole("block", purpose.block_bytes)?);
    let (settle, promise) = Settle::<JsLooked>::new(env)?;
    let refused = settle.clone();
    let started = aside("device-look", move || {
        let purpose = BlockUse {
            writes: purpose.writes,
            data_bytes,
            unit_bytes: content.parameters().unit_bytes,
            block_bytes,
            own: Some(Own { content: &content, generation }),
        };
        settle.with(look(&place, &purpose).map(|looked| value(move || looked_of(looked))));
    });
    if let Err(error) = started {
        refused.with(Err(error));
    }
    Ok(promise)
}

/// The engine's name of a place.
pub fn place_of(given: JsBlockPlace) -> Result<BlockPlace> {
    Ok(BlockPlace {
        device: PathBuf::from(given.device),
        offset: whole("offset", given.offset)?,
        bytes: given.bytes.map(|bytes| whole("size", bytes)).transpose()?,
        identity: given.identity,
    })
}

fn looked_of(looked: Looked) -> JsLooked {
    JsLooked {
        identity: looked.identity,
        device_bytes: looked.device_bytes as f64,
        part_bytes: (looked.part.end - looked.part.start) as f64,
        logical_sector_bytes: looked.logical_sector_bytes as f64,
        physical_sector_bytes: looked.physical_sector_bytes as f64,
        against: looked.against.into_iter().map(error_of).collect(),
    }
}
