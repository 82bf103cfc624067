//! The engine for JavaScript: lanes that live until `close`, and the work that they do outside of tasks.

use std::sync::Arc;
use std::thread;

use napi::bindgen_prelude::{BigInt, Object, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::bench::{self, BenchResult, LaneBench};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::fill::{RawBuffer, fill};
use seedstorm_engine::lane::{Job, Lane};

use crate::content::{ContentParameters, content_of, u64_of, whole};
use crate::error::to_js;
use crate::settle::{Settle, value};
use crate::topology::{JsPlacementOptions, JsPoolPlacement, JsTopologySource, load, options_of, pools_of};

/// What an engine is made of.
#[napi(object)]
pub struct JsEngineOptions {
    /// The machine; this one unless another is given, which goes only with `pin: false`.
    pub topology: JsTopologySource,
    /// Which lanes to place on it.
    pub placement: JsPlacementOptions,
    /// Bytes of each lane's buffer at the start.
    pub buffer_bytes: f64,
    /// Whether lanes are pinned; false only for tests on another machine's topology.
    pub pin: bool,
}

/// What one lane did in a bench.
#[napi(object)]
pub struct JsLaneBench {
    /// The lane.
    pub lane: u32,
    /// Position of its pool in the placement.
    pub pool: u32,
    /// OS index of its PU.
    pub pu: u32,
    /// OS index of its NUMA node.
    pub node: u32,
    /// Bytes generated.
    pub generated_bytes: f64,
    /// Time spent generating, in ns.
    pub generate_ns: f64,
    /// Bytes verified.
    pub verified_bytes: f64,
    /// Time spent verifying, in ns.
    pub verify_ns: f64,
}

/// A set of running lanes.
#[napi]
pub struct NativeEngine {
    engine: Arc<Engine>,
}

/// Starts the lanes, on a thread of its own; the promise settles when all are up.
#[napi(ts_return_type = "Promise<NativeEngine>")]
pub fn start_engine(env: &Env, options: JsEngineOptions) -> Result<Object<'_>> {
    let options = EngineOptions {
        topology: Arc::new(load(options.topology)?),
        placement: options_of(&options.placement),
        buffer_bytes: whole("buffer bytes", options.buffer_bytes)? as usize,
        pin: options.pin,
    };
    let (settle, promise) = Settle::<NativeEngine>::new(env)?;
    aside("engine-start", move || {
        let engine = Engine::new(options).map(|engine| NativeEngine { engine: Arc::new(engine) });
        settle.with(engine.map(|engine| value(|| engine)));
    })?;
    Ok(promise)
}

/// Does what takes its time on a thread of its own, so that JavaScript's goes on.
pub fn aside(name: &str, work: impl FnOnce() + Send + 'static) -> Result<()> {
    let started = thread::Builder::new().name(name.into()).spawn(work);
    started.map(drop).map_err(|error| {
        to_js(&Error::new(
            Code::LaneStart,
            format!("no thread could be started ({name}): {error}"),
            "raise the limit on threads (ulimit -u, the cgroup's pids.max)",
        ))
    })
}

#[napi]
impl NativeEngine {
    /// The pools and lanes.
    #[napi]
    pub fn placement(&self) -> Vec<JsPoolPlacement> {
        pools_of(self.engine.placement())
    }

    /// Fills `destination` with the stream's bytes from `offset` on, by all lanes, straight into it. The promise
    /// settles when every byte is there; until then the memory is the lanes'.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn fill<'env>(
        &self,
        env: &'env Env,
        content: ContentParameters,
        generation: u16,
        offset: BigInt,
        mut destination: Uint8Array,
    ) -> Result<Object<'env>> {
        let content = content_of(&content)?;
        let offset = u64_of("offset", &offset)?;
        let (settle, promise) = Settle::<()>::new(env)?;
        // SAFETY: the memory stays where it is and alive as long as `destination`, which the closure below owns until
        // the lanes are done and which is dropped on JavaScript's thread. Nobody else writes it by contract.
        let raw = unsafe {
            let bytes = destination.as_mut();
            RawBuffer::new(bytes.as_mut_ptr(), bytes.len())
        };
        let done = Box::new(move |outcome: std::result::Result<(), Error>| {
            // Given up on JavaScript's thread, whatever the outcome.
            settle.with_owned(outcome, destination);
        });
        fill(&self.engine, content, generation, offset, raw, done).map_err(|error| to_js(&error))?;
        Ok(promise)
    }

    /// Lets every lane generate into and then verify its own buffer, each for `seconds`.
    #[napi(ts_return_type = "Promise<Array<JsLaneBench>>")]
    pub fn bench<'env>(&self, env: &'env Env, content: ContentParameters, seconds: f64) -> Result<Object<'env>> {
        let content = content_of(&content)?;
        let (settle, promise) = Settle::<Vec<JsLaneBench>>::new(env)?;
        let done = Box::new(move |outcome: std::result::Result<BenchResult, Error>| {
            settle.with(outcome.map(|result| value(|| result.lanes.into_iter().map(lane_bench).collect())));
        });
        bench::bench(&self.engine, content, seconds, done).map_err(|error| to_js(&error))?;
        Ok(promise)
    }

    /// Lets one lane panic; so that tests can show that the engine outlives it.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn panic_for_tests<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        let job = PanicJob { settle: std::sync::Mutex::new(Some(settle)) };
        self.engine.submit(Arc::new(job)).map_err(|error| to_js(&error))?;
        Ok(promise)
    }

    /// Aborts the work at hand and joins every thread, off JavaScript's thread. May be called again.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        let engine = Arc::clone(&self.engine);
        aside("engine-close", move || settle.with(engine.close().map(|()| value(|| ()))))?;
        Ok(promise)
    }
}

impl NativeEngine {
    /// The engine, for tasks.
    pub fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }
}

fn lane_bench(lane: LaneBench) -> JsLaneBench {
    JsLaneBench {
        lane: lane.lane as u32,
        pool: lane.pool as u32,
        pu: lane.pu,
        node: lane.node,
        generated_bytes: lane.generated_bytes as f64,
        generate_ns: lane.generate_ns as f64,
        verified_bytes: lane.verified_bytes as f64,
        verify_ns: lane.verify_ns as f64,
    }
}

struct PanicJob {
    settle: std::sync::Mutex<Option<Settle<()>>>,
}

impl Job for PanicJob {
    fn run(&self, lane: &mut Lane) {
        assert!(lane.index != 0, "asked for by a test");
    }

    fn abort(&self, _reason: &Error) {}

    fn finished(&self, outcome: std::result::Result<(), Error>) {
        if let Some(settle) = self.settle.lock().ok().and_then(|mut settle| settle.take()) {
            settle.with(outcome.map(|()| value(|| ())));
        }
    }
}
