//! From a block that is not what it must be to findings with file, offset and unit. Only reached when something is
//! wrong, so it may allocate and take its time. Must never decide whether a run goes on.

use seedstorm_content::{Fault, FaultKind};

use super::findings::{Evidence, Finding, FindingKind, MAX_EVIDENCE_BYTES};
use super::lanes::LaneRun;
use super::range::SeedRange;
use super::reread::{Place, fingerprint_of, reread};
use super::transfer::Block;

impl LaneRun<'_> {
    /// Names what is wrong with a block, and counts it.
    #[cold]
    pub(super) fn corrupt(&mut self, range: &SeedRange, block: Block, actual: &[u8]) {
        let spec = &self.shared.spec;
        let object_start = block.offset - block.in_object;
        let mut faults = spec.content.diagnose(spec.generation, block.offset, actual);
        if faults.is_empty() {
            // The comparison and the diagnosis must agree; whichever is wrong, a mismatch is never dropped.
            faults.push(Fault { offset: block.offset, length: actual.len() as u64, kind: FaultKind::Foreign });
        }
        self.cell.counters.corrupt_blocks.add(1);
        for Fault { offset, length, kind } in faults {
            self.count_units(range, offset, length);
            let kind = FindingKind::of_fault(kind, object_start, spec.layout.units());
            let start = (offset - block.offset) as usize;
            let actual = &actual[start..start + length as usize];
            self.report(block.object, offset, offset - object_start, length, kind, actual);
        }
    }

    /// A block of an object that is not there: one finding for all of the range's part of the object.
    #[cold]
    pub(super) fn missing(&mut self, range: &SeedRange, block: Block) {
        self.count_block(range, block, 0);
        if range.first_report(block.segment) {
            let (offset, end) = self.segment_bytes(range, block.segment);
            let object_start = block.offset - block.in_object;
            self.report(block.object, offset, offset - object_start, end - offset, FindingKind::Missing, &[]);
        }
    }

    /// A unit that is not in memory.
    #[cold]
    pub(super) fn missing_unit(&mut self, range: &SeedRange, block: Block) {
        self.count_block(range, block, 0);
        self.report(block.object, block.offset, block.in_object, block.bytes as u64, FindingKind::Missing, &[]);
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
            self.report(block.object, offset, offset - object_start, end - offset, kind, &[]);
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
        self.report(object, start + good, good, bytes - good, kind, &[]);
    }

    /// Notes a fault; as long as faults are kept in full, the place is looked at again at once.
    fn report(&self, object: u64, offset: u64, offset_in_file: u64, length: u64, kind: FindingKind, actual: &[u8]) {
        let spec = &self.shared.spec;
        if !self.shared.findings.has_room() {
            return self.shared.findings.count(&kind);
        }
        let fingerprint = fingerprint_of(&kind, actual);
        let place = Place { object, offset: offset_in_file, length, fingerprint };
        let again = reread(&self.shared.sink, spec, &place);
        self.shared.findings.add(Finding {
            object,
            file: self.shared.name_of(object),
            unit: offset / spec.layout.unit_bytes(),
            offset_in_file,
            length,
            kind,
            expected_generation: spec.generation,
            lane: self.index,
            read_at_ns: self.since_ns,
            fingerprint: place.fingerprint,
            again,
            evidence: self.evidence_of(offset, actual),
        });
    }

    /// The first bytes of a fault and what they should have been, where they are to be kept.
    fn evidence_of(&self, offset: u64, actual: &[u8]) -> Option<Evidence> {
        let spec = &self.shared.spec;
        if !spec.policy.evidence || actual.is_empty() {
            return None;
        }
        let actual = actual[..actual.len().min(MAX_EVIDENCE_BYTES)].to_vec();
        let mut expected = vec![0; actual.len()];
        spec.content.fill(spec.generation, offset, &mut expected).ok()?;
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
