//! Old content that may be a late write: of a holder that was lost, and waited for in vain, on units that others wrote again.
//! Nobody can tell it from a write that the storage lost. Must never know who the holder was.

use std::ops::Range;

use seedstorm_content::{Fault, FaultKind};

use crate::error::{Code, Error, Result};

/// The most that one range is told of: far more than holders are lost in a run.
const MAX_LATE: usize = 1 << 16;

/// What a lost holder may write, or may never have written, without anybody knowing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LateWrites {
    /// Where.
    pub units: Range<u64>,
    /// The generations that may be found there, besides the right one.
    pub generations: Range<u16>,
}

/// All that may have come late to the units of one range.
#[derive(Debug, Default)]
pub(super) struct Late(Box<[LateWrites]>);

impl Late {
    /// # Errors
    /// [`Code::InvalidArgument`] for what is empty, or more than holders can have been lost.
    pub(super) fn new(writes: Vec<LateWrites>) -> Result<Self> {
        let is_empty = |late: &LateWrites| late.units.is_empty() || late.generations.is_empty();
        if writes.len() > MAX_LATE || writes.iter().any(is_empty) {
            return Err(Error::new(
                Code::InvalidArgument,
                format!("{} late writes are too many, or one of them is of no unit or generation", writes.len()),
                "tell of each lost holder's units and what it wrote there",
            ));
        }
        Ok(Self(writes.into()))
    }

    fn allows(&self, unit: u64, generation: u16) -> bool {
        self.0.iter().any(|late| late.units.contains(&unit) && late.generations.contains(&generation))
    }

    /// Cuts a fault where what may be a late write begins and ends, and says of each part whether it may be one. Each
    /// logical sector may be old or new; what is a mixture inside one is torn, and that is never a matter of time.
    pub(super) fn judge(&self, fault: Fault, unit_bytes: u64) -> Vec<(Fault, bool)> {
        let FaultKind::Stale { generation } = fault.kind else { return vec![(fault, false)] };
        if self.0.is_empty() {
            return vec![(fault, false)];
        }
        let end = fault.offset + fault.length;
        let mut parts: Vec<(Fault, bool)> = Vec::new();
        let mut offset = fault.offset;
        while offset < end {
            let unit = offset / unit_bytes;
            let length = ((unit + 1) * unit_bytes).min(end) - offset;
            let may_be_late = self.allows(unit, generation);
            match parts.last_mut() {
                Some((part, of_last)) if *of_last == may_be_late => part.length += length,
                _ => parts.push((Fault { offset, length, kind: fault.kind.clone() }, may_be_late)),
            }
            offset += length;
        }
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIT: u64 = 8192;

    fn late() -> Late {
        let of = |units, generations| LateWrites { units, generations };
        Late::new(vec![of(2..4, 1..2), of(3..6, 1000..65_000)]).unwrap()
    }

    fn stale(offset: u64, length: u64, generation: u16) -> Fault {
        Fault { offset, length, kind: FaultKind::Stale { generation } }
    }

    #[test]
    fn an_old_generation_is_a_possible_late_write_where_a_lost_holder_wrote_that_generation_and_nowhere_else() {
        let parts = |fault| {
            let parts = late().judge(fault, UNIT).into_iter();
            parts.map(|(Fault { offset, length, .. }, late)| (offset, length, late)).collect::<Vec<_>>()
        };
        assert_eq!(parts(stale(2 * UNIT + 512, 512, 1)), [(2 * UNIT + 512, 512, true)]);
        assert_eq!(parts(stale(2 * UNIT, UNIT, 0)), [(2 * UNIT, UNIT, false)], "nobody wrote that late");
        assert_eq!(
            parts(stale(UNIT + 4096, 4 * UNIT, 1)),
            [(UNIT + 4096, 4096, false), (2 * UNIT, 2 * UNIT, true), (4 * UNIT, UNIT + 4096, false)],
        );
        assert_eq!(parts(stale(5 * UNIT, 2 * UNIT, 1003)), [(5 * UNIT, UNIT, true), (6 * UNIT, UNIT, false)]);
    }

    #[test]
    fn what_is_no_old_generation_is_a_fault_wherever_it_is() {
        for kind in [FaultKind::Zeroed, FaultKind::Foreign, FaultKind::Torn { parts: vec![], part_count: 2 }] {
            let fault = Fault { offset: 2 * UNIT, length: UNIT, kind };
            assert_eq!(late().judge(fault.clone(), UNIT), [(fault, false)]);
        }
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let of = |units, generations| Late::new(vec![LateWrites { units, generations }]);
        for bad in [of(3..3, 0..1), of(3..4, 2..2), of(Range { start: 4, end: 3 }, 0..1)] {
            assert_eq!(bad.unwrap_err().code, Code::InvalidArgument);
        }
    }
}
