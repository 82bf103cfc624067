//! How a thread becomes a lane: pinned, with a buffer near it, and looked after when it has worked.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::mpsc::Sender;

use super::jobs::Jobs;
use super::room::Room;
use super::{EngineOptions, SERVES};
use crate::apart::LaneThread;
use crate::cpuset;
use crate::error::{Code, Error, Result};
use crate::lane::Lane;
use crate::memory::{Binding, LaneBuffer, Wish};
use crate::notes::Notes;
use crate::placement::{LanePlacement, PoolPlacement};

/// What a lane's thread needs to become a lane.
pub(super) struct LaneStart {
    index: usize,
    pool: usize,
    pu: u32,
    node: u32,
    wish: Wish,
    buffer_bytes: usize,
    pin: bool,
    notes: Arc<Notes>,
    room: Arc<Room>,
    /// Address of the buffer that was looked at last.
    looked_at: Cell<usize>,
}

impl LaneStart {
    pub(super) fn new(
        at: usize,
        pool: &PoolPlacement,
        lane: &LanePlacement,
        options: &EngineOptions,
        (notes, room): (&Arc<Notes>, &Arc<Room>),
    ) -> Self {
        let is_strict = options.memory.binding == Binding::Strict;
        // With a single node there is nothing to choose, and one system call less that a sandbox could object to.
        let bind = options.pin && (is_strict || options.topology.numa_nodes.len() > 1);
        Self {
            index: lane.index,
            pool: at,
            pu: lane.pu,
            node: pool.numa_node,
            wish: Wish { node: bind.then_some(pool.memory_node), options: options.memory },
            buffer_bytes: options.buffer_bytes,
            pin: options.pin,
            notes: Arc::clone(notes),
            room: Arc::clone(room),
            looked_at: Cell::new(0),
        }
    }

    /// Becomes the lane, tells `up` so or why not, and serves until the engine closes.
    pub(super) fn serve(self, jobs: &Jobs, up: Sender<Result<()>>) {
        SERVES.set(jobs);
        let _lane = LaneThread::new();
        let (lane, outcome) = match self.sit() {
            Ok(lane) => (Some(lane), Ok(())),
            Err(error) => (None, Err(error)),
        };
        // The receiver lives until every sender is gone.
        let _ = up.send(outcome);
        drop(up);
        if let Some(lane) = lane {
            lane.serve(jobs, |lane| self.check(lane));
        }
    }

    fn sit(&self) -> Result<Lane> {
        if self.pin {
            cpuset::pin_thread(self.pu).map_err(|error| {
                Error::new(
                    Code::LaneStart,
                    format!("lane {} could not be pinned to PU {}: {error}", self.index, self.pu),
                    "check that the PU is on-line and in this process's cpuset",
                )
            })?;
        }
        let buffer = LaneBuffer::new(self.buffer_bytes, self.wish)?;
        self.look_at(&buffer);
        Ok(Lane { index: self.index, pool: self.pool, pu: self.pu, node: self.node, buffer })
    }

    /// Notes what was asked of memory and not got.
    fn look_at(&self, buffer: &LaneBuffer) {
        self.looked_at.set(buffer.as_ptr().addr());
        self.room.holds(buffer.len());
        buffer.shortcomings().into_iter().for_each(|note| self.notes.add(note));
    }

    /// Notes what became of the lane while it worked. The kernel moves a thread whose PU goes off-line, or out of the
    /// cpuset, without a word.
    fn check(&self, lane: &Lane) {
        if lane.buffer.as_ptr().addr() != self.looked_at.get() {
            self.look_at(&lane.buffer);
        }
        let pu = cpuset::current_pu();
        if self.pin && pu != self.pu {
            self.notes.add(format!(
                "lane {} was moved from PU {} to PU {pu} by the system: is the PU off-line, or out of the cpuset?",
                lane.index, self.pu
            ));
        }
    }
}
