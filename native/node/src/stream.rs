//! A stream for JavaScript: content that is made once, and a position in it.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;

use napi::bindgen_prelude::{BigInt, Object, Uint8Array, Uint8ArraySlice, Unknown};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_content::{Content, Fault, FaultKind, Identified, Kernel, MAX_STREAM_BYTES, Part, Place, Run};
use seedstorm_engine::check::{self, Findings};
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::fill::{RawBuffer, fill_and_wait};
use seedstorm_engine::lanes::Lanes;

use crate::content::{ContentParameters, content_of, u64_of, whole};
use crate::engine::{NativeEngine, aside};
use crate::error::to_js;
use crate::filler::{self, Cursor};
use crate::settle::{Settle, value};

/// The most bytes that `identify` takes: they are copied, and its work is slow.
const MAX_IDENTIFY_BYTES: usize = 64 << 20;

/// Below this a buffer is filled faster by the caller than by lanes that have to be woken first, which takes some 50 µs.
#[napi]
pub fn inline_bytes() -> Result<f64> {
    let kernel = Kernel::choose().map_err(|error| crate::error::parameter(&error))?;
    Ok(if kernel == Kernel::Portable { 16_384.0 } else { 1_048_576.0 })
}

/// Some of an engine's lanes.
#[napi]
pub struct NativeLanes {
    pub(crate) lanes: Lanes,
}

/// A stream and a position in it.
#[napi]
pub struct NativeStream {
    content: Arc<Content>,
    cursor: Rc<Cursor>,
}

/// A range that does not hold what it should.
#[napi(object)]
pub struct JsFault {
    /// Where it begins in the stream.
    pub offset: BigInt,
    /// Its length in bytes.
    pub length: f64,
    /// What it holds instead: bit flip, zeroed, stale, misdirected, torn or foreign; a part of what is torn may be right.
    pub kind: String,
    /// The generation that is there, of stale and misdirected content.
    pub generation: Option<u32>,
    /// The units that misdirected content, or that of an earlier run, may belong to; some of them where there are more.
    pub units: Option<Vec<BigInt>>,
    /// How many units these are in all.
    pub unit_count: Option<f64>,
    /// Where in any of these units its first byte belongs.
    pub offset_in_unit: Option<f64>,
    /// Which of the earlier runs that were given the content is of, counted from 0.
    pub earlier_run: Option<u32>,
    /// How many bits differ, of flipped bits.
    pub bits: Option<u32>,
    /// What is torn is made of these, in order; the first of them where there are more.
    pub parts: Option<Vec<JsFault>>,
    /// How many parts these are in all.
    pub part_count: Option<f64>,
}

/// What a comparison found.
#[napi(object)]
pub struct JsFindings {
    /// The faults, by offset; empty where all is right.
    pub faults: Vec<JsFault>,
    /// Whether there may be more than these.
    pub cut_short: bool,
}

/// Bytes that belong together, and where.
#[napi(object)]
pub struct JsRun {
    /// Where it begins in the buffer.
    pub start: f64,
    /// Its length in bytes.
    pub length: f64,
    /// content, zeros or unknown.
    pub kind: String,
    /// The units that the content may belong to; several under dedup.
    pub units: Option<Vec<BigInt>>,
    /// Where in any of these units its first byte belongs.
    pub offset_in_unit: Option<f64>,
    /// The content's generation.
    pub generation: Option<u32>,
}

#[napi]
impl NativeStream {
    /// The stream of these parameters up to byte `end`.
    #[napi(constructor)]
    pub fn new(parameters: ContentParameters, end: BigInt) -> Result<Self> {
        let end = u64_of("the end of the stream", &end)?;
        if end > MAX_STREAM_BYTES {
            let what = format!("the end of the stream is {end}");
            return Err(to_js(&Error::new(Code::InvalidArgument, what, "give an end of at most 2^63")));
        }
        let content = content_of(&parameters)?;
        Ok(Self { cursor: Rc::new(Cursor { content: Arc::clone(&content), position: Cell::new(0), end }), content })
    }

    /// Where the next bytes come from.
    #[napi(getter)]
    pub fn position(&self) -> BigInt {
        BigInt::from(self.cursor.position.get())
    }

    /// The next bytes come from here on.
    #[napi]
    pub fn seek(&self, position: BigInt) -> Result<()> {
        let position = u64_of("position", &position)?;
        let end = self.cursor.end;
        if position > end {
            let (what, mend) = (format!("position is {position}"), format!("give a position from 0 to {end}"));
            return Err(to_js(&Error::new(Code::InvalidArgument, what, mend)));
        }
        self.cursor.position.set(position);
        Ok(())
    }

    /// Passes over the next bytes, `most` of them or as many as are left, and gives their number.
    #[napi]
    pub fn take(&self, most: f64) -> Result<f64> {
        let position = self.cursor.position.get();
        let taken = whole("length", most)?.min(self.cursor.end - position);
        self.cursor.position.set(position + taken);
        Ok(taken as f64)
    }

    /// A function that fills with the next bytes on this thread, and gives their number.
    #[napi(ts_return_type = "(destination: Uint8Array) => number")]
    pub fn filler<'env>(&self, env: &'env Env) -> Result<Unknown<'env>> {
        filler::function(env, Rc::clone(&self.cursor))
    }

    /// Fills with the bytes from `offset` on, by lanes, and waits for them; this thread works along where it takes part.
    #[napi]
    pub fn fill_and_wait(
        &self,
        engine: &NativeEngine,
        lanes: &NativeLanes,
        takes_part: bool,
        offset: BigInt,
        mut destination: Uint8ArraySlice,
    ) -> Result<()> {
        let offset = u64_of("offset", &offset)?;
        // SAFETY: nothing else on this thread runs meanwhile; memory that other threads share is theirs to keep out of.
        let destination = unsafe { destination.as_mut() };
        let (content, lanes) = (Arc::clone(&self.content), lanes.lanes.clone());
        fill_and_wait(engine.hold(), lanes, takes_part, content, 0, offset, destination).map_err(|error| to_js(&error))
    }

    /// Compares with the bytes from `offset` on, by lanes; until the promise settles the memory is the lanes'.
    #[napi(ts_return_type = "Promise<JsFindings>")]
    pub fn verify<'env>(
        &self,
        env: &'env Env,
        engine: &NativeEngine,
        offset: BigInt,
        mut source: Uint8Array,
    ) -> Result<Object<'env>> {
        let offset = u64_of("offset", &offset)?;
        let (settle, promise) = Settle::<JsFindings>::new(env)?;
        let refused = settle.clone();
        // SAFETY: as in `NativeEngine::fill`.
        let raw = unsafe {
            let bytes = source.as_mut();
            RawBuffer::new(bytes.as_mut_ptr(), bytes.len())
        };
        let hold = engine.hold().clone();
        let done = Box::new(move |outcome: std::result::Result<Findings, Error>| {
            settle.with_owned(outcome, findings_of, (source, hold));
        });
        if let Err(error) = check::check(engine.hold(), Lanes::all(), Arc::clone(&self.content), 0, offset, raw, done) {
            refused.with(Err(error));
        }
        Ok(promise)
    }

    /// Says where in the stream bytes belong, on a thread of its own, of a copy.
    #[napi(ts_return_type = "Promise<Array<JsRun>>")]
    pub fn identify<'env>(&self, env: &'env Env, source: &[u8]) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<Vec<JsRun>>::new(env)?;
        if source.len() > MAX_IDENTIFY_BYTES {
            let what = format!("{} bytes are to be identified", source.len());
            let mend = format!("give at most {MAX_IDENTIFY_BYTES} bytes at a time");
            settle.with(Err(Error::new(Code::InvalidArgument, what, mend)));
            return Ok(promise);
        }
        let (refused, content, copy) = (settle.clone(), Arc::clone(&self.content), source.to_vec());
        let identify = move || {
            let runs = content.identify(&copy);
            settle.with(Ok(value(|| runs.into_iter().map(run_of).collect())));
        };
        if let Err(error) = aside("identify", identify) {
            refused.with(Err(error));
        }
        Ok(promise)
    }
}

impl NativeStream {
    /// The content, for lanes.
    pub fn content(&self) -> Arc<Content> {
        Arc::clone(&self.content)
    }
}

fn big(units: Vec<u64>) -> Vec<BigInt> {
    units.into_iter().map(BigInt::from).collect()
}

fn findings_of(Findings { faults, cut_short }: Findings) -> JsFindings {
    JsFindings { faults: faults.into_iter().map(fault_of).collect(), cut_short }
}

fn fault_of(Fault { offset, length, kind }: Fault) -> JsFault {
    let mut plain = plain_fault(offset, length, kind.name());
    match kind {
        FaultKind::Zeroed | FaultKind::Foreign => {}
        FaultKind::Stale { generation } => plain.generation = Some(generation.into()),
        FaultKind::StaleRun { run, place } => {
            plain.earlier_run = Some(run as u32);
            plain.belongs_to(place);
        }
        FaultKind::Misdirected(place) => plain.belongs_to(place),
        FaultKind::BitFlip { bits, .. } => plain.bits = Some(bits),
        FaultKind::Torn { parts, part_count } => {
            plain.parts = Some(parts.into_iter().map(part_of).collect());
            plain.part_count = Some(part_count as f64);
        }
    }
    plain
}

fn part_of(Part { offset, length, kind }: Part) -> JsFault {
    match kind {
        Some(kind) => fault_of(Fault { offset, length, kind }),
        None => plain_fault(offset, length, "right"),
    }
}

fn plain_fault(offset: u64, length: u64, kind: &str) -> JsFault {
    JsFault {
        offset: BigInt::from(offset),
        length: length as f64,
        kind: kind.to_owned(),
        generation: None,
        units: None,
        unit_count: None,
        offset_in_unit: None,
        earlier_run: None,
        bits: None,
        parts: None,
        part_count: None,
    }
}

impl JsFault {
    fn belongs_to(&mut self, Place { units, unit_count, offset_in_unit, generation }: Place) {
        self.units = Some(big(units));
        self.unit_count = Some(unit_count as f64);
        self.offset_in_unit = Some(offset_in_unit as f64);
        self.generation = Some(generation.into());
    }
}

fn run_of(run: Run) -> JsRun {
    let (kind, units, offset_in_unit, generation) = match run.content {
        Identified::Content { units, offset_in_unit, generation } => {
            ("content", Some(big(units)), Some(offset_in_unit as f64), Some(generation.into()))
        }
        Identified::Zeros => ("zeros", None, None, None),
        Identified::Unknown => ("unknown", None, None, None),
    };
    let (start, length) = (run.start as f64, run.length as f64);
    JsRun { start, length, kind: kind.to_owned(), units, offset_in_unit, generation }
}
