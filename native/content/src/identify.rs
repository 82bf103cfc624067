//! Says where in the stream bytes belong that carry nothing but themselves: neither offset nor generation is known. A
//! slow path, with bounded work for each sector.

use crate::diagnose::{MAX_CANDIDATE_UNITS, SECTOR_BYTES};
use crate::kernel::Store;
use crate::word::WordName;
use crate::{CELL_BYTES, Content, WORD_BYTES};

/// Places that a sector is compared with before it counts as nobody's. In the repeated part of a cell words stand in
/// places that are not their own: at the highest ratio 128 copies of two words come before the cell's own beginning.
const MAX_CANDIDATES: usize = 160;

/// Bytes that belong together, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where it begins, in bytes from the start of what was given.
    pub start: usize,
    /// Its length in bytes.
    pub length: usize,
    /// What it holds.
    pub content: Identified,
}

/// What bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identified {
    /// Content of this stream: every byte of the run.
    Content {
        /// The units that it may belong to: under dedup several hold the same. Ascending; where they are more than
        /// [`MAX_CANDIDATE_UNITS`], some of them.
        units: Vec<u64>,
        /// Where in any of these units the run's first byte belongs.
        offset_in_unit: u64,
        /// Its generation.
        generation: u16,
    },
    /// Zeros.
    Zeros,
    /// Nothing that this stream holds, or content that is damaged or too short to be named.
    Unknown,
}

/// A place in a unique unit and a generation of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Origin {
    uid: u64,
    generation: u16,
    at: usize,
}

impl Content {
    /// Says of all bytes where in this stream they belong, in runs that each lie in one unit, in order and without gaps.
    ///
    /// The bytes may begin anywhere in the stream. They are looked at in steps of 512, so that a run begins and ends at
    /// a multiple of that from the start, or at the end of a unit. Under compression the repeated part of a cell is
    /// named with certainty only next to the literal one; give whole cells.
    pub fn identify(&self, bytes: &[u8]) -> Vec<Run> {
        let mut runs: Vec<Run> = Vec::new();
        let (mut start, mut phase) = (0, 0);
        while start < bytes.len() {
            let sector = &bytes[start..bytes.len().min(start + SECTOR_BYTES)];
            let run = if sector.iter().all(|byte| *byte == 0) {
                Run { start, length: sector.len(), content: Identified::Zeros }
            } else if let Some((origin, length)) = self.origin_of(&bytes[start..], &mut phase) {
                Run { start, length, content: self.named(origin) }
            } else {
                Run { start, length: sector.len(), content: Identified::Unknown }
            };
            start += run.length;
            match runs.last_mut() {
                Some(last) if last.content == run.content && !matches!(run.content, Identified::Content { .. }) => {
                    last.length += run.length;
                }
                _ => runs.push(run),
            }
        }
        runs
    }

    fn named(&self, origin: Origin) -> Identified {
        let mut units: Vec<_> = self.units_of(origin.uid).take(MAX_CANDIDATE_UNITS).collect();
        units.sort_unstable();
        Identified::Content { units, offset_in_unit: origin.at as u64, generation: origin.generation }
    }

    /// Where the first bytes belong, and how many: a sector at least, or what is left of its unit. `phase` is where words
    /// begin in a sector: tried first, and set to what was found, since neighbours mostly have the same.
    fn origin_of(&self, bytes: &[u8], phase: &mut usize) -> Option<(Origin, usize)> {
        // A sector of a cell's repeated part names the words that it repeats, and agrees with several places of its
        // cell. Only the right one goes on beyond the cell, so the names of a whole cell are looked at and the place
        // that agrees for longest is taken.
        let seen = &bytes[..bytes.len().min(CELL_BYTES)];
        let (mut tried, mut best) = (Vec::new(), None);
        for nth in 0..WORD_BYTES {
            let first = (*phase + nth) % WORD_BYTES;
            let (words, _) = seen.get(first..).unwrap_or_default().as_chunks::<WORD_BYTES>();
            let mut last: Option<WordName> = None;
            for (place, word) in words.iter().enumerate() {
                let name = self.name_word(word);
                if let (Some(last), Some(name)) = (last, name)
                    && follows(last, name)
                    && let Some(origin) = self.origin_at(name, first + place * WORD_BYTES)
                    && !tried.contains(&origin)
                    && tried.len() < MAX_CANDIDATES
                {
                    tried.push(origin);
                    let length = self.extent(origin, bytes);
                    if length > best.map_or(0, |(_, longest)| longest) {
                        *phase = first;
                        best = Some((origin, length));
                    }
                    if length > CELL_BYTES {
                        return best;
                    }
                }
                last = name;
            }
            if best.is_some() {
                return best;
            }
        }
        None
    }

    /// The place of the first byte when the word of this name is `place` bytes after it, if that is in one unit.
    fn origin_at(&self, name: WordName, place: usize) -> Option<Origin> {
        let word = name.index as usize * WORD_BYTES;
        let at = word.checked_sub(place).filter(|_| word + WORD_BYTES <= self.unit_bytes() as usize)?;
        Some(Origin { uid: name.uid, generation: name.generation, at })
    }

    /// How many bytes are those from `origin` on: whole sectors, up to the end of the unit or of the bytes.
    fn extent(&self, origin: Origin, bytes: &[u8]) -> usize {
        let bytes = &bytes[..bytes.len().min(self.unit_bytes() as usize - origin.at)];
        let mut expected = [0; SECTOR_BYTES];
        let mut same = 0;
        for sector in bytes.chunks(SECTOR_BYTES) {
            let expected = &mut expected[..sector.len()];
            self.fill_piece(origin.generation, origin.uid, origin.at + same, Store::Cached, expected);
            if expected != sector {
                break;
            }
            same += sector.len();
        }
        same
    }
}

/// Whether two names are those of neighbouring words: one such pair comes by chance once in 2^128.
fn follows(last: WordName, name: WordName) -> bool {
    (last.uid, last.generation, last.index.wrapping_add(1)) == (name.uid, name.generation, name.index)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Codec, Parameters};

    const UNIT: u64 = 16 << 10;

    fn content(dedup_milli: u64, compress_milli: u32) -> Content {
        let parameters = Parameters {
            seed: 42,
            unit_bytes: UNIT,
            dedup_milli,
            window_bits: 4,
            compress_milli,
            codec: Codec::Lz4,
            ..Parameters::default()
        };
        Content::new(&parameters).unwrap()
    }

    fn bytes(content: &Content, generation: u16, offset: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        content.fill(generation, offset, &mut bytes).unwrap();
        bytes
    }

    /// Every run that is named must hold what its name says.
    fn check(content: &Content, bytes: &[u8], runs: &[Run]) {
        let mut end = 0;
        for run in runs {
            assert_eq!(run.start, end);
            end += run.length;
            let actual = &bytes[run.start..end];
            if let Identified::Content { units, offset_in_unit, generation } = &run.content {
                assert!(!units.is_empty());
                for unit in units {
                    let offset = unit * UNIT + offset_in_unit;
                    assert_eq!(content.compare(*generation, offset, actual), Ok(None));
                }
            }
        }
        assert_eq!(end, bytes.len());
    }

    #[test]
    fn bytes_from_anywhere_are_named_by_unit_offset_and_generation() {
        for (dedup, compress) in [(1000, 1000), (2000, 1000), (1000, 2000), (1500, 10_000), (1000, 100_000)] {
            let content = content(dedup, compress);
            for offset in [0, 4096, (1 << 40) + 512, 7 * UNIT + 4096 + 123] {
                let bytes = bytes(&content, 3, offset, 40_000);
                let runs = content.identify(&bytes);
                check(&content, &bytes, &runs);
                let named = |run: &&Run| matches!(run.content, Identified::Content { .. });
                let named: usize = runs.iter().filter(named).map(|run| run.length).sum();
                // Of a compressed cell that the range cuts, the part without literal words may stay without a name.
                assert!(named + 3 * 4096 >= bytes.len(), "{named} of 40000 at {dedup} {compress} from {offset}");
                let Identified::Content { units, offset_in_unit, generation: 3 } = &runs[0].content else { continue };
                assert!(units.contains(&(offset / UNIT)) && *offset_in_unit == offset % UNIT, "{:?}", runs[0]);
            }
        }
    }

    #[test]
    fn a_stream_without_compression_is_one_run_for_each_unit() {
        let content = content(1000, 1000);
        let bytes = bytes(&content, 0, UNIT + 4096, 2 * UNIT as usize);
        let places: Vec<_> = content.identify(&bytes).into_iter().map(|run| (run.start, run.length)).collect();
        assert_eq!(places, [(0, 12_288), (12_288, 16_384), (28_672, 4096)]);
    }

    #[test]
    fn zeros_and_the_bytes_of_others_are_told_apart() {
        let content = content(1000, 2000);
        let mut mixed = bytes(&content, 0, 0, 4096);
        mixed.extend([0; 1024]);
        mixed.extend((0..2000_u32).map(|nth| ((nth * nth) >> 3) as u8));
        mixed.extend(bytes(&content, 9, UNIT, 4096));
        let runs = content.identify(&mixed);
        check(&content, &mixed, &runs);
        assert_eq!(runs[1], Run { start: 4096, length: 1024, content: Identified::Zeros });
        assert_eq!((runs[2].start, &runs[2].content), (5120, &Identified::Unknown));
        assert!(content.identify(&[]).is_empty());
        assert_eq!(content.identify(&[1]), [Run { start: 0, length: 1, content: Identified::Unknown }]);
    }

    proptest! {
        #[test]
        fn no_name_is_ever_wrong(offset in 0_u64..1 << 50, length in 0_usize..20_000, flip: u16, compress in 1000_u32..9000) {
            let content = content(1500, compress);
            let mut bytes = bytes(&content, 1, offset, length);
            if let Some(byte) = bytes.get_mut(usize::from(flip)) {
                *byte ^= 1;
            }
            check(&content, &bytes, &content.identify(&bytes));
        }
    }
}
