//! The stream of a run: fills and compares any range of it, in pieces that each lie in one unit, without allocating.

use crate::cell::Cell;
use crate::dedup::Window;
use crate::error::RangeError;
use crate::kernel::{AGREEING_GRAIN, Store};
use crate::{CELL_BYTES, Content, MAX_STREAM_BYTES, WORD_BYTES};
use std::ops::Range;

/// Unused room for one cell, on the stack.
const SCRATCH: [u8; CELL_BYTES] = [0; CELL_BYTES];

impl Content {
    /// Writes the stream's bytes from `offset` on into `out`: any offset, any length.
    ///
    /// `generation` is how often these cells were rewritten.
    ///
    /// # Errors
    /// [`RangeError`] when the range ends beyond 2^63; `out` is then untouched.
    pub fn fill(&self, generation: u16, offset: u64, out: &mut [u8]) -> Result<(), RangeError> {
        self.fill_by(generation, offset, Store::Cached, out)
    }

    /// As [`Content::fill`], but with stores that go past the caches, where words lie at multiples of 16, as they do when
    /// `offset` and the address of `out` are such. For ranges that are larger than the caches.
    ///
    /// # Errors
    /// As [`Content::fill`].
    pub fn fill_streaming(&self, generation: u16, offset: u64, out: &mut [u8]) -> Result<(), RangeError> {
        self.fill_by(generation, offset, Store::Streaming, out)?;
        self.fence();
        Ok(())
    }

    fn fill_by(&self, generation: u16, offset: u64, store: Store, out: &mut [u8]) -> Result<(), RangeError> {
        check_range(offset, out.len())?;
        for piece in Pieces::new(self, offset, out.len()) {
            self.fill_piece(generation, piece.uid, piece.at, store, &mut out[piece.range]);
        }
        Ok(())
    }

    /// The index in `actual` of the first byte that is not the stream's from `offset` on, or `None` where all are.
    ///
    /// It makes the expected words in registers and stops soon after the first difference.
    ///
    /// # Errors
    /// [`RangeError`] when the range ends beyond 2^63.
    pub fn compare(&self, generation: u16, offset: u64, actual: &[u8]) -> Result<Option<usize>, RangeError> {
        check_range(offset, actual.len())?;
        for piece in Pieces::new(self, offset, actual.len()) {
            let start = piece.range.start;
            if let Some(index) = self.compare_piece(generation, piece.uid, piece.at, &actual[piece.range]) {
                return Ok(Some(start + index));
            }
        }
        Ok(None)
    }

    /// Fills a range of one unique unit, from byte `at` of it on.
    pub(crate) fn fill_piece(&self, generation: u16, uid: u64, mut at: usize, store: Store, out: &mut [u8]) {
        if self.cell.is_plain() {
            return self.fill_literal(generation, uid, at, store, out);
        }
        let (head, cells, tail) = whole_cells(at, out);
        if !head.is_empty() {
            self.fill_part_of_cell(generation, uid, at, head);
            at += head.len();
        }
        self.cells(uid, generation, word_index(at), store, cells);
        at += cells.len() * CELL_BYTES;
        if !tail.is_empty() {
            self.fill_part_of_cell(generation, uid, at, tail);
        }
    }

    /// Fills a range within one cell.
    fn fill_part_of_cell(&self, generation: u16, uid: u64, at: usize, out: &mut [u8]) {
        let start = at % CELL_BYTES;
        let end = start + out.len();
        if end <= self.cell.literal {
            return self.fill_literal(generation, uid, at, Store::Cached, out);
        }
        let mut cell = SCRATCH;
        self.cells(uid, generation, word_index(at - start), Store::Cached, std::slice::from_mut(&mut cell));
        out.copy_from_slice(&cell[start..end]);
    }

    /// Fills a range of words' bytes, as if no cell repeated any; it may begin and end inside a word.
    fn fill_literal(&self, generation: u16, uid: u64, at: usize, store: Store, out: &mut [u8]) {
        let (head, words, tail) = whole_words(at, out.len());
        let mut word = [0; WORD_BYTES];
        if !head.is_empty() {
            self.words(uid, generation, word_index(at), Store::Cached, &mut word);
            let skip = at % WORD_BYTES;
            out[head.clone()].copy_from_slice(&word[skip..skip + head.len()]);
        }
        self.words(uid, generation, word_index(at + words.start), store, &mut out[words]);
        if !tail.is_empty() {
            self.words(uid, generation, word_index(at + tail.start), Store::Cached, &mut word);
            let length = tail.len();
            out[tail].copy_from_slice(&word[..length]);
        }
    }

    /// The first byte that differs in a range of one unique unit, from byte `at` of it on.
    fn compare_piece(&self, generation: u16, uid: u64, at: usize, actual: &[u8]) -> Option<usize> {
        if self.cell.is_plain() {
            return self.compare_literal(generation, uid, at, actual);
        }
        let mut done = 0;
        while done < actual.len() {
            let start = (at + done) % CELL_BYTES;
            let part = &actual[done..actual.len().min(done + CELL_BYTES - start)];
            let different = match part.as_array() {
                Some(cell) => self.compare_cell(generation, uid, at + done, cell),
                None => {
                    let mut expected = SCRATCH;
                    let expected = &mut expected[..part.len()];
                    self.fill_part_of_cell(generation, uid, at + done, expected);
                    first_difference(expected, part)
                }
            };
            if let Some(index) = different {
                return Some(done + index);
            }
            done += part.len();
        }
        None
    }

    /// The first byte that differs in a whole cell.
    fn compare_cell(&self, generation: u16, uid: u64, at: usize, actual: &[u8; CELL_BYTES]) -> Option<usize> {
        let Cell { literal, period } = self.cell;
        // Once the literal bytes agree, the rest is right exactly when each byte is the one a period before it.
        self.compare_literal(generation, uid, at, &actual[..literal]).or_else(|| {
            let repeated = &actual[literal - period..CELL_BYTES - period];
            first_difference(repeated, &actual[literal..]).map(|index| literal + index)
        })
    }

    /// The first byte that differs in a range of words' bytes, which may begin and end inside a word.
    fn compare_literal(&self, generation: u16, uid: u64, at: usize, actual: &[u8]) -> Option<usize> {
        let (head, words, tail) = whole_words(at, actual.len());
        let edge = |range: Range<usize>| {
            let mut expected = [0; WORD_BYTES];
            let expected = &mut expected[..range.len()];
            self.fill_literal(generation, uid, at + range.start, Store::Cached, expected);
            first_difference(expected, &actual[range.clone()]).map(|index| range.start + index)
        };
        if !head.is_empty()
            && let Some(index) = edge(head)
        {
            return Some(index);
        }
        let agreeing = self.agreeing(uid, generation, word_index(at + words.start), &actual[words.clone()]);
        if agreeing < words.len() {
            let start = words.start + agreeing;
            let suspect = &actual[start..words.end.min(start + AGREEING_GRAIN)];
            let mut expected = [0; AGREEING_GRAIN];
            let expected = &mut expected[..suspect.len()];
            self.words(uid, generation, word_index(at + start), Store::Cached, expected);
            return first_difference(expected, suspect).map(|index| start + index);
        }
        if tail.is_empty() { None } else { edge(tail) }
    }
}

/// Whether a range lies in the stream.
pub(crate) fn check_range(offset: u64, length: usize) -> Result<(), RangeError> {
    let end = u128::from(offset) + length as u128;
    if end <= u128::from(MAX_STREAM_BYTES) { Ok(()) } else { Err(RangeError { offset, length }) }
}

/// The index of the word that has byte `at` of a unit; a unit's 2^30 bytes are at most 2^26 words.
fn word_index(at: usize) -> u32 {
    (at / WORD_BYTES) as u32
}

/// The index of the first byte in which two slices of one length differ.
pub(crate) fn first_difference(expected: &[u8], actual: &[u8]) -> Option<usize> {
    if expected == actual {
        return None;
    }
    expected.iter().zip(actual).position(|(expected, actual)| expected != actual)
}

/// Ranges of `length` bytes from byte `at` of a unit on: the end of a word, whole words, the beginning of a word. A
/// range inside one word is the end of a word.
fn whole_words(at: usize, length: usize) -> (Range<usize>, Range<usize>, Range<usize>) {
    let head = (at.next_multiple_of(WORD_BYTES) - at).min(length);
    let tail = head + (length - head) / WORD_BYTES * WORD_BYTES;
    (0..head, head..tail, tail..length)
}

/// `out`, which begins at byte `at` of a unit, as the end of a cell, whole cells, and the beginning of a cell.
fn whole_cells(at: usize, out: &mut [u8]) -> (&mut [u8], &mut [[u8; CELL_BYTES]], &mut [u8]) {
    let head = (at.next_multiple_of(CELL_BYTES) - at).min(out.len());
    let (head, rest) = out.split_at_mut(head);
    let (cells, tail) = rest.as_chunks_mut();
    (head, cells, tail)
}

/// A part of a range that lies in one unit.
pub(crate) struct Piece {
    /// The unique unit whose content it is.
    pub(crate) uid: u64,
    /// Where in the unit it begins, in bytes.
    pub(crate) at: usize,
    /// Where in the range it lies.
    pub(crate) range: Range<usize>,
}

/// The pieces of a range, in order. It keeps the dedup window from one unit to the next, since finding a window costs
/// more than a small unit's bytes.
pub(crate) struct Pieces<'a> {
    content: &'a Content,
    unit: u64,
    at: usize,
    done: usize,
    length: usize,
    window: Option<Window>,
}

impl<'a> Pieces<'a> {
    /// The pieces of `length` bytes from `offset` on.
    pub(crate) fn new(content: &'a Content, offset: u64, length: usize) -> Self {
        let unit_bytes = content.unit_bytes();
        let at = (offset % unit_bytes) as usize;
        Self { content, unit: offset / unit_bytes, at, done: 0, length, window: None }
    }

    fn uid(&mut self) -> u64 {
        if self.content.dedup.is_none() {
            return self.unit;
        }
        let number = self.content.dedup.window_of(self.unit);
        let known = self.window.filter(|window| window.number == number);
        let window = known.unwrap_or_else(|| self.content.window_of(self.unit));
        self.window = Some(window);
        window.uid(self.unit)
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        if self.done == self.length {
            return None;
        }
        let length = (self.content.unit_bytes() as usize - self.at).min(self.length - self.done);
        let piece = Piece { uid: self.uid(), at: self.at, range: self.done..self.done + length };
        self.done += length;
        self.at = 0;
        self.unit += 1;
        Some(piece)
    }
}

#[cfg(test)]
mod tests;
