//! What holds of a placement on any machine, with any options.

use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::topology::{Allowed, Cache, Core, Distances, NumaNode, Package, Pu, TopologySource};

/// Machines as hwloc makes them from a description.
fn described() -> impl Strategy<Value = Topology> {
    let counts = (1_usize..4, 1_usize..4, 1_usize..4, 1_usize..5, 1_usize..4);
    counts.prop_map(|(packages, nodes, l3, cores, pus)| {
        let text = format!("package:{packages} numa:{nodes} l3:{l3} core:{cores} pu:{pus}");
        Topology::load(&TopologySource::Synthetic(text)).unwrap()
    })
}

/// One node of a machine made by hand: threads of each core, bytes of memory, whether its cores share an L3.
type NodeShape = (Vec<usize>, u64, bool);

/// Machines that hwloc has no description for: nodes without CPUs, without memory, of unequal size, PUs numbered in
/// any order, anything not allowed.
fn made_by_hand() -> impl Strategy<Value = Topology> {
    let node = (vec(1_usize..4, 0..6), prop_oneof![Just(0_u64), Just(1 << 30)], any::<bool>());
    let shapes = vec(vec(node, 1..4), 1..4);
    (shapes, any::<u64>(), vec(any::<bool>(), 64), vec(any::<bool>(), 16), any::<bool>()).prop_map(
        |(shapes, seed, pus_allowed, nodes_allowed, with_distances)| {
            let mut machine = build(&shapes, seed);
            machine.allowed.pus.retain(|pu| pus_allowed[*pu as usize % 64]);
            machine.allowed.nodes.retain(|node| nodes_allowed[*node as usize % 16]);
            if with_distances {
                let nodes: Vec<u32> = machine.numa_nodes.iter().map(|node| node.os_index).collect();
                let values = (0..nodes.len() * nodes.len()).map(|at| 10 + (seed >> (at % 60)) % 30).collect();
                machine.distances = Some(Distances { nodes, values });
            }
            machine
        },
    )
}

fn build(shapes: &[Vec<NodeShape>], seed: u64) -> Topology {
    let pu_count: usize = shapes.iter().flatten().flat_map(|node| &node.0).sum();
    let mut numbers = shuffled(pu_count, seed);
    let mut node_numbers = shuffled(shapes.iter().map(Vec::len).sum(), seed.rotate_left(17));
    let mut machine = Topology {
        name: "made by hand".into(),
        is_this_machine: false,
        packages: Vec::new(),
        numa_nodes: Vec::new(),
        caches: Vec::new(),
        cores: Vec::new(),
        pus: Vec::new(),
        distances: None,
        allowed: Allowed { pus: (0..pu_count as u32).collect(), nodes: (0..node_numbers.len() as u32).collect() },
    };
    for (package, nodes) in shapes.iter().enumerate() {
        let mut of_package = Vec::new();
        for (cores, memory_bytes, shares_l3) in nodes {
            let l3 = shares_l3.then_some(machine.caches.len());
            let mut cpuset = Vec::new();
            for threads in cores {
                let core = machine.cores.len();
                let pus = numbers.split_off(numbers.len() - threads);
                machine.pus.extend(pus.iter().map(|pu| Pu { os_index: *pu, core }));
                cpuset.extend(&pus);
                let package = Some(package);
                machine.cores.push(Core {
                    os_index: None,
                    pus,
                    numa_node: None,
                    numa_nodes: vec![],
                    package,
                    l2: None,
                    l3,
                });
            }
            cpuset.sort_unstable();
            of_package.extend(&cpuset);
            if l3.is_some() {
                machine.caches.push(Cache { level: 3, size_bytes: 32 << 20, pus: cpuset.clone() });
            }
            let os_index = node_numbers.pop().unwrap();
            let node = NumaNode { os_index, memory_bytes: *memory_bytes, kind: None, cpuset, package: Some(package) };
            machine.numa_nodes.push(node);
        }
        of_package.sort_unstable();
        machine.packages.push(Package { os_index: Some(package as u32), cpuset: of_package });
    }
    machine.link_cores_to_nodes();
    machine
}

/// 0..count in an order that the seed fixes.
fn shuffled(count: usize, mut seed: u64) -> Vec<u32> {
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    for at in (1..count).rev() {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        numbers.swap(at, (seed >> 33) as usize % (at + 1));
    }
    numbers
}

fn machines() -> impl Strategy<Value = Topology> {
    prop_oneof![1 => described(), 4 => made_by_hand()]
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

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn no_lane_is_where_it_must_not_be(machine in machines(), options in options()) {
        let Ok(placement) = place(&machine, &options) else { return Ok(()) };
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
                prop_assert!(node.cpuset.contains(&lane.pu));
                prop_assert!(machine.cores[lane.core].pus.contains(&lane.pu));
                *lanes_of_core.entry(lane.core).or_default() += 1;
            }
        }
        prop_assert!(options.max_lanes.is_none_or(|limit| placement.lane_count() <= limit));
        prop_assert!(options.smt || lanes_of_core.values().all(|lanes| *lanes == 1));
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
    fn limited_lanes_are_spread_over_caches_as_evenly_as_can_be(machine in described(), limit in 1_usize..8) {
        let options = PlacementOptions { lanes_per_pool: Some(limit), ..Default::default() };
        let Ok(placement) = place(&machine, &options) else { return Ok(()) };
        for pool in &placement.pools {
            let mut lanes: BTreeMap<usize, usize> = BTreeMap::new();
            for core in machine.cores.iter().filter(|core| core.numa_node == Some(pool.numa_node)) {
                lanes.entry(core.l3.unwrap()).or_default();
            }
            for lane in &pool.lanes {
                *lanes.get_mut(&lane.l3.unwrap()).unwrap() += 1;
            }
            prop_assert!(lanes.values().max().unwrap() - lanes.values().min().unwrap() <= 1);
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
