//! What an earlier run left behind, where this one's writes never came.

use super::*;
use crate::testing::parameters;

/// A content with any parameters, under a key that no other seed has.
fn contents(count: usize) -> impl Strategy<Value = Vec<Content>> {
    prop::collection::vec(parameters(8), count).prop_map(|parameters| {
        let contents = parameters.into_iter().enumerate().map(|(nth, parameters)| {
            let namespace = format!("run {nth}");
            Content::new(&Parameters { namespace, ..parameters }).unwrap()
        });
        contents.collect()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn leftovers_of_an_earlier_run_are_called_stale_with_the_run_and_the_unit_there(
        contents in contents(4),
        which in 0..3usize,
        generation: u16,
        cell in 0..1u64 << 40,
        range in sectors(),
    ) {
        let (content, earlier) = contents.split_first().unwrap();
        let offset = cell * CELL_BYTES as u64;
        let mut bytes = filled(content, 1, offset, LENGTH);
        bytes[range.clone()].copy_from_slice(&filled(&earlier[which], generation, offset, LENGTH)[range.clone()]);
        let unit_bytes = earlier[which].parameters().unit_bytes;
        let faults = Diagnosis::of(content).earlier(earlier).unwrap().run(1, offset, &bytes);
        for fault in &faults {
            let FaultKind::StaleRun { run, place } = &fault.kind else { panic!("{fault:?}") };
            prop_assert_eq!((*run, place.generation, place.offset_in_unit), (which, generation, fault.offset % unit_bytes));
            let unit = fault.offset / unit_bytes;
            prop_assert!(place.units.contains(&unit) || place.unit_count > MAX_CANDIDATE_UNITS as u64);
        }
        prop_assert_eq!(faults.iter().map(|fault| fault.length).sum::<u64>(), range.len() as u64);
        // Without the key they are anybody's.
        prop_assert_eq!(content.diagnose(1, offset, &bytes), fault(offset, &range, FaultKind::Foreign));
    }
}

#[test]
fn a_sector_half_of_this_run_and_half_of_an_earlier_one_is_torn_and_names_the_run() {
    let content = |seed| Content::new(&Parameters { seed, ..Parameters::default() }).unwrap();
    let earlier = [content(1), content(2)];
    let mut bytes = filled(&content(0), 0, 4096, SECTOR_BYTES);
    bytes[256..].copy_from_slice(&filled(&earlier[1], 0, 4096 + 256, 256));
    let place = Place { units: vec![0], unit_count: 1, offset_in_unit: 4096 + 256, generation: 0 };
    let parts = vec![
        Part { offset: 4096, length: 256, kind: None },
        Part { offset: 4352, length: 256, kind: Some(FaultKind::StaleRun { run: 1, place }) },
    ];
    let faults = Diagnosis::of(&content(0)).earlier(&earlier).unwrap().run(0, 4096, &bytes);
    assert_eq!(faults, fault(4096, &(0..SECTOR_BYTES), FaultKind::Torn { parts, part_count: 2 }));
}

#[test]
fn bytes_that_this_run_made_are_never_blamed_on_an_earlier_one_with_the_same_key() {
    let content = Content::new(&Parameters::default()).unwrap();
    let same = [content.clone()];
    let bytes = filled(&content, 0, 0, SECTOR_BYTES);
    let faults = Diagnosis::of(&content).earlier(&same).unwrap().run(1, 0, &bytes);
    assert_eq!(faults, fault(0, &(0..SECTOR_BYTES), FaultKind::Stale { generation: 0 }));
}

#[test]
fn more_earlier_runs_than_can_be_looked_for_in_bounded_time_are_refused() {
    let content = Content::new(&Parameters::default()).unwrap();
    let earlier = vec![content.clone(); MAX_EARLIER_RUNS + 1];
    let error = Diagnosis::of(&content).earlier(&earlier).unwrap_err();
    assert_eq!(error, DiagnosisError::EarlierRuns { given: 17 });
    assert!(error.to_string().contains("17"));
    assert!(Diagnosis::of(&content).earlier(&earlier[1..]).is_ok());
}
