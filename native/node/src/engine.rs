//! The engine for JavaScript: lanes that live until `close`, and the work that they do outside of tasks.

use std::str::FromStr;
use std::sync::Arc;
use std::thread;

use napi::bindgen_prelude::{BigInt, Object, Uint8Array};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::bench::{self, BenchOptions, BenchResult, LaneBench};
use seedstorm_engine::engine::{Engine, EngineOptions};
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::explain::{self, LaneExplanation};
use seedstorm_engine::fill::{RawBuffer, fill};
use seedstorm_engine::lane::{Job, Lane};
use seedstorm_engine::lanes::Lanes;
use seedstorm_engine::memory::{Binding, HugePages, MemoryOptions};

use crate::content::{ContentParameters, content_of, generation_of, u64_of, whole, whole32};
use crate::error::to_js;
use crate::hold::Hold;
use crate::settle::{Resolver, Settle, value};
use crate::stream::{NativeLanes, NativeStream};
use crate::topology::{JsPlacementOptions, JsPoolPlacement, JsTopologySource, load, options_of, pools_of};

/// Where memory comes from.
#[napi(object)]
pub struct JsMemoryOptions {
    /// How firmly it belongs on its NUMA node.
    #[napi(ts_type = "'preferred' | 'strict'")]
    pub binding: String,
    /// How large its pages are.
    #[napi(ts_type = "'auto' | 'explicit' | 'transparent' | 'none'")]
    pub huge_pages: String,
}

/// What an engine is made of.
#[napi(object)]
pub struct JsEngineOptions {
    /// The machine; this one unless another is given, which goes only with `pin: false`.
    pub topology: JsTopologySource,
    /// Which lanes to place on it.
    pub placement: JsPlacementOptions,
    /// Where the lanes' memory comes from.
    pub memory: JsMemoryOptions,
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

/// How many pages lie on a NUMA node.
#[napi(object)]
pub struct JsPagesOnNode {
    /// OS index of the NUMA node.
    pub node: u32,
    /// How many pages.
    pub count: f64,
}

/// Where one lane is, as the kernel tells, beside what was asked.
#[napi(object)]
pub struct JsLaneExplanation {
    /// The lane.
    pub lane: u32,
    /// Position of its pool in the placement.
    pub pool: u32,
    /// OS index of its NUMA node.
    pub numa_node: u32,
    /// OS index of the NUMA node that its buffer is to come from.
    pub memory_node: u32,
    /// OS index of the PU that it was to be pinned to.
    pub pu: u32,
    /// OS index of the PU that it ran on when it was asked.
    pub ran_on_pu: u32,
    /// Bytes of its buffer.
    pub buffer_bytes: f64,
    /// Bytes in a page of it, as the mapping was made.
    pub page_bytes: u32,
    /// Where its pages are.
    pub pages: Vec<JsPagesOnNode>,
    /// Pages that the kernel tells nothing of.
    pub unknown_pages: f64,
    /// Pages that do not lie where they should.
    pub remote_pages: f64,
    /// Bytes of the buffer on huge pages, explicit or transparent.
    pub huge_bytes: f64,
    /// Why the system did not bind the buffer, where it did not.
    pub unbound: Option<String>,
}

/// A set of running lanes.
#[napi]
pub struct NativeEngine {
    engine: Hold,
}

/// Starts the lanes, on a thread of its own; the promise settles when all are up.
#[napi(ts_return_type = "Promise<NativeEngine>")]
pub fn start_engine(env: &Env, options: JsEngineOptions) -> Result<Object<'_>> {
    let start = starting(options)?;
    let (settle, promise) = Settle::<NativeEngine>::new(env)?;
    let unstarted = settle.clone();
    let started = aside("engine-start", move || {
        let made = start().map(|engine| -> Resolver<NativeEngine> {
            Box::new(|env| Ok(NativeEngine { engine: Hold::new(&env, engine)? }))
        });
        settle.with(made);
    });
    if let Err(error) = started {
        unstarted.with(Err(error));
    }
    Ok(promise)
}

/// Starts the lanes and waits until all are up: some milliseconds, in which JavaScript's thread does nothing else.
#[napi]
pub fn start_engine_and_wait(env: &Env, options: JsEngineOptions) -> Result<NativeEngine> {
    let engine = starting(options)?().map_err(|error| to_js(&error))?;
    Ok(NativeEngine { engine: Hold::new(env, engine)? })
}

/// What starts the lanes, with its options checked.
fn starting(options: JsEngineOptions) -> Result<impl FnOnce() -> std::result::Result<Engine, Error> + Send + 'static> {
    let JsEngineOptions { topology, placement, memory, buffer_bytes, pin } = options;
    let placement = options_of(&placement)?;
    let memory = memory_of(&memory)?;
    let buffer_bytes = whole("buffer bytes", buffer_bytes)? as usize;
    Ok(move || {
        // Looking at the machine takes its time too.
        let topology = Arc::new(load(topology)?);
        Engine::new(EngineOptions { topology, placement, memory, buffer_bytes, pin })
    })
}

/// The engine's memory options.
pub fn memory_of(given: &JsMemoryOptions) -> Result<MemoryOptions> {
    Ok(MemoryOptions {
        binding: chosen("memory", &given.binding, Binding::NAMES)?,
        huge_pages: chosen("huge pages", &given.huge_pages, HugePages::NAMES)?,
    })
}

/// The value of this name.
pub fn chosen<T: FromStr>(what: &str, name: &str, names: &[&str]) -> Result<T> {
    name.parse().map_err(|_| {
        let mend = format!("give one of {}", names.join(", "));
        to_js(&Error::new(Code::InvalidArgument, format!("{what} is “{name}”"), mend))
    })
}

/// Does what takes its time on a thread of its own, so that JavaScript's goes on.
///
/// # Errors
/// `LaneStart` when the system refuses a thread; `work` is then dropped.
pub fn aside(name: &str, work: impl FnOnce() + Send + 'static) -> std::result::Result<(), Error> {
    let started = thread::Builder::new().name(name.into()).spawn(work);
    started.map(drop).map_err(|error| {
        Error::new(
            Code::LaneStart,
            format!("no thread could be started ({name}): {error}"),
            "raise the limit on threads (ulimit -u, the cgroup's pids.max)",
        )
    })
}

#[napi]
impl NativeEngine {
    /// The pools and lanes.
    #[napi]
    pub fn placement(&self) -> Vec<JsPoolPlacement> {
        pools_of(self.engine.placement())
    }

    /// At most `max` lanes, of one NUMA node or of all; of all nodes about as many each.
    #[napi]
    pub fn lanes(&self, node: Option<f64>, max: Option<f64>) -> Result<NativeLanes> {
        let node = node.map(|node| whole32("NUMA node", node)).transpose()?;
        let max = max.map(|max| whole32("threads", max)).transpose()?.map(|max| max as usize);
        let lanes = Lanes::of(self.engine.placement(), node, max).map_err(|error| to_js(&error))?;
        Ok(NativeLanes { lanes })
    }

    /// Fills `destination` with the stream's bytes from `offset` on, by lanes, straight into it. The promise settles when
    /// every byte is there; until then the memory is the lanes'.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn fill<'env>(
        &self,
        env: &'env Env,
        lanes: &NativeLanes,
        stream: &NativeStream,
        generation: f64,
        offset: BigInt,
        mut destination: Uint8Array,
    ) -> Result<Object<'env>> {
        let generation = generation_of(generation)?;
        let offset = u64_of("offset", &offset)?;
        let (settle, promise) = Settle::<()>::new(env)?;
        let refused = settle.clone();
        // SAFETY: the memory stays where it is and alive as long as `destination` refers to it, which the closure below
        // owns until the lanes are done; its end is not the environment's, which first joins the lanes (hold.rs). What
        // is left is the caller's part: nobody reads, writes, transfers or resizes it meanwhile (ts/engine.ts).
        let raw = unsafe {
            let bytes = destination.as_mut();
            RawBuffer::new(bytes.as_mut_ptr(), bytes.len())
        };
        let hold = self.engine.clone();
        let done = Box::new(move |outcome: std::result::Result<(), Error>| {
            // Both are given up on JavaScript's thread, whatever the outcome.
            settle.with_owned(outcome, |()| (), (destination, hold));
        });
        if let Err(error) = fill(&self.engine, lanes.lanes.clone(), stream.content(), generation, offset, raw, done) {
            refused.with(Err(error));
        }
        Ok(promise)
    }

    /// Lets lanes generate into and then verify their own buffers, each for `seconds`: all lanes with blocks that fit their
    /// caches, or so many lanes with blocks of so many bytes.
    #[napi(ts_return_type = "Promise<Array<JsLaneBench>>")]
    pub fn bench<'env>(
        &self,
        env: &'env Env,
        content: ContentParameters,
        seconds: f64,
        block_bytes: Option<f64>,
        lanes: Option<f64>,
    ) -> Result<Object<'env>> {
        let options = BenchOptions {
            seconds,
            block_bytes: block_bytes.map(|bytes| whole("block", bytes)).transpose()?.map(|bytes| bytes as usize),
            lanes: lanes.map(|lanes| whole("lanes", lanes)).transpose()?.map(|lanes| lanes as usize),
        };
        let content = content_of(&content)?;
        let (settle, promise) = Settle::<Vec<JsLaneBench>>::new(env)?;
        let (refused, hold) = (settle.clone(), self.engine.clone());
        let done = Box::new(move |outcome: std::result::Result<BenchResult, Error>| {
            let _held_until_here = hold;
            settle.with(outcome.map(|result| value(|| result.lanes.into_iter().map(lane_bench).collect())));
        });
        if let Err(error) = bench::bench(&self.engine, content, options, done) {
            refused.with(Err(error));
        }
        Ok(promise)
    }

    /// What was asked for and not got, and what changed since.
    #[napi]
    pub fn notes(&self) -> Vec<String> {
        self.engine.notes()
    }

    /// Where every lane and the pages of its buffer really are.
    #[napi(ts_return_type = "Promise<Array<JsLaneExplanation>>")]
    pub fn explain<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<Vec<JsLaneExplanation>>::new(env)?;
        let (refused, hold) = (settle.clone(), self.engine.clone());
        let done = Box::new(move |outcome: std::result::Result<Vec<LaneExplanation>, Error>| {
            let _held_until_here = hold;
            settle.with(outcome.map(|lanes| value(|| lanes.into_iter().map(lane_explanation).collect())));
        });
        if let Err(error) = explain::explain(&self.engine, done) {
            refused.with(Err(error));
        }
        Ok(promise)
    }

    /// Lets one lane panic; so that tests can show that the engine outlives it.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn panic_for_tests<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        if let Err(error) = self.engine.submit(Arc::new(PanicJob { settle: settle.clone() })) {
            settle.with(Err(error));
        }
        Ok(promise)
    }

    /// Aborts the work at hand and joins every thread, off JavaScript's thread. May be called again.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn close<'env>(&self, env: &'env Env) -> Result<Object<'env>> {
        let (settle, promise) = Settle::<()>::new(env)?;
        let (refused, engine) = (settle.clone(), self.engine.clone());
        if let Err(error) = aside("engine-close", move || settle.with(engine.close().map(|()| value(|| ())))) {
            refused.with(Err(error));
        }
        Ok(promise)
    }
}

impl NativeEngine {
    /// The engine, for tasks.
    pub fn hold(&self) -> &Hold {
        &self.engine
    }
}

fn lane_explanation(lane: LaneExplanation) -> JsLaneExplanation {
    let remote_pages = lane.remote_pages() as f64;
    let pages = lane.pages.by_node.into_iter().map(|(node, count)| JsPagesOnNode { node, count: count as f64 });
    JsLaneExplanation {
        lane: lane.lane as u32,
        pool: lane.pool as u32,
        numa_node: lane.node,
        memory_node: lane.memory_node,
        pu: lane.pu,
        ran_on_pu: lane.ran_on_pu,
        buffer_bytes: lane.buffer_bytes as f64,
        page_bytes: lane.page_bytes as u32,
        pages: pages.collect(),
        unknown_pages: lane.pages.unknown as f64,
        remote_pages,
        huge_bytes: lane.huge_bytes as f64,
        unbound: lane.unbound,
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
    settle: Settle<()>,
}

impl Job for PanicJob {
    fn run(&self, lane: &mut Lane) {
        assert!(lane.index != 0, "asked for by a test");
    }

    fn abort(&self, _reason: &Error) {}

    fn finished(&self, outcome: std::result::Result<(), Error>) {
        self.settle.with(outcome.map(|()| value(|| ())));
    }
}
