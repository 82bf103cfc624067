//! From a block that is not what it must be to findings with file, offset and unit. Only reached when something is
//! wrong, so it may allocate and take its time. Must never decide whether a run goes on.

use seedstorm_content::{Fault, FaultKind};

use super::expected::{Stretch, faults_of};
use super::findings::{Evidence, Finding, FindingKind, MAX_EVIDENCE_BYTES};
use super::lanes::LaneRun;
use super::range::SeedRange;
use super::reread::{Place, fingerprint_of, reread};
use super::spec::TaskSpec;
use super::transfer::Block;

/// Where a fault is.
#[derive(Clone, Copy)]
struct At {
    object: u64,
    /// Where the object begins in the run's linear space, in bytes.
    object_start: u64,
    /// Where the fault begins there.
    offset: u64,
    length: u64,
    /// The generation that is expected.
    generation: u16,
}

/// Neighbours that must hold one generation as one: they were compared in pieces.
fn merged(wrong: Vec<Stretch>) -> Vec<Stretch> {
    let mut merged: Vec<Stretch> = Vec::with_capacity(wrong.len());
    for stretch in wrong {
        match merged.last_mut() {
            Some(last)
                if last.offset + last.bytes == stretch.offset
                    && last.generation == stretch.generation
                    && last.doubt.or(stretch.doubt).is_none() =>
            {
                last.bytes += stretch.bytes;
            }
            _ => merged.push(stretch),
        }
    }
    merged
}

impl LaneRun<'_> {
    /// Names what is wrong with a block, and counts it.
    #[cold]
    pub(super) fn corrupt(&mut self, range: &SeedRange, block: Block, actual: &[u8]) {
        let generation = self.shared.spec.generation;
        let all = Stretch { offset: block.offset, bytes: actual.len() as u64, generation, doubt: None };
        self.corrupt_cells(range, block, actual, vec![all]);
    }

    /// The same where parts of the block are of several generations: of those that are wrong.
    #[cold]
    pub(super) fn corrupt_cells(&mut self, range: &SeedRange, block: Block, actual: &[u8], wrong: Vec<Stretch>) {
        let spec = &self.shared.spec;
        let object_start = block.offset - block.in_object;
        let mut is_corrupt = false;
        for stretch in merged(wrong) {
            let start = (stretch.offset - block.offset) as usize;
            let diagnosis = self.shared.diagnosis();
            let mut faults = faults_of(diagnosis, &stretch, &actual[start..start + stretch.bytes as usize]);
            if faults.is_empty() {
                // The comparison and the diagnosis must agree; whichever is wrong, a mismatch is never dropped.
                faults.push(Fault { offset: stretch.offset, length: stretch.bytes, kind: FaultKind::Foreign });
            }
            let unit_bytes = spec.layout.unit_bytes();
            let judged = faults.into_iter().flat_map(|fault| range.late.judge(fault, unit_bytes));
            for (Fault { offset, length, kind }, may_be_late) in judged {
                let start = (offset - block.offset) as usize;
                let actual = &actual[start..start + length as usize];
                let at = At { object: block.object, object_start, offset, length, generation: stretch.generation };
                if let (FaultKind::Stale { generation }, true) = (&kind, may_be_late) {
                    self.indeterminate(at, *generation, actual);
                    continue;
                }
                is_corrupt = true;
                self.count_units(range, offset, length);
                self.report(at, FindingKind::of_fault(kind, object_start, spec.layout.units()), actual);
            }
        }
        if is_corrupt {
            self.cell.counters.corrupt_blocks.add(1);
        }
    }

    /// Notes an old generation that may be a late write: nothing is to be looked at again, nor kept.
    fn indeterminate(&self, at: At, generation: u16, actual: &[u8]) {
        let kind = FindingKind::Indeterminate { generation };
        let fingerprint = fingerprint_of(&kind, actual);
        self.shared.findings.add(self.finding(at, kind, fingerprint));
    }

    /// A block of an object that is not there: one finding for all of the range's part of the object.
    #[cold]
    pub(super) fn missing(&mut self, range: &SeedRange, block: Block) {
        self.count_block(range, block, 0);
        if range.first_report(block.segment) {
            let (offset, end) = self.segment_bytes(range, block.segment);
            let object_start = block.offset - block.in_object;
            let generation = self.shared.spec.generation;
            let at = At { object: block.object, object_start, offset, length: end - offset, generation };
            self.report(at, FindingKind::Missing, &[]);
        }
    }

    /// A unit that is not in memory.
    #[cold]
    pub(super) fn missing_unit(&mut self, range: &SeedRange, block: Block) {
        self.count_block(range, block, 0);
        let Block { object, offset, in_object, bytes, .. } = block;
        let generation = self.shared.spec.generation;
        let at = At { object, object_start: offset - in_object, offset, length: bytes as u64, generation };
        self.report(at, FindingKind::Missing, &[]);
    }

    /// A block that the end of the object, at `file_bytes` where that is known, cuts off after `got` bytes: one finding for all of the range's part of the object
    /// that is not there.
    #[cold]
    pub(super) fn truncated(&mut self, range: &SeedRange, block: Block, got: usize, file_bytes: Option<u64>) {
        self.count_block(range, block, got);
        let object_start = block.offset - block.in_object;
        let reached = block.in_object + got as u64;
        let file_bytes = file_bytes.unwrap_or(reached);
        // Longer than where the read ended: it grew just now, or the storage lost its way. Only this block is known bad.
        let cut_short = file_bytes <= reached;
        let (start, end) = self.segment_bytes(range, block.segment);
        let (offset, end) = if cut_short {
            (start.max(object_start + file_bytes), end)
        } else {
            (object_start + reached, block.offset + block.bytes as u64)
        };
        if !cut_short || range.first_report(block.segment) {
            let kind = FindingKind::Truncated { file_bytes };
            let generation = self.shared.spec.generation;
            self.report(At { object: block.object, object_start, offset, length: end - offset, generation }, kind, &[]);
        }
    }

    /// An object that is not there or not as long as it must be, whatever range looks at it: one finding for all of it.
    #[cold]
    pub(super) fn wrong_object(&mut self, range: &SeedRange, object: u64, kind: FindingKind) {
        let layout = &self.shared.spec.layout;
        let (start, bytes) = (layout.units_of(object).start * layout.unit_bytes(), layout.bytes_of(object));
        let good = match kind {
            FindingKind::Truncated { file_bytes } => file_bytes.min(bytes),
            _ => 0,
        };
        self.cell.counters.corrupt_blocks.add(1);
        self.count_units(range, start + good, bytes - good);
        let generation = self.shared.spec.generation;
        let at = At { object, object_start: start, offset: start + good, length: bytes - good, generation };
        self.report(at, kind, &[]);
    }

    /// Notes a fault; as long as faults are kept in full, the place is looked at again at once.
    fn report(&self, at: At, kind: FindingKind, actual: &[u8]) {
        let At { object, offset, length, generation, .. } = at;
        let spec = &self.shared.spec;
        let offset_in_file = offset - at.object_start;
        if !self.shared.findings.has_room() {
            return self.shared.findings.count(&kind);
        }
        let fingerprint = fingerprint_of(&kind, actual);
        let place = Place { object, offset: offset_in_file, length, fingerprint };
        let again = reread(&self.shared.sink, &TaskSpec { generation, ..spec.clone() }, &place);
        let evidence = self.evidence_of(generation, offset, actual);
        self.shared.findings.add(Finding { again, evidence, ..self.finding(at, kind, place.fingerprint) });
    }

    /// A finding as it was first seen.
    fn finding(&self, at: At, kind: FindingKind, fingerprint: String) -> Finding {
        Finding {
            object: at.object,
            file: self.shared.name_of(at.object),
            unit: at.offset / self.shared.spec.layout.unit_bytes(),
            offset_in_file: at.offset - at.object_start,
            length: at.length,
            kind,
            expected_generation: at.generation,
            lane: self.index,
            read_at_ns: self.since_ns,
            fingerprint,
            again: None,
            evidence: None,
        }
    }

    /// The first bytes of a fault and what they should have been, where they are to be kept.
    fn evidence_of(&self, generation: u16, offset: u64, actual: &[u8]) -> Option<Evidence> {
        let spec = &self.shared.spec;
        if !spec.policy.evidence || actual.is_empty() {
            return None;
        }
        let actual = actual[..actual.len().min(MAX_EVIDENCE_BYTES)].to_vec();
        let mut expected = vec![0; actual.len()];
        spec.content.fill(generation, offset, &mut expected).ok()?;
        Some(Evidence { actual, expected })
    }

    /// Counts a block of which everything from `good` on is missing.
    fn count_block(&mut self, range: &SeedRange, block: Block, good: usize) {
        self.cell.counters.corrupt_blocks.add(1);
        self.count_units(range, block.offset + good as u64, (block.bytes - good) as u64);
    }

    /// Counts the units of a stretch of the run's linear space as corrupt, each once, however many bad blocks it has.
    fn count_units(&mut self, range: &SeedRange, offset: u64, length: u64) {
        let unit_bytes = self.shared.spec.layout.unit_bytes();
        let last = (offset + length.max(1) - 1) / unit_bytes;
        // Who reads a whole folder may find what is missing of other ranges.
        let is_new = |unit: &u64| !range.claims.units().contains(unit) || range.unit_corrupt(*unit);
        let newly = (offset / unit_bytes..=last).filter(is_new).count();
        self.cell.counters.corrupt_units.add(newly as u64);
    }

    /// Where the range's part of an object is in the run's linear space, in bytes.
    fn segment_bytes(&self, range: &SeedRange, segment: usize) -> (u64, u64) {
        let unit_bytes = self.shared.spec.layout.unit_bytes();
        let units = range.claims.segment_units(segment);
        (units.start * unit_bytes, units.end * unit_bytes)
    }
}
