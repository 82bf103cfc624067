//! Whether the bytes of a block are those that its cells hold, where blocks were overwritten one by one. What is in doubt may
//! be any of several generations, each logical sector by itself. Must never know where the bytes were read from.

use std::ops::Range;

use seedstorm_content::{Content, Diagnosis, Fault, FaultKind};

use super::cells::Doubt;
use super::replay::Shard;

/// A stretch of cells with one generation of which not all bytes are right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    /// Where in the run's linear space it begins, in bytes.
    pub(super) offset: u64,
    /// Its length in bytes.
    pub(super) bytes: u64,
    /// What it must hold.
    pub(super) generation: u16,
    /// What else it may hold.
    pub(super) doubt: Option<Doubt>,
}

/// What a block must hold.
pub(super) struct Expected<'a> {
    content: &'a Content,
    diagnosis: Diagnosis<'a>,
    shard: &'a Shard,
    offset: u64,
    bytes: u64,
}

impl<'a> Expected<'a> {
    /// The bytes at `offset` of the run's linear space, in one shard, on storage that writes so many bytes as a whole.
    pub(super) fn new(content: &'a Content, sector_bytes: u64, shard: &'a Shard, offset: u64, bytes: u64) -> Self {
        Self { content, diagnosis: diagnosis_of(content, sector_bytes), shard, offset, bytes }
    }

    /// Makes the bytes.
    pub(super) fn fill(&self, mut make: impl FnMut(u16, u64, Range<usize>)) {
        for stretch in self.stretches() {
            make(stretch.generation, stretch.offset, self.range_of(&stretch));
        }
    }

    /// The stretches that are not right, in order. Nothing is allocated where all is.
    pub(super) fn compare(&self, actual: &[u8]) -> Vec<Stretch> {
        let is_wrong = |stretch: &Stretch| {
            let actual = &actual[self.range_of(stretch)];
            self.content.compare(stretch.generation, stretch.offset, actual) != Ok(None)
                && (stretch.doubt.is_none() || !faults_of(self.diagnosis, stretch, actual).is_empty())
        };
        self.stretches().filter(is_wrong).collect()
    }

    /// How many cells are in doubt.
    pub(super) fn in_doubt(&self) -> u64 {
        self.stretches().filter(|stretch| stretch.doubt.is_some()).count() as u64
    }

    /// Where in the block a stretch is.
    pub(super) fn range_of(&self, stretch: &Stretch) -> Range<usize> {
        let start = (stretch.offset - self.offset) as usize;
        start..start + stretch.bytes as usize
    }

    fn stretches(&self) -> impl Iterator<Item = Stretch> {
        let Self { shard, offset, bytes, .. } = *self;
        shard.cells.alike(shard.cells_of(offset, bytes)).map(move |cells| {
            let stretch = shard.bytes_of(&cells, offset, bytes);
            let generation = shard.cells.generation(cells.start);
            let doubt = shard.cells.doubt(cells.start).copied();
            Stretch { offset: stretch.start, bytes: stretch.end - stretch.start, generation, doubt }
        })
    }
}

/// How what is wrong is named, on storage that writes so many bytes as a whole.
pub(super) fn diagnosis_of(content: &Content, sector_bytes: u64) -> Diagnosis<'_> {
    let diagnosis = Diagnosis::of(content);
    diagnosis.atomic_bytes(sector_bytes).unwrap_or(diagnosis)
}

/// What is wrong with a stretch: in doubt, a sector may hold any of the generations.
pub(super) fn faults_of(diagnosis: Diagnosis<'_>, stretch: &Stretch, actual: &[u8]) -> Vec<Fault> {
    let mut faults = diagnosis.run(stretch.generation, stretch.offset, actual);
    if let Some(doubt) = &stretch.doubt {
        let is_allowed =
            |fault: &Fault| matches!(fault.kind, FaultKind::Stale { generation } if doubt.allows(generation));
        faults.retain(|fault| !is_allowed(fault));
    }
    faults
}

#[cfg(test)]
mod tests {
    use seedstorm_content::Parameters;

    use super::*;
    use crate::layout::Layout;
    use crate::task::pattern::{Order, PatternSpec};
    use crate::task::replay::{Layer, Overwrites, OwnShard, Prefix, Replays, ShardHistory};

    const CELL: usize = 4096;

    /// A shard of eight cells on which eight sequential writes were done, and eight more may have been.
    fn in_doubt() -> (Content, Shard) {
        let content = Content::new(&Parameters { unit_bytes: 8 * 4096, ..Parameters::default() }).unwrap();
        let pattern = PatternSpec { stage: 0, writes_of_65536: 65_536, order: Order::Sequential, block_bytes: 4096 };
        let overwrites = Overwrites { shard_units: 1, layers: vec![Layer { pattern, rewritten: false }], own: None };
        let layout = Layout::new(8 * 4096, 1, 1).unwrap();
        let replays = Replays::new(&overwrites, &layout, 0, content.key()).unwrap();
        let layers = vec![Prefix { done: 8, reserved: 12 }];
        let history = ShardHistory { layers, own: OwnShard::default() };
        let shard = replays.shard(&(0..1), &history, || false).unwrap();
        (content, shard)
    }

    fn generations(content: &Content, of_cells: [u16; 8]) -> Vec<u8> {
        let mut bytes = vec![0; 8 * CELL];
        for (cell, (generation, bytes)) in of_cells.iter().zip(bytes.chunks_mut(CELL)).enumerate() {
            content.fill(*generation, (cell * CELL) as u64, bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn each_sector_of_a_cell_in_doubt_is_old_or_new_and_nothing_else() {
        let (content, shard) = in_doubt();
        let expected = Expected::new(&content, 512, &shard, 0, 8 * CELL as u64);
        assert_eq!(expected.in_doubt(), 4);
        let old = [1000; 8];
        let new = [1001, 1001, 1001, 1001, 1000, 1000, 1000, 1000];
        for right in [old, new, [1000, 1001, 1000, 1001, 1000, 1000, 1000, 1000]] {
            assert_eq!(expected.compare(&generations(&content, right)), []);
        }
        let mut mixed = generations(&content, old);
        mixed[512..1024].copy_from_slice(&generations(&content, new)[512..1024]);
        assert_eq!(expected.compare(&mixed), [], "whole sectors of both");
        mixed[512..768].copy_from_slice(&generations(&content, old)[512..768]);
        let wrong = expected.compare(&mixed);
        let [torn] = &wrong[..] else { panic!("{wrong:?}") };
        let faults = faults_of(diagnosis_of(&content, 512), torn, &mixed[expected.range_of(torn)]);
        assert!(
            matches!(&faults[..], [Fault { offset: 512, length: 512, kind: FaultKind::Torn { .. } }]),
            "{faults:?}"
        );
    }

    #[test]
    fn old_and_new_inside_one_sector_of_a_device_with_long_ones_are_torn() {
        let (content, shard) = in_doubt();
        let mut mixed = generations(&content, [1000; 8]);
        mixed[512..1024].copy_from_slice(&generations(&content, [1001; 8])[512..1024]);
        let wrong = |sector_bytes| Expected::new(&content, sector_bytes, &shard, 0, 8 * CELL as u64).compare(&mixed);
        assert_eq!(wrong(512), []);
        let wrong = wrong(4096);
        let [torn] = &wrong[..] else { panic!("{wrong:?}") };
        let faults = faults_of(diagnosis_of(&content, 4096), torn, &mixed[..CELL]);
        assert!(matches!(&faults[..], [Fault { offset: 0, length: 4096, kind: FaultKind::Torn { .. } }]), "{faults:?}");
    }

    #[test]
    fn a_generation_from_before_the_doubt_is_stale_also_where_a_cell_is_in_doubt() {
        let (content, shard) = in_doubt();
        let expected = Expected::new(&content, 512, &shard, 0, 8 * CELL as u64);
        for (cell, held) in [(0, 0), (5, 0), (5, 1001), (2, 1002)] {
            let mut of_cells = [1000; 8];
            of_cells[cell] = held;
            let bytes = generations(&content, of_cells);
            let wrong = expected.compare(&bytes);
            let [stale] = &wrong[..] else { panic!("{wrong:?}") };
            let faults = faults_of(diagnosis_of(&content, 512), stale, &bytes[expected.range_of(stale)]);
            let [Fault { offset, length, kind: FaultKind::Stale { generation } }] = &faults[..] else {
                panic!("{faults:?}")
            };
            assert_eq!((*offset, *length, *generation), ((cell * CELL) as u64, CELL as u64, held));
        }
    }

    #[test]
    fn blocks_that_begin_and_end_inside_cells_are_compared_by_the_same_cells() {
        let (content, shard) = in_doubt();
        let bytes = generations(&content, [1001, 1000, 1001, 1001, 1000, 1000, 1000, 1000]);
        for (start, end) in [(512, 1024), (4000, 9000), (100, 32_768), (28_672, 32_768)] {
            let expected = Expected::new(&content, 512, &shard, start as u64, (end - start) as u64);
            assert_eq!(expected.compare(&bytes[start..end]), [], "{start} to {end}");
        }
    }
}
