//! What a store might find in content besides the ratios that were asked: nothing.

use seedstorm_content::{Codec, Content, Parameters, Record};
use std::collections::HashSet;

const SECTOR_BYTES: usize = 512;

/// Ratios up to which no two sectors are equal.
const UNIQUE_UP_TO_12: [u32; 10] = [1000, 1100, 1500, 2000, 3000, 4000, 5000, 8000, 10_000, 12_000];

/// Cells of each stream that are looked at, across the border of two units.
const CELLS: usize = 96;

/// Every codec, record and one of these ratios.
fn shapes(ratios: &[u32]) -> impl Iterator<Item = Parameters> {
    let targets = Codec::ALL.into_iter().flat_map(|codec| Record::ALL.map(|record| (codec, record)));
    targets.flat_map(move |(codec, record)| {
        ratios.iter().map(move |&compress_milli| Parameters { compress_milli, codec, record, ..Parameters::default() })
    })
}

fn sample(parameters: &Parameters, generation: u16, cells: usize) -> Vec<u8> {
    let content = Content::new(parameters).expect("valid");
    let mut bytes = vec![0; cells * 4096];
    content.fill(generation, (1 << 20) - 5 * 4096, &mut bytes).expect("in the stream");
    bytes
}

#[test]
fn a_store_that_drops_zeros_finds_no_run_of_them() {
    for parameters in shapes(&[&UNIQUE_UP_TO_12[..], &[20_000, 50_000, 100_000]].concat()) {
        let bytes = sample(&parameters, 0, CELLS);
        let longest = bytes.split(|byte| *byte != 0).map(<[u8]>::len).max().expect("something");
        assert!(longest <= 64, "{longest} zeros in {parameters:?}");
    }
}

#[test]
fn a_store_that_drops_patterns_finds_no_sector_that_repeats_16_bytes() {
    // A sector of one byte over and over is such a sector too.
    for parameters in shapes(&[&UNIQUE_UP_TO_12[..], &[20_000, 50_000, 100_000]].concat()) {
        for (nth, sector) in sample(&parameters, 0, CELLS).chunks_exact(SECTOR_BYTES).enumerate() {
            for pattern_bytes in [1, 2, 4, 8, 16] {
                let repeats = sector[pattern_bytes..] == sector[..SECTOR_BYTES - pattern_bytes];
                assert!(!repeats, "sector {nth} repeats {pattern_bytes} bytes in {parameters:?}");
            }
        }
    }
}

#[test]
fn a_store_that_dedups_sectors_finds_none_twice_up_to_12_to_1() {
    for parameters in shapes(&UNIQUE_UP_TO_12) {
        let bytes = sample(&parameters, 0, CELLS);
        let distinct: HashSet<_> = bytes.chunks_exact(SECTOR_BYTES).collect();
        assert_eq!(distinct.len(), bytes.len() / SECTOR_BYTES, "{parameters:?}");
    }
}

#[test]
fn runs_of_other_seeds_namespaces_and_generations_share_no_sector() {
    for compress_milli in [1000, 5000] {
        let names = [(7, ""), (8, ""), (9, ""), (7, "a"), (7, "b"), (8, "a")];
        let streams: Vec<_> = names
            .iter()
            .flat_map(|&(seed, namespace)| [0, 1].map(|generation| (seed, namespace, generation)))
            .map(|(seed, namespace, generation)| {
                let parameters =
                    Parameters { seed, namespace: namespace.to_owned(), compress_milli, ..Parameters::default() };
                sample(&parameters, generation, 512)
            })
            .collect();
        let sectors = || streams.iter().flat_map(|bytes| bytes.chunks_exact(SECTOR_BYTES));
        assert_eq!(sectors().collect::<HashSet<_>>().len(), sectors().count(), "at {compress_milli}/1000");
    }
}
