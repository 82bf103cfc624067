//! Takes a sector apart that is no one thing: the stretches in it that are right, zeros, or of some origin.

use super::held::{Held, Origin, What};
use super::sector::Sector;
use super::{AGREEING_BYTES, Diagnosis, SECTOR_BYTES, different_bits, is_nearly};
use crate::WORD_BYTES;
use std::ops::{Range, RangeInclusive};

/// Something that some of a sector's bytes are.
struct Source {
    /// Where it is from, for the sector's first byte; `None` for zeros.
    origin: Option<Origin>,
    /// What the sector would be if it was this.
    bytes: [u8; SECTOR_BYTES],
    /// How many bytes from each place on are this. A sector's length fits.
    runs: [u16; SECTOR_BYTES],
}

/// A stretch of a sector; `source` is an index, and `None` where it is nothing that is known.
struct Stretch {
    range: Range<usize>,
    source: Option<usize>,
}

impl Source {
    /// A source that explains bytes enough in a row for a name. Where it is outside of `valid` it is nothing.
    fn new(origin: Option<Origin>, bytes: [u8; SECTOR_BYTES], valid: Range<usize>, actual: &[u8]) -> Option<Self> {
        let mut runs = [0; SECTOR_BYTES];
        let (mut run, mut longest) = (0, 0);
        for place in valid.rev() {
            run = if bytes[place] == actual[place] { run + 1 } else { 0 };
            runs[place] = run;
            longest = longest.max(run);
        }
        (usize::from(longest) >= AGREEING_BYTES).then_some(Self { origin, bytes, runs })
    }

    /// How many bytes from `place` on are this.
    fn run(&self, place: usize) -> usize {
        self.runs[place].into()
    }

    /// How many bytes just before `place` are this, back to `from` at most.
    fn run_before(&self, from: usize, place: usize) -> usize {
        (from..place).find(|start| self.run(*start) >= place - start).map_or(0, |start| place - start)
    }
}

impl Diagnosis<'_> {
    /// The stretches of a sector, in order. `right`: what it should hold; `origins`: what else it may.
    pub(super) fn mixture(&self, sector: &Sector, right: &[u8], origins: &[Origin]) -> Vec<Held> {
        let actual = sector.actual;
        let mut own = [0; SECTOR_BYTES];
        own[..right.len()].copy_from_slice(right);
        let all = 0..actual.len();
        let known = [
            Source::new(Some(sector.expected), own, all.clone(), actual),
            Source::new(None, [0; SECTOR_BYTES], all, actual),
        ];
        let others = origins.iter().map(|origin| self.source(*origin, actual));
        let sources: Vec<_> = known.into_iter().chain(others).flatten().collect();
        let stretches = joined(stretches(&sources, sector), &sources, actual);
        let held = stretches.into_iter().map(|Stretch { range, source }| {
            let what = match source.map(|index| sources[index].origin) {
                None => What::Foreign,
                Some(None) => What::Zeros,
                Some(Some(origin)) if origin == sector.expected => What::Right(origin.plus(range.start)),
                Some(Some(origin)) => sector.stray(origin.plus(range.start), range.start),
            };
            Held { offset: sector.offset + range.start as u64, length: range.len(), what }
        });
        held.collect()
    }

    /// What of a sector can be from this origin, where that is inside of its unit.
    fn source(&self, origin: Origin, actual: &[u8]) -> Option<Source> {
        let content = self.content_of(origin);
        let place = |at: i64| (at - origin.at).clamp(0, actual.len() as i64) as usize;
        let valid = place(0)..place(content.unit_bytes() as i64);
        let mut bytes = [0; SECTOR_BYTES];
        self.fill(Origin { at: origin.at.max(0), ..origin }, &mut bytes[valid.clone()]);
        Source::new(Some(origin), bytes, valid, actual)
    }
}

/// Goes through a sector, and each time takes the source that explains the most bytes from there on, which makes the
/// fewest stretches.
fn stretches(sources: &[Source], sector: &Sector) -> Vec<Stretch> {
    let actual = sector.actual;
    let mut stretches: Vec<Stretch> = Vec::new();
    let mut place = 0;
    while place < actual.len() {
        // What the stretch before may have taken too much of: its last bytes can be its own by chance.
        let from = match stretches.last() {
            Some(Stretch { range, source: Some(_) }) => range.start + AGREEING_BYTES,
            _ => place,
        };
        match longest(sources, &stretches, from, place) {
            Some((index, before, length)) => {
                let start = roundest(sector.offset, place - before..=place);
                if let Some(last) = stretches.last_mut() {
                    last.range.end = start;
                }
                stretches.push(Stretch { range: start..place + length, source: Some(index) });
                place += length;
            }
            None => {
                match stretches.last_mut() {
                    Some(Stretch { range, source: None }) => range.end += 1,
                    _ => stretches.push(Stretch { range: place..place + 1, source: None }),
                }
                place += 1;
            }
        }
    }
    stretches
}

/// The source of what begins at `place`, how far it reaches back, down to `from` at most, and how many bytes follow;
/// `None` where no source has enough of them.
fn longest(sources: &[Source], stretches: &[Stretch], from: usize, place: usize) -> Option<(usize, usize, usize)> {
    let most = sources.iter().map(|source| source.run(place)).max().filter(|most| *most > 0)?;
    // Equal sectors of one cell are several sources of the same bytes, and one gets a byte more by chance. What explained
    // other bytes of this sector does these too, if it is not a whole word worse.
    let known = stretches.iter().filter_map(|stretch| stretch.source);
    let index = known.chain(0..sources.len()).find(|index| sources[*index].run(place) + WORD_BYTES > most)?;
    let (before, run) = (sources[index].run_before(from, place), sources[index].run(place));
    (run + before >= AGREEING_BYTES).then_some((index, before, run))
}

/// The offset of a sector at `sector_offset` that is a multiple of the highest power of two, in the stream.
fn roundest(sector_offset: u64, places: RangeInclusive<usize>) -> usize {
    let last = *places.end();
    places.max_by_key(|place| (sector_offset + *place as u64).trailing_zeros()).unwrap_or(last)
}

/// Puts together what flipped bits had cut: two stretches of one source, if the one between them is nearly that too.
fn joined(stretches: Vec<Stretch>, sources: &[Source], actual: &[u8]) -> Vec<Stretch> {
    let mut joined: Vec<Stretch> = Vec::new();
    for stretch in stretches {
        if let [.., before, Stretch { range, source: None }] = &mut joined[..]
            && let Some(source) = stretch.source
            && before.source == stretch.source
            && is_nearly(different_bits(&sources[source].bytes[range.clone()], &actual[range.clone()]), range.len())
        {
            before.range.end = stretch.range.end;
            joined.pop();
        } else {
            joined.push(stretch);
        }
    }
    joined
}
