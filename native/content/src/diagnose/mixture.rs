//! Takes a sector apart that is no one thing: the stretches in it that are right, zeros, or of some origin.

use super::held::{Held, Origin, What};
use super::sector::Sector;
use super::{AGREEING_BYTES, Diagnosis, SECTOR_BYTES, different_bits, is_nearly};
use crate::WORD_BYTES;
use std::ops::Range;

/// Something that some of a sector's bytes may be.
struct Source {
    /// Where it is from, for the sector's first byte; `None` for zeros.
    origin: Option<Origin>,
    /// What the sector would be if it was this.
    bytes: [u8; SECTOR_BYTES],
    /// Where in the sector it can be: an origin does not go beyond its unit.
    valid: Range<usize>,
}

/// A stretch of a sector; `source` is an index, and `None` where it is nothing that is known.
struct Stretch {
    range: Range<usize>,
    source: Option<usize>,
}

impl Source {
    /// How many bytes from `place` on are this.
    fn run(&self, actual: &[u8], place: usize) -> usize {
        let possible = if self.valid.contains(&place) { place..self.valid.end } else { place..place };
        self.bytes[possible.clone()].iter().zip(&actual[possible]).take_while(|(own, actual)| own == actual).count()
    }

    /// How many bytes just before `place` are this, back to `from` at most.
    fn run_before(&self, actual: &[u8], from: usize, place: usize) -> usize {
        let possible = self.valid.start.max(from).min(place)..place;
        let both = self.bytes[possible.clone()].iter().zip(&actual[possible]).rev();
        both.take_while(|(own, actual)| own == actual).count()
    }
}

impl Diagnosis<'_> {
    /// The stretches of a sector, in order. `right`: what it should hold; `origins`: what else it may.
    pub(super) fn mixture(&self, sector: &Sector, right: &[u8], origins: &[Origin]) -> Vec<Held> {
        let actual = sector.actual;
        let mut own = [0; SECTOR_BYTES];
        own[..right.len()].copy_from_slice(right);
        let all = 0..actual.len();
        let mut sources = vec![
            Source { origin: Some(sector.expected), bytes: own, valid: all.clone() },
            Source { origin: None, bytes: [0; SECTOR_BYTES], valid: all },
        ];
        sources.extend(origins.iter().map(|origin| self.source(*origin, actual.len())));
        let stretches = joined(stretches(&sources, sector), &sources, actual);
        let held = stretches.into_iter().map(|Stretch { range, source }| {
            let what = match source.map(|index| (index, sources[index].origin)) {
                None => What::Foreign,
                Some((_, None)) => What::Zeros,
                Some((0, Some(origin))) => What::Right(origin.plus(range.start)),
                Some((_, Some(origin))) => sector.stray(origin.plus(range.start), range.start),
            };
            Held { offset: sector.offset + range.start as u64, length: range.len(), what }
        });
        held.collect()
    }

    /// The bytes that a sector of `length` from this origin has, where that is inside of a unit.
    fn source(&self, origin: Origin, length: usize) -> Source {
        let content = self.content_of(origin);
        let place = |at: i64| (at - origin.at).clamp(0, length as i64) as usize;
        let valid = place(0)..place(content.unit_bytes() as i64);
        let mut bytes = [0; SECTOR_BYTES];
        if !valid.is_empty() {
            self.fill(Origin { at: origin.at.max(0), ..origin }, &mut bytes[valid.clone()]);
        }
        Source { origin: Some(origin), bytes, valid }
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
        match longest(sources, &stretches, actual, from, place) {
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
fn longest(
    sources: &[Source],
    stretches: &[Stretch],
    actual: &[u8],
    from: usize,
    place: usize,
) -> Option<(usize, usize, usize)> {
    let runs: Vec<_> = sources.iter().map(|source| source.run(actual, place)).collect();
    let most = runs.iter().copied().max().filter(|most| *most > 0)?;
    // Equal sectors of one cell are several sources of the same bytes, and one gets a byte more by chance. What explained
    // other bytes of this sector does these too, if it is not a whole word worse.
    let known = stretches.iter().filter_map(|stretch| stretch.source);
    let index = known.chain(0..sources.len()).find(|index| runs[*index] + WORD_BYTES > most)?;
    let before = sources[index].run_before(actual, from, place);
    (runs[index] + before >= AGREEING_BYTES).then_some((index, before, runs[index]))
}

/// The offset of a sector at `sector_offset` that is a multiple of the highest power of two, in the stream.
fn roundest(sector_offset: u64, mut places: std::ops::RangeInclusive<usize>) -> usize {
    let last = *places.end();
    let roundness = |place: &usize| (sector_offset + *place as u64).trailing_zeros();
    places.by_ref().max_by_key(roundness).unwrap_or(last)
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
