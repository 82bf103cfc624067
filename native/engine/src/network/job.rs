//! A lane in the traffic: gets its block ready, waits for the common start, takes the connections that are its.

use seedstorm_content::{Content, Parameters};

use super::shared::Shared;
use super::traffic::Traffic;
use crate::clock::now_ns;
use crate::error::{Code, Error, Result};
use crate::lane::{Job, Lane};

impl Job for Shared {
    fn run(&self, lane: &mut Lane) {
        let Ok(at) = self.seats.binary_search_by_key(&lane.index, |seat| seat.lane) else { return };
        let seat = &self.seats[at];
        let block_bytes = self.spec.block_bytes;
        if let Err(error) = lane.buffer.reserve(2 * block_bytes) {
            return self.end_early(error);
        }
        let (sent, received) = lane.buffer.as_mut_slice()[..2 * block_bytes].split_at_mut(block_bytes);
        if let Err(error) = make_block(lane.index, sent) {
            return self.end_early(error);
        }
        let cell = seat.cell.get_or_init(Box::default);
        if !self.start.arrive_and_wait() {
            return;
        }
        cell.begun_ns.set(now_ns());
        cell.cpu.begin();
        match Traffic::new(self, cell, seat.take()) {
            Ok(mut traffic) => traffic.run(sent, received),
            Err(error) => self.end_early(error),
        }
        cell.cpu.end();
    }

    fn abort(&self, reason: &Error) {
        self.end_early(reason.clone());
    }

    fn finished(&self, outcome: Result<()>) {
        self.end(outcome);
    }
}

/// Bytes that nothing on the way can make smaller, other ones on each lane.
fn make_block(lane: usize, block: &mut [u8]) -> Result<()> {
    let unfit = |why: String| Error::new(Code::InvalidArgument, why, "use a smaller block");
    let content = Content::new(&Parameters::default()).map_err(|error| unfit(error.to_string()))?;
    content.fill(0, (lane as u64) << 40, block).map_err(|error| unfit(error.to_string()))
}
