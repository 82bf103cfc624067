//! Whether pieces of different places can have come there by one write: a run, a generation and one shift from where
//! bytes belong to where they are.

use super::held::{Held, Origin, What};
use super::{Diagnosis, MAX_CANDIDATE_UNITS};

/// The writes that can have brought some bytes to where they are.
struct Lineage {
    run: usize,
    generation: u16,
    /// The shift within units, in bytes: where the bytes are less where they belong, modulo the unit.
    in_unit: u64,
    /// All shifts in bytes: several where dedup gives the bytes several places, and `None` where these are too many.
    shifts: Option<Vec<i128>>,
}

impl Lineage {
    /// The writes that can have brought both.
    fn shared(self, other: Self) -> Option<Self> {
        let key = |lineage: &Self| (lineage.run, lineage.generation, lineage.in_unit);
        if key(&self) != key(&other) {
            return None;
        }
        let shifts = match (self.shifts, other.shifts) {
            (Some(mut shifts), Some(others)) => {
                shifts.retain(|shift| others.contains(shift));
                if shifts.is_empty() {
                    return None;
                }
                Some(shifts)
            }
            (shifts, others) => shifts.or(others),
        };
        Some(Self { shifts, ..other })
    }
}

impl Diagnosis<'_> {
    /// Whether the parts of what should have been written as a whole are a mixture: no one write explains all that has
    /// an origin, or zeros stand beside it. Zeros among foreign bytes are nobody's: much that others write is zeros.
    pub(super) fn is_torn(&self, parts: &[Held]) -> bool {
        let mut all: Option<Lineage> = None;
        for part in parts {
            let Some(origin) = part.origin() else { continue };
            let lineage = self.lineage(part.offset, origin);
            let shared = match all {
                None => Some(lineage),
                Some(all) => all.shared(lineage),
            };
            if shared.is_none() {
                return true;
            }
            all = shared;
        }
        let holds = |what: &What| parts.iter().any(|part| part.what == *what);
        all.is_some() && holds(&What::Zeros) && !holds(&What::Foreign)
    }

    fn lineage(&self, offset: u64, origin: Origin) -> Lineage {
        let content = self.content_of(origin);
        let unit_bytes = i128::from(content.unit_bytes());
        let from = i128::from(offset) - i128::from(origin.at);
        let holders = content.units_of(origin.uid);
        let few = holders.len() <= MAX_CANDIDATE_UNITS;
        Lineage {
            run: origin.run,
            generation: origin.generation,
            in_unit: from.rem_euclid(unit_bytes) as u64,
            shifts: few.then(|| holders.map(|unit| from - i128::from(unit) * unit_bytes).collect()),
        }
    }
}
