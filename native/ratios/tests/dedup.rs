//! Dedup ratios, counted as a store counts them: by hashes of its own chunks, which need not be our units.

use fastcdc::v2020::FastCDC;
use seedstorm_content::{Content, Parameters};
use std::collections::HashSet;
use std::ops::RangeInclusive;

const ASKED_MILLI: [u64; 8] = [1000, 1250, 1500, 2000, 2300, 3000, 5000, 10_000];

/// Units and windows, small, so that several whole windows are little to hash: unit, window as a power of two, windows.
const SHAPES: [(u64, u32, u64); 3] = [(4096, 8, 4), (65_536, 4, 4), (131_072, 4, 3)];

fn content(unit_bytes: u64, window_bits: u32, dedup_milli: u64, compress_milli: u32) -> Content {
    let parameters =
        Parameters { seed: 3, unit_bytes, window_bits, dedup_milli, compress_milli, ..Parameters::default() };
    Content::new(&parameters).expect("valid")
}

/// The first whole windows of the stream.
fn windows(content: &Content, count: u64) -> Vec<u8> {
    let Parameters { unit_bytes, window_bits, .. } = *content.parameters();
    let mut bytes = vec![0; ((count << window_bits) * unit_bytes) as usize];
    content.fill(0, 0, &mut bytes).expect("in the stream");
    bytes
}

fn distinct<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> u64 {
    chunks.map(blake3::hash).collect::<HashSet<_>>().len() as u64
}

#[test]
fn a_store_that_dedups_blocks_of_4k_64k_or_a_unit_counts_the_ratio_to_one_unit_a_window() {
    for (unit_bytes, window_bits, count) in SHAPES {
        let window_units = 1u64 << window_bits;
        for dedup_milli in ASKED_MILLI {
            for compress_milli in [1000, 3000] {
                let content = content(unit_bytes, window_bits, dedup_milli, compress_milli);
                let bytes = windows(&content, count);
                for chunk_bytes in [4096, 65_536, unit_bytes].into_iter().filter(|chunk| *chunk <= unit_bytes) {
                    let place = format!(
                        "unit {unit_bytes}, window 2^{window_bits}, dedup {dedup_milli}/1000, compress \
                         {compress_milli}/1000, chunks of {chunk_bytes}"
                    );
                    let chunks_of_unit = unit_bytes / chunk_bytes;
                    let mut of_windows = 0;
                    for window in bytes.chunks_exact((window_units * unit_bytes) as usize) {
                        let found = distinct(window.chunks_exact(chunk_bytes as usize));
                        assert_one_unit(found, chunks_of_unit, window_units, dedup_milli, &place);
                        of_windows += found;
                    }
                    let found = distinct(bytes.chunks_exact(chunk_bytes as usize));
                    assert_eq!(found, of_windows, "no unit comes again in another window: {place}");
                    assert_one_unit(found, chunks_of_unit, count * window_units, dedup_milli, &place);
                }
            }
        }
    }
}

/// Whether as many chunks are distinct as the ratio asks of so many units, to less than one unit.
fn assert_one_unit(found: u64, chunks_of_unit: u64, units: u64, dedup_milli: u64, place: &str) {
    let (units_found, rest) = (found / chunks_of_unit, found % chunks_of_unit);
    assert_eq!(rest, 0, "a unit is distinct in all its chunks or in none: {place}");
    let error = (units_found * dedup_milli).abs_diff(units * 1000);
    assert!(error < dedup_milli, "{units_found} of {units} units are distinct: {place}");
}

#[test]
fn a_store_whose_chunks_are_cut_by_their_content_counts_nearly_the_ratio() {
    // A chunk across the border of two units is another one for each pair of neighbours. A unit of 64 average chunks
    // loses one or two of them so, and the ratio is as much lower as these are many among what is left of a duplicate.
    let tolerances: [(u64, RangeInclusive<f64>); 4] =
        [(1000, 1.0..=1.0), (1500, 0.97..=1.0), (2000, 0.95..=1.0), (5000, 0.85..=1.0)];
    for (dedup_milli, tolerance) in tolerances {
        for compress_milli in [1000, 2000] {
            let content = content(1 << 19, 4, dedup_milli, compress_milli);
            let bytes = windows(&content, 2);
            let mut seen = HashSet::new();
            let mut kept_bytes = 0;
            for chunk in FastCDC::new(&bytes, 2048, 8192, 65_536) {
                if seen.insert(blake3::hash(&bytes[chunk.offset..chunk.offset + chunk.length])) {
                    kept_bytes += chunk.length;
                }
            }
            let units = bytes.len() as u64 >> 19;
            let asked = units as f64 / (units * 1000 / dedup_milli) as f64;
            let part = bytes.len() as f64 / kept_bytes as f64 / asked;
            println!("asked {asked:.3}, compress {compress_milli}/1000: {:.3}, {part:.4} of it", part * asked);
            assert!(
                tolerance.contains(&part),
                "dedup {dedup_milli}/1000, compress {compress_milli}/1000: {part} of it"
            );
        }
    }
}
