//! Where lanes really are: the PU that each runs on and the NUMA nodes of its buffer's pages, as the kernel tells, beside
//! what was asked.

use std::sync::atomic::AtomicBool;

use crate::cpuset;
use crate::engine::Engine;
use crate::error::{Code, Error, Result};
use crate::lane::Lane;
use crate::lanes::Lanes;
use crate::memory::{Pages, huge_bytes};
use crate::survey::{Question, survey};

/// Where one lane is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaneExplanation {
    /// The lane.
    pub lane: usize,
    /// Position of its pool in the placement.
    pub pool: usize,
    /// OS index of its NUMA node.
    pub node: u32,
    /// OS index of the NUMA node that its buffer is to come from.
    pub memory_node: u32,
    /// OS index of the PU that it was to be pinned to.
    pub pu: u32,
    /// OS index of the PU that it ran on when it was asked.
    pub ran_on_pu: u32,
    /// Bytes of its buffer.
    pub buffer_bytes: usize,
    /// Bytes in a page of it, as the mapping was made.
    pub page_bytes: usize,
    /// Where its pages are.
    pub pages: Pages,
    /// Bytes of the buffer that lie on huge pages, explicit or transparent.
    pub huge_bytes: u64,
    /// Why the system did not bind the buffer, where it did not.
    pub unbound: Option<String>,
    start: usize,
}

impl LaneExplanation {
    /// Pages that do not lie where they should.
    pub fn remote_pages(&self) -> u64 {
        self.pages.remote(self.memory_node)
    }
}

/// Called once, with every lane in order.
pub type Done = Box<dyn FnOnce(Result<Vec<LaneExplanation>>) + Send>;

/// Asks every lane where it is. Returns at once; `done` is called on a lane.
///
/// # Errors
/// Those of [`Engine::submit`]; `done` is then dropped without being called. It gets `Io` where the system does not tell.
pub fn explain(engine: &Engine, done: Done) -> Result<()> {
    let memory_nodes = engine.placement().pools.iter().map(|pool| pool.memory_node).collect();
    let done = Box::new(move |lanes: Result<Vec<LaneExplanation>>| {
        done(lanes.map(|mut lanes| {
            let starts: Vec<usize> = lanes.iter().map(|lane| lane.start).collect();
            for (lane, huge_bytes) in lanes.iter_mut().zip(huge_bytes(&starts)) {
                lane.huge_bytes = huge_bytes;
            }
            lanes
        }));
    });
    survey(engine, Lanes::all(), Where { memory_nodes }, done)
}

struct Where {
    /// Of each pool.
    memory_nodes: Vec<u32>,
}

impl Question for Where {
    type Answer = LaneExplanation;

    fn ask(&self, lane: &mut Lane, _: &AtomicBool) -> Result<LaneExplanation> {
        let pages = lane.buffer.pages().map_err(|error| {
            let what = format!("the system does not tell where the pages of lane {} are: {error}", lane.index);
            Error::new(Code::Io, what, "allow the system call move_pages")
        })?;
        Ok(LaneExplanation {
            lane: lane.index,
            pool: lane.pool,
            node: lane.node,
            memory_node: self.memory_nodes[lane.pool],
            pu: lane.pu,
            ran_on_pu: cpuset::current_pu(),
            buffer_bytes: lane.buffer.len(),
            page_bytes: lane.buffer.page_bytes(),
            pages,
            huge_bytes: 0,
            unbound: lane.buffer.unbound().map(str::to_owned),
            start: lane.buffer.as_ptr().addr(),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::channel;

    use super::*;
    use crate::engine::EngineOptions;
    use crate::topology::{Topology, TopologySource};

    #[test]
    fn a_pinned_lane_runs_on_its_pu_and_every_page_of_its_buffer_is_counted() {
        let topology = Arc::new(Topology::load(&TopologySource::ThisMachine).unwrap());
        let engine = Engine::new(EngineOptions::on(topology)).unwrap();
        let (sender, outcome) = channel();
        explain(&engine, Box::new(move |done| sender.send(done).unwrap())).unwrap();
        let lanes = match outcome.recv().unwrap() {
            Ok(lanes) => lanes,
            // A sandbox may forbid the question.
            Err(error) => return assert_eq!(error.code, Code::Io),
        };
        assert_eq!(lanes.len(), engine.lane_count());
        for (at, lane) in lanes.iter().enumerate() {
            assert_eq!((lane.lane, lane.ran_on_pu), (at, lane.pu));
            let pages = lane.pages.by_node.values().sum::<u64>() + lane.pages.unknown;
            assert_eq!(pages * lane.page_bytes as u64, lane.buffer_bytes as u64);
            assert_eq!(lane.huge_bytes % (2 << 20), 0);
        }
    }
}
