//! What dedup owes one who buys a deduplicating store by it: the exact ratio, and every unit's duplicates by name.

use crate::testing::parameters;
use crate::{Content, MAX_STREAM_BYTES, Parameters};
use proptest::prelude::*;
use std::collections::HashSet;

/// More units of one unique unit than these are not walked: a ratio of a billion has as many.
const FEW: usize = 1000;

fn content(dedup_milli: u64, window_bits: u32) -> Content {
    Content::new(&Parameters { dedup_milli, window_bits, ..Parameters::default() }).unwrap()
}

proptest! {
    #[test]
    fn every_whole_window_has_exactly_as_many_distinct_units_as_the_ratio_asks(
        (bits, part) in (0..=12u32, 0.0..=1.0f64),
        window in prop_oneof![0..1000u64, 0..MAX_STREAM_BYTES >> 12],
    ) {
        let size = 1u64 << bits;
        let dedup_milli = 1000 + ((size - 1) as f64 * 1000.0 * part * part) as u64;
        let content = content(dedup_milli, bits);
        let window = window.min((MAX_STREAM_BYTES >> bits) - 1);
        let first = window * size;
        let base = |window: u64| u128::from(window) * u128::from(size) * 1000 / u128::from(dedup_milli);
        let uids: HashSet<_> = (first..first + size).map(|unit| u128::from(content.unique_unit(unit))).collect();
        let expected: HashSet<_> = (base(window)..base(window + 1)).collect();
        prop_assert_eq!(uids, expected);
    }

    #[test]
    fn every_unit_is_among_the_holders_of_its_content_and_all_of_them_hold_it(
        parameters in parameters(1),
        unit in prop_oneof![0..10_000u64, 0..MAX_STREAM_BYTES, MAX_STREAM_BYTES - 10_000..MAX_STREAM_BYTES],
    ) {
        let content = Content::new(&parameters).unwrap();
        let uid = content.unique_unit(unit);
        prop_assert!(uid < MAX_STREAM_BYTES);
        let holders: Vec<_> = content.units_of(uid).take(FEW).collect();
        prop_assert!(holders.iter().all(|holder| *holder < MAX_STREAM_BYTES && content.unique_unit(*holder) == uid));
        prop_assert_eq!(holders.iter().collect::<HashSet<_>>().len(), holders.len());
        prop_assert!(holders.contains(&unit) || holders.len() == FEW);
    }

    #[test]
    fn any_number_at_all_may_be_asked_for_its_holders(parameters in parameters(1), uid: u64) {
        let content = Content::new(&parameters).unwrap();
        prop_assert!(content.units_of(uid).take(FEW).all(|unit| content.unique_unit(unit) == uid));
    }
}

#[test]
fn every_unit_of_a_whole_window_is_found_once_over_all_its_unique_units() {
    for (dedup_milli, bits) in [(1001, 12), (1500, 10), (2000, 3), (2300, 12), (4_096_000, 12), (2000, 1)] {
        let content = content(dedup_milli, bits);
        let first = 5u64 << bits;
        let last = first + (1 << bits);
        let uids: HashSet<_> = (first..last).map(|unit| content.unique_unit(unit)).collect();
        let mut units: Vec<_> = uids.into_iter().flat_map(|uid| content.units_of(uid)).collect();
        units.sort_unstable();
        assert!(units.into_iter().eq(first..last), "ratio {dedup_milli}/1000, window 2^{bits}");
    }
}

#[test]
fn without_dedup_every_unit_is_its_own() {
    let content = content(1000, 12);
    for unit in [0, 1, 4096, MAX_STREAM_BYTES - 1] {
        assert_eq!(content.unique_unit(unit), unit);
        assert!(content.units_of(unit).eq([unit]));
    }
    assert_eq!(content.units_of(MAX_STREAM_BYTES).next(), None);
}
