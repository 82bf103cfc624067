//! What a task's lanes and its handle share: the spec, the sink, the switchboard and the counters. Must never do work
//! of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use seedstorm_content::Diagnosis;

use super::control::Control;
use super::errors::Errors;
use super::expected::diagnosis_of;
use super::findings::Findings;
use super::metadata::MAX_FOREIGN;
use super::pacing::Pacing;
use super::replay::Replays;
use super::spec::{Operation, TaskSpec};
use crate::counters::LaneCell;
use crate::engine::Engine;
use crate::error::Result;
use crate::fill::l2_bytes;
use crate::lanes::Lanes;
use crate::layout::Layout;
use crate::notes::Notes;
use crate::placement::Placement;
use crate::pool_counters::Given;
use crate::sink::block::BlockSink;
use crate::sink::file::FileSink;
use crate::sink::objects::ObjectSink;
use crate::sink::s3::StoreSink;
use crate::sink::target::Intent;
use crate::sink::{MemoryStore, Own, SinkSpec};

/// Called once with how a task ended.
pub type Ended = Box<dyn FnOnce(Result<()>) + Send>;

/// A sink that is ready for I/O.
pub(super) enum Sink {
    Null,
    Memory(Arc<MemoryStore>),
    Objects(ObjectSink),
    Store(StoreSink),
}

impl Sink {
    pub(super) fn prepare(spec: &TaskSpec) -> Result<Self> {
        let intent = match spec.operation {
            Operation::Generate => return Ok(Self::Null),
            Operation::Write => Intent::Write,
            Operation::Mixed => Intent::Change,
            Operation::Mkdir | Operation::Create => Intent::Make,
            Operation::Read | Operation::Verify | Operation::Stat | Operation::List | Operation::Rename => Intent::Read,
            Operation::Delete => Intent::Remove,
        };
        match &spec.sink {
            SinkSpec::Null => Ok(Self::Null),
            SinkSpec::Memory(store) => Ok(Self::Memory(Arc::clone(store))),
            SinkSpec::File { folders, direct, sync, options } => {
                let files = FileSink::prepare(folders, *direct, *sync, *options, spec.layout.clone(), intent)?;
                Ok(Self::Objects(ObjectSink::Files(files)))
            }
            SinkSpec::Block { place, sync } => {
                let own = Own { content: &spec.content, generation: spec.generation };
                let device =
                    BlockSink::prepare(place, *sync, spec.layout.clone(), intent, spec.block_bytes as u64, own)?;
                Ok(Self::Objects(ObjectSink::Device(device)))
            }
            SinkSpec::S3(store) => Ok(Self::Store(StoreSink::prepare(store, spec.layout.clone())?)),
        }
    }
}

/// What storage writes as a whole, in bytes, where nobody says otherwise.
const SECTOR_BYTES: u64 = 512;

impl Sink {
    /// What the storage writes as a whole, in bytes: a mixture inside it is torn. Objects begin on units, so that it is
    /// known where in the run's linear space these sectors are when units are whole numbers of them.
    pub(super) fn sector_bytes(&self, layout: &Layout) -> u64 {
        let told = match self {
            Self::Objects(sink) => sink.sector_bytes(),
            Self::Null | Self::Memory(_) | Self::Store(_) => None,
        };
        let is_of_use = |bytes: &u64| bytes.is_multiple_of(SECTOR_BYTES) && layout.unit_bytes().is_multiple_of(*bytes);
        told.filter(|bytes| *bytes > 0).filter(is_of_use).unwrap_or(SECTOR_BYTES)
    }
}

/// A lane that takes part.
pub(super) struct Member {
    /// The lane's number in the engine.
    pub(super) lane: usize,
    /// Its pool's number in the placement.
    pub(super) pool: usize,
    /// Its counters, once it has arrived.
    pub(super) cell: OnceLock<Box<LaneCell>>,
}

/// See the module.
pub(super) struct Shared {
    pub(super) spec: TaskSpec,
    pub(super) sink: Sink,
    /// What the storage writes as a whole, in bytes.
    pub(super) sector_bytes: u64,
    /// How shards are replayed, where blocks were overwritten or are to be.
    pub(super) replays: Option<Replays>,
    pub(super) control: Control,
    pub(super) findings: Findings,
    pub(super) errors: Errors,
    /// The lanes that take part, by number.
    pub(super) members: Vec<Member>,
    /// OS index of each pool's NUMA node.
    pub(super) pools: Vec<u32>,
    /// OS indexes of the PUs of each pool's NUMA node that this process may use.
    pub(super) pus: Vec<Vec<u32>>,
    /// The L2 of a core, in bytes.
    pub(super) l2_bytes: usize,
    pub(super) given: Mutex<Given>,
    /// Under a rate: the task's share of it.
    pub(super) pacing: Option<Pacing>,
    notes: Vec<String>,
    /// Which ways the lanes' I/O goes, and what fell back there, each once.
    io: Mutex<(BTreeSet<&'static str>, BTreeSet<String>)>,
    /// The first names that a list found and the layout does not make.
    foreign: Mutex<BTreeSet<String>>,
    /// What the engine has to say, whatever the task.
    of_engine: Arc<Notes>,
    ended: Mutex<Option<Ended>>,
}

impl Shared {
    /// How what is wrong with the storage's bytes is named.
    pub(super) fn diagnosis(&self) -> Diagnosis<'_> {
        diagnosis_of(&self.spec.content, self.sector_bytes)
    }

    /// A task for these lanes of an engine.
    pub(super) fn new(
        spec: TaskSpec,
        sink: Sink,
        replays: Option<Replays>,
        engine: &Engine,
        lanes: &Lanes,
        ended: Ended,
    ) -> Self {
        let placement = engine.placement();
        let members = members(placement, lanes);
        let mut notes = Vec::new();
        if let Some(wanted) = spec.lanes
            && wanted > members.len()
        {
            notes.push(format!("{wanted} lanes were asked for and this engine has {}: all take part", members.len()));
        }
        Self {
            control: Control::new(spec.syncs_at_end()),
            findings: Findings::default(),
            errors: Errors::new(spec.policy.errors),
            pools: placement.pools.iter().map(|pool| pool.numa_node).collect(),
            pus: placement.pools.iter().map(|pool| pus_of(engine, pool.numa_node)).collect(),
            l2_bytes: l2_bytes(engine.topology()),
            given: Mutex::new(Given::new(placement.pools.len())),
            pacing: spec.rate.map(Pacing::new),
            io: Mutex::default(),
            foreign: Mutex::default(),
            ended: Mutex::new(Some(ended)),
            sector_bytes: sink.sector_bytes(&spec.layout),
            spec,
            sink,
            replays,
            members,
            notes,
            of_engine: Arc::clone(&engine.notes),
        }
    }

    /// Where a lane that takes part puts its counters.
    pub(super) fn cell_of(&self, lane: usize) -> Option<&OnceLock<Box<LaneCell>>> {
        Some(&self.members[self.position_of(lane)?].cell)
    }

    /// Which of the lanes that take part it is.
    pub(super) fn position_of(&self, lane: usize) -> Option<usize> {
        self.members.binary_search_by_key(&lane, |member| member.lane).ok()
    }

    /// The counters of the lanes that have arrived.
    pub(super) fn cells(&self) -> impl Iterator<Item = (&Member, &LaneCell)> {
        self.members.iter().filter_map(|member| member.cell.get().map(|cell| (member, &**cell)))
    }

    /// Bytes that all lanes moved.
    pub(super) fn bytes(&self) -> u64 {
        self.cells().map(|(_, cell)| cell.counters.bytes.get()).sum()
    }

    pub(super) fn object_sink(&self) -> Option<&ObjectSink> {
        match &self.sink {
            Sink::Objects(sink) => Some(sink),
            _ => None,
        }
    }

    /// Where an object is, for messages.
    pub(super) fn path_of(&self, object: u64) -> PathBuf {
        match &self.sink {
            Sink::Objects(sink) => sink.path_of(object),
            Sink::Store(store) => store.path_of(object),
            Sink::Null | Sink::Memory(_) => self.name_of(object).into(),
        }
    }

    /// A lane's I/O goes this way; with it what fell back.
    pub(super) fn note_io(&self, name: &'static str, note: Option<String>) {
        let mut io = self.io.lock().unwrap_or_else(PoisonError::into_inner);
        io.0.insert(name);
        io.1.extend(note);
    }

    /// A list found a name that the layout does not make; the first ones are told.
    pub(super) fn note_foreign(&self, path: &Path) {
        let mut foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner);
        if foreign.len() < MAX_FOREIGN {
            foreign.insert(format!("{} is not of this run: it was counted as foreign and left alone", path.display()));
        }
    }

    /// Which ways the lanes' I/O goes: one, but where some lanes got what others did not.
    pub(super) fn io_engines(&self) -> String {
        let io = self.io.lock().unwrap_or_else(PoisonError::into_inner);
        io.0.iter().copied().collect::<Vec<_>>().join(", ")
    }

    /// An object's name relative to the run's folder; a device's path.
    pub(super) fn name_of(&self, object: u64) -> String {
        match &self.sink {
            Sink::Objects(ObjectSink::Device(device)) => device.path().to_string_lossy().into_owned(),
            _ => self.spec.layout.name_of(object),
        }
    }

    /// What fell back, to be shown.
    pub(super) fn notes(&self) -> Vec<String> {
        let fell_back = self.object_sink().map_or_else(Vec::new, ObjectSink::notes);
        let of_io = self.io.lock().unwrap_or_else(PoisonError::into_inner).1.clone();
        let foreign = self.foreign.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let of_task = self.notes.iter().cloned().chain(fell_back).chain(of_io).chain(foreign);
        self.of_engine.all().into_iter().chain(of_task).collect()
    }

    /// Closes the sink and tells how the task ended.
    pub(super) fn end(&self, outcome: Result<()>) {
        if let Some(sink) = self.object_sink() {
            sink.close();
        }
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(ended) = ended {
            ended(outcome);
        }
    }
}

/// The PUs of a node that this process may use.
fn pus_of(engine: &Engine, numa_node: u32) -> Vec<u32> {
    let topology = engine.topology();
    let of_node = topology.numa_node(numa_node).map(|node| node.cpuset.clone()).unwrap_or_default();
    of_node.into_iter().filter(|pu| topology.allowed.pus.contains(pu)).collect()
}

/// The lanes that take part, each with its pool.
fn members(placement: &Placement, lanes: &Lanes) -> Vec<Member> {
    let pools = placement.pools.iter().enumerate();
    let pool_of: Vec<usize> = pools.flat_map(|(at, pool)| std::iter::repeat_n(at, pool.lanes.len())).collect();
    let member = |lane: usize| Member { lane, pool: pool_of[lane], cell: OnceLock::new() };
    lanes.within(0..pool_of.len()).map(member).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::placement::{LanePlacement, PoolPlacement};

    fn placement(lanes_of_pools: &[usize]) -> Placement {
        let mut index = 0;
        let mut lane = || {
            let lane = LanePlacement { index, pu: index as u32, core: index, l2: None, l3: None, package: None };
            index += 1;
            lane
        };
        let pool = |(node, lanes): (usize, &usize)| PoolPlacement {
            numa_node: node as u32,
            memory_node: node as u32,
            lanes: (0..*lanes).map(|_| lane()).collect(),
        };
        Placement { pools: lanes_of_pools.iter().enumerate().map(pool).collect(), reserved_cores: Vec::new() }
    }

    fn chosen(lanes_of_pools: &[usize], wanted: Option<usize>) -> Vec<usize> {
        let placement = placement(lanes_of_pools);
        let lanes = Lanes::of(&placement, None, wanted).unwrap();
        members(&placement, &lanes).iter().map(|member| member.lane).collect()
    }

    #[test]
    fn a_few_lanes_are_spread_over_the_numa_nodes_and_not_crowded_on_one() {
        assert_eq!(chosen(&[4, 4], Some(2)), [0, 4]);
        assert_eq!(chosen(&[4, 4], Some(5)), [0, 1, 2, 4, 5]);
        assert_eq!(chosen(&[1, 4], Some(4)), [0, 1, 2, 3]);
    }

    #[test]
    fn all_lanes_take_part_when_nothing_or_too_much_is_asked() {
        assert_eq!(chosen(&[2, 1], None), [0, 1, 2]);
        assert_eq!(chosen(&[2, 1], Some(99)), [0, 1, 2]);
    }
}
