//! What holds of a placement on any machine, with any options.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::machines::{described, from_files, large, made_by_hand, shuffled};
use crate::topology::{Core, NumaNode};

fn machines() -> impl Strategy<Value = Topology> {
    prop_oneof![1 => described(), 4 => made_by_hand(), 2 => from_files()]
}

fn options() -> impl Strategy<Value = PlacementOptions> {
    let limit = prop_oneof![2 => Just(None), 1 => (1_usize..6).prop_map(Some)];
    let limits = (limit, prop_oneof![2 => Just(None), 1 => (1_usize..12).prop_map(Some)]);
    let nodes = prop_oneof![2 => Just(None), 1 => vec(0_u32..8, 1..4).prop_map(Some)];
    let share = (1_usize..9).prop_flat_map(|of| (0..of, Just(of)));
    let other = (limits, any::<bool>(), 0_usize..4, nodes, share);
    other.prop_map(|((lanes_per_pool, max_lanes), smt, reserve_cores, nodes, share)| PlacementOptions {
        lanes_per_pool,
        max_lanes,
        smt,
        reserve_cores,
        nodes,
        share: Share { index: share.0, of: share.1 },
    })
}

fn cores_used(placement: &Placement) -> Vec<usize> {
    let mut cores: Vec<usize> = placement.pools.iter().flat_map(|pool| &pool.lanes).map(|lane| lane.core).collect();
    cores.dedup();
    cores
}

fn usable_cores(machine: &Topology) -> BTreeSet<usize> {
    let usable = |core: &Core| core.pus.iter().any(|pu| machine.is_pu_allowed(*pu));
    machine.cores.iter().enumerate().filter(|(_, core)| usable(core)).map(|(at, _)| at).collect()
}

fn speed(machine: &Topology, core: usize) -> u32 {
    machine.cores[core].kind.and_then(|kind| machine.core_kinds[kind].speed).unwrap_or(0)
}

/// Asserts what no placement may ever break.
fn assert_sound(machine: &Topology, options: &PlacementOptions) -> std::result::Result<(), TestCaseError> {
    let Ok(placement) = place(machine, options) else { return Ok(()) };
    prop_assert!(!placement.pools.is_empty());
    let mut pus = BTreeSet::new();
    let mut lanes_of_core: BTreeMap<usize, usize> = BTreeMap::new();
    let mut next = 0;
    for pool in &placement.pools {
        prop_assert!(!pool.lanes.is_empty());
        prop_assert!(options.lanes_per_pool.is_none_or(|limit| pool.lanes.len() <= limit));
        prop_assert!(options.nodes.as_ref().is_none_or(|nodes| nodes.contains(&pool.numa_node)));
        let node = machine.numa_node(pool.numa_node).unwrap();
        let has_memory = |node: &NumaNode| node.memory_bytes > 0 && machine.is_node_allowed(node.os_index);
        let memory = machine.numa_node(pool.memory_node).unwrap();
        prop_assert!(has_memory(memory) || !machine.numa_nodes.iter().any(has_memory));
        prop_assert!(!has_memory(node) || pool.memory_node == pool.numa_node);
        for lane in &pool.lanes {
            prop_assert_eq!(lane.index, next);
            next += 1;
            prop_assert!(pus.insert(lane.pu), "PU {} twice", lane.pu);
            prop_assert!(machine.is_pu_allowed(lane.pu));
            prop_assert!(machine.pus.iter().any(|pu| pu.os_index == lane.pu && pu.core == lane.core), "off-line");
            let is_homeless = machine.cores[lane.core].numa_nodes.is_empty();
            prop_assert!(node.cpuset.contains(&lane.pu) || is_homeless, "PU {} is of another node", lane.pu);
            prop_assert!(machine.cores[lane.core].pus.contains(&lane.pu));
            prop_assert!(placement.reserved_cores.binary_search(&lane.core).is_err(), "a lane on a reserved core");
            *lanes_of_core.entry(lane.core).or_default() += 1;
        }
    }
    prop_assert_eq!(placement.reserved_cores.len(), options.reserve_cores);
    prop_assert!(options.max_lanes.is_none_or(|limit| placement.lane_count() <= limit));
    prop_assert!(options.smt || lanes_of_core.values().all(|lanes| *lanes == 1));
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_lane_is_where_it_must_not_be(machine in machines(), options in options()) {
        assert_sound(&machine, &options)?;
    }

    #[test]
    fn shares_are_disjoint_and_together_all_cores(machine in machines(), smt: bool, of in 1_usize..40) {
        let usable = usable_cores(&machine);
        let shares: Vec<_> = (0..of).map(|index| {
            place(&machine, &PlacementOptions { smt, share: Share { index, of }, ..Default::default() })
        }).collect();
        if usable.is_empty() {
            prop_assert!(shares.iter().all(|share| share.as_ref().is_err_and(|error| error.code == Code::NoCores)));
            return Ok(());
        }
        let used: Vec<usize> = shares.iter().flat_map(|share| cores_used(share.as_ref().unwrap())).collect();
        prop_assert_eq!(used.iter().copied().collect::<BTreeSet<_>>(), usable.clone());
        // One more than needed only when agents outnumber cores, and then each has exactly one.
        prop_assert_eq!(used.len(), usable.len().max(of));
        let sizes: Vec<usize> = shares.iter().map(|share| cores_used(share.as_ref().unwrap()).len()).collect();
        prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
    }

    #[test]
    fn reserving_costs_exactly_the_cores_asked_for(machine in machines(), reserve_cores in 0_usize..20) {
        let usable = usable_cores(&machine).len();
        match place(&machine, &PlacementOptions { reserve_cores, ..Default::default() }) {
            Ok(placement) => prop_assert_eq!(placement.lane_count(), usable - reserve_cores),
            Err(error) => {
                prop_assert_eq!(error.code, Code::NoCores);
                prop_assert!(usable <= reserve_cores);
            }
        }
    }

    #[test]
    fn limited_lanes_go_to_fast_cores_first_and_are_spread_over_caches(machine in machines(), limit in 1_usize..12) {
        let all = place(&machine, &PlacementOptions::default());
        let few = place(&machine, &PlacementOptions { lanes_per_pool: Some(limit), ..Default::default() });
        let (Ok(all), Ok(few)) = (all, few) else { return Ok(()) };
        for (all, few) in all.pools.iter().zip(&few.pools) {
            prop_assert_eq!(few.lanes.len(), all.lanes.len().min(limit));
            let used: BTreeSet<usize> = few.lanes.iter().map(|lane| lane.core).collect();
            let slowest_used = used.iter().map(|core| speed(&machine, *core)).min().unwrap();
            // Lanes and cores by cache, of the kind that has lanes on some of its cores only.
            let mut caches: BTreeMap<usize, (usize, usize)> = BTreeMap::new();
            for lane in &all.lanes {
                let speed = speed(&machine, lane.core);
                prop_assert!(speed <= slowest_used || used.contains(&lane.core), "a fast core left idle");
                if speed == slowest_used && let Some(l3) = lane.l3 {
                    let (lanes, cores) = caches.entry(l3).or_default();
                    *lanes += usize::from(used.contains(&lane.core));
                    *cores += 1;
                }
            }
            let most = caches.values().map(|(lanes, _)| *lanes).max().unwrap_or(0);
            let is_even = |(lanes, cores): &(usize, usize)| lanes + 1 >= most || lanes == cores;
            prop_assert!(caches.values().all(is_even), "{caches:?}");
        }
    }

    #[test]
    fn slow_cores_are_reserved_before_fast_ones(machine in machines(), reserve_cores in 1_usize..20) {
        let all = place(&machine, &PlacementOptions::default());
        let most = place(&machine, &PlacementOptions { reserve_cores, ..Default::default() });
        let (Ok(all), Ok(most)) = (all, most) else { return Ok(()) };
        for pool in &all.pools {
            let (reserved, kept): (Vec<usize>, Vec<usize>) = pool
                .lanes
                .iter()
                .map(|lane| lane.core)
                .partition(|core| most.reserved_cores.binary_search(core).is_ok());
            let fastest_reserved = reserved.iter().map(|core| speed(&machine, *core)).max().unwrap_or(0);
            prop_assert!(kept.iter().all(|core| speed(&machine, *core) >= fastest_reserved));
        }
    }

    #[test]
    fn other_numbers_for_the_same_pus_change_nothing(machine in machines(), options in options(), seed: u64) {
        let numbers = shuffled(machine.pus.iter().map(|pu| pu.os_index as usize + 1).max().unwrap_or(0), seed);
        let mut renumbered = machine.clone();
        let renumber = |pus: &mut Vec<u32>| pus.iter_mut().for_each(|pu| *pu = numbers[*pu as usize]);
        renumbered.cores.iter_mut().for_each(|core| renumber(&mut core.pus));
        for set in renumbered.numa_nodes.iter_mut().map(|node| &mut node.cpuset).chain([&mut renumbered.allowed.pus]) {
            renumber(set);
            set.sort_unstable();
        }
        renumbered.pus.iter_mut().for_each(|pu| pu.os_index = numbers[pu.os_index as usize]);
        let expected = place(&machine, &options).map(|mut placement| {
            placement.pools.iter_mut().flat_map(|pool| &mut pool.lanes).for_each(|lane| lane.pu = numbers[lane.pu as usize]);
            placement
        });
        prop_assert_eq!(place(&renumbered, &options), expected);
    }
}

proptest! {
    // These machines take their time to make and to place.
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn a_thousand_pus_and_more_are_placed_like_few(machine in large(), options in options()) {
        prop_assert!(machine.pus.len() >= 1024);
        assert_sound(&machine, &options)?;
        let all = place(&machine, &PlacementOptions { smt: true, ..Default::default() }).unwrap();
        prop_assert_eq!(all.lane_count(), machine.pus.len());
    }
}
