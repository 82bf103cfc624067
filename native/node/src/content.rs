//! The content function for JavaScript: its parameters, and bytes of it without an engine.

use std::sync::Arc;

use napi::Result;
use napi::bindgen_prelude::{BigInt, Buffer};
use napi_derive::napi;
use seedstorm_content::{Codec, Content, Parameters, Record};
use seedstorm_engine::error::{Code, Error};

use crate::error::{number, parameter, range, to_js};

/// Everything that the content depends on but the place and the generation; see docs/content.md.
#[napi(object)]
pub struct ContentParameters {
    /// The run's seed, below 2^64.
    pub seed: BigInt,
    /// Separates streams that share a seed.
    pub namespace: String,
    /// Bytes in a unit.
    pub unit_bytes: f64,
    /// Dedup ratio × 1000.
    pub dedup_milli: f64,
    /// The dedup window is 2^windowBits units.
    pub window_bits: f64,
    /// Compression ratio × 1000.
    pub compress_milli: f64,
    /// any, lz4, zstd, deflate or at-least.
    pub codec: String,
    /// Bytes that the codec compresses at a time.
    pub record_bytes: f64,
}

/// The content of these parameters.
pub fn content_of(given: &ContentParameters) -> Result<Arc<Content>> {
    let codec: Codec = given.codec.parse().map_err(|error| parameter(&error))?;
    let record = Record::from_bytes(whole("record", given.record_bytes)?).map_err(|error| parameter(&error))?;
    let parameters = Parameters {
        seed: u64_of("seed", &given.seed)?,
        namespace: given.namespace.clone(),
        unit_bytes: whole("unit", given.unit_bytes)?,
        dedup_milli: whole("dedup ratio × 1000", given.dedup_milli)?,
        window_bits: whole32("dedup window's bits", given.window_bits)?,
        compress_milli: whole32("compression ratio × 1000", given.compress_milli)?,
        codec,
        record,
    };
    Content::new(&parameters).map(Arc::new).map_err(|error| parameter(&error))
}

/// The most bytes that are made on JavaScript's thread in one call.
const MAX_BYTES: u64 = 1 << 30;

/// `length` bytes of the stream from `offset` on, made on this thread; for lengths that take no time.
#[napi]
pub fn content_bytes(parameters: ContentParameters, generation: f64, offset: BigInt, length: f64) -> Result<Buffer> {
    let content = content_of(&parameters)?;
    let generation = generation_of(generation)?;
    let offset = u64_of("offset", &offset)?;
    let length = whole("length", length)?;
    if length > MAX_BYTES {
        return Err(to_js(&Error::new(
            Code::InvalidArgument,
            format!("length is {length}"),
            format!("ask for {MAX_BYTES} bytes at a time at most"),
        )));
    }
    let mut bytes = vec![0; length as usize];
    content.fill(generation, offset, &mut bytes).map_err(|error| range(&error))?;
    Ok(bytes.into())
}

/// The key of a stream: 16 bytes.
#[napi]
pub fn content_key(parameters: ContentParameters) -> Result<Buffer> {
    Ok(content_of(&parameters)?.key().to_vec().into())
}

/// The dedup window to use where the user sets none, as its binary logarithm.
#[napi]
pub fn default_window_bits(units: f64, dedup_milli: f64) -> Result<u32> {
    let units = whole("units", units)?;
    let dedup_milli = whole("dedup ratio × 1000", dedup_milli)?;
    Ok(seedstorm_content::default_window_bits(Some(units), dedup_milli))
}

/// A ratio × 1000, of text with at most three decimals.
#[napi]
pub fn ratio_milli(text: String) -> Result<f64> {
    let milli = seedstorm_content::parse_ratio_milli(&text).map_err(|error| parameter(&error))?;
    Ok(milli as f64)
}

/// A whole number of JavaScript, at most 2^53.
pub fn whole(what: &str, given: f64) -> Result<u64> {
    if given.fract() != 0.0 || !(0.0..=9_007_199_254_740_992.0).contains(&given) {
        return Err(number(what, given));
    }
    Ok(given as u64)
}

/// A whole number of JavaScript that fits 32 bits.
pub fn whole32(what: &str, given: f64) -> Result<u32> {
    u32::try_from(whole(what, given)?).map_err(|_| {
        let mend = format!("give {what} as a whole number from 0 to {}", u32::MAX);
        to_js(&Error::new(Code::InvalidArgument, format!("{what} is {given}"), mend))
    })
}

/// A generation.
pub fn generation_of(given: f64) -> Result<u16> {
    u16::try_from(whole("generation", given)?).map_err(|_| {
        to_js(&Error::new(Code::InvalidArgument, format!("generation is {given}"), "give a generation from 0 to 65535"))
    })
}

/// A BigInt that fits 64 bits.
pub fn u64_of(what: &str, given: &BigInt) -> Result<u64> {
    match given.get_u64() {
        (false, value, true) => Ok(value),
        _ => Err(to_js(&Error::new(
            Code::InvalidArgument,
            format!("{what} does not fit 64 bits without a sign"),
            format!("give {what} from 0 to 18446744073709551615"),
        ))),
    }
}
