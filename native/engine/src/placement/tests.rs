//! Placement on real machines: what somebody would find wrong on a node that they know.

use std::path::Path;

use super::*;
use crate::topology::TopologySource;

mod machines;
mod properties;

fn machine(file: &str) -> Topology {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/topologies");
    Topology::load(&TopologySource::XmlFile(folder.join(file))).unwrap()
}

fn synthetic(description: &str) -> Topology {
    Topology::load(&TopologySource::Synthetic(description.into())).unwrap()
}

fn pus(pool: &PoolPlacement) -> Vec<u32> {
    pool.lanes.iter().map(|lane| lane.pu).collect()
}

fn nodes(placement: &Placement) -> Vec<u32> {
    placement.pools.iter().map(|pool| pool.numa_node).collect()
}

const EPYC: &str = "AMD-19h-Zen4-2xEpyc-9654.xml";
const GROUPS: &str = "192em64t-12gr2n8c2t.xml";
const CPUSET: &str = "16amd64-8n2c-cpusets.xml";

#[test]
fn two_epycs_get_a_lane_per_core_and_none_on_a_second_thread() {
    let placement = place(&machine(EPYC), &PlacementOptions::default()).unwrap();
    assert_eq!(nodes(&placement), [0, 1]);
    assert_eq!(pus(&placement.pools[0]), (0..96).collect::<Vec<u32>>());
    assert_eq!(pus(&placement.pools[1]), (96..192).collect::<Vec<u32>>());
    assert!(placement.pools.iter().all(|pool| pool.memory_node == pool.numa_node));
}

#[test]
fn second_threads_come_when_asked_for_and_sit_beside_their_siblings() {
    let options = PlacementOptions { smt: true, ..Default::default() };
    let placement = place(&machine(EPYC), &options).unwrap();
    assert_eq!(placement.lane_count(), 384);
    assert_eq!(pus(&placement.pools[1])[..4], [96, 288, 97, 289]);
    assert_eq!(placement.pools[0].lanes[0].core, placement.pools[0].lanes[1].core);
}

#[test]
fn few_lanes_on_an_epyc_are_spread_over_its_l3_caches() {
    let options = PlacementOptions { lanes_per_pool: Some(12), ..Default::default() };
    let placement = place(&machine(EPYC), &options).unwrap();
    for pool in &placement.pools {
        let mut caches: Vec<_> = pool.lanes.iter().map(|lane| lane.l3.unwrap()).collect();
        caches.dedup();
        assert_eq!(caches.len(), 12, "each of the 12 core complexes has its own L3");
    }
}

#[test]
fn few_lanes_with_smt_use_all_cores_before_any_second_thread() {
    let machine = machine(EPYC);
    let options = PlacementOptions { lanes_per_pool: Some(97), smt: true, ..Default::default() };
    let placement = place(&machine, &options).unwrap();
    for pool in &placement.pools {
        let mut cores: Vec<_> = pool.lanes.iter().map(|lane| lane.core).collect();
        assert_eq!(cores.len(), 97);
        cores.dedup();
        assert_eq!(cores.len(), 96);
    }
}

#[test]
fn twenty_four_sockets_make_twenty_four_pools_of_eight() {
    let machine = machine(GROUPS);
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    assert_eq!(placement.pools.len(), 24);
    for pool in &placement.pools {
        assert_eq!(pool.lanes.len(), 8);
        let node = machine.numa_node(pool.numa_node).unwrap();
        assert!(pus(pool).iter().all(|pu| node.cpuset.contains(pu)));
        assert_eq!(pool.memory_node, pool.numa_node);
    }
}

#[test]
fn under_a_cpuset_only_what_is_allowed_is_used() {
    let machine = machine(CPUSET);
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    let mut used: Vec<u32> = placement.pools.iter().flat_map(pus).collect();
    used.sort_unstable();
    assert_eq!(used, [0, 1, 2, 3, 5, 6, 12, 13, 14, 15]);
    assert_eq!(machine.allowed.nodes, [1, 2, 3, 4, 5]);
    assert!(placement.pools.iter().all(|pool| machine.is_node_allowed(pool.memory_node)));
    // Nodes 0, 6 and 7 have allowed CPUs, but their memory is off limits.
    let mut pools = nodes(&placement);
    pools.sort_unstable();
    assert_eq!(pools, [0, 1, 2, 3, 6, 7]);
    let own = placement.pools.iter().filter(|pool| pool.memory_node == pool.numa_node).count();
    assert_eq!(own, 3);
}

#[test]
fn a_machine_with_one_core_gets_one_lane() {
    let placement = place(&synthetic("pu:1"), &PlacementOptions::default()).unwrap();
    assert_eq!((placement.lane_count(), placement.pools[0].lanes[0].pu), (1, 0));
}

#[test]
fn memory_only_nodes_get_no_pool_and_cpu_only_nodes_use_the_nearest_memory() {
    let mut machine = synthetic("package:2 numa:2 core:2 pu:1");
    // Node 1 loses its memory, node 3 its CPUs.
    machine.numa_nodes[1].memory_bytes = 0;
    let orphans = std::mem::take(&mut machine.numa_nodes[3].cpuset);
    machine.allowed.pus.retain(|pu| !orphans.contains(pu));
    machine.link_cores_to_nodes();
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    assert_eq!(nodes(&placement), [0, 1, 2]);
    assert_eq!(placement.pools[1].memory_node, 0, "the other node of the same package");
    machine.distances = Some(crate::topology::Distances {
        nodes: vec![0, 1, 2, 3],
        values: vec![10, 30, 20, 20, 30, 10, 20, 12, 20, 20, 10, 20, 20, 12, 20, 10],
    });
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    assert_eq!(placement.pools[1].memory_node, 3, "the nearest by the machine's own distances");
}

#[test]
fn hbm_beside_dram_makes_one_pool_and_not_two_on_the_same_cores() {
    let mut machine = synthetic("package:2 numa:1 core:4 pu:2");
    for (at, mut node) in machine.numa_nodes.clone().into_iter().enumerate() {
        node.os_index = 2 + at as u32;
        node.kind = Some("HBM".into());
        machine.allowed.nodes.push(node.os_index);
        machine.numa_nodes.insert(at, node);
    }
    machine.link_cores_to_nodes();
    assert_eq!(nodes(&place(&machine, &PlacementOptions::default()).unwrap()), [0, 1]);
    let options = PlacementOptions { nodes: Some(vec![2, 3]), ..Default::default() };
    let placement = place(&machine, &options).unwrap();
    assert_eq!((nodes(&placement), placement.lane_count()), (vec![2, 3], 8), "asked for by name, HBM gets its cores");
}

#[test]
fn a_core_that_no_node_claims_still_works_for_its_package() {
    let mut machine = synthetic("package:2 numa:1 core:2 pu:1");
    machine.numa_nodes[1].cpuset.pop();
    machine.link_cores_to_nodes();
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    assert_eq!(placement.pools.iter().map(pus).collect::<Vec<_>>(), [vec![0, 1], vec![2, 3]]);
}

#[test]
fn reserved_cores_come_from_all_nodes_alike() {
    let options = PlacementOptions { reserve_cores: 3, ..Default::default() };
    let placement = place(&synthetic("numa:2 core:4 pu:1"), &options).unwrap();
    assert_eq!(placement.pools.iter().map(pus).collect::<Vec<_>>(), [vec![2, 3], vec![5, 6, 7]]);
}

#[test]
fn agents_share_a_host_in_slices_of_neighbours() {
    let machine = synthetic("numa:2 core:4 pu:2");
    let slice = |index, of| {
        let share = Share { index, of };
        place(&machine, &PlacementOptions { share, ..Default::default() }).unwrap().pools.iter().flat_map(pus).collect()
    };
    let slices: Vec<Vec<u32>> = (0..3).map(|index| slice(index, 3)).collect();
    assert_eq!(slices, [vec![0, 2], vec![4, 6, 8], vec![10, 12, 14]]);
    let two = synthetic("numa:1 core:2 pu:1");
    let on_two = |index| {
        let share = Share { index, of: 3 };
        place(&two, &PlacementOptions { share, ..Default::default() }).unwrap().pools.iter().flat_map(pus).collect()
    };
    let slices: Vec<Vec<u32>> = (0..3).map(on_two).collect();
    assert_eq!(slices, [vec![0], vec![1], vec![0]], "three agents on two cores");
}

const HYBRID: &str = "by-hand-hybrid-hbm-cxl.xml";

#[test]
fn slow_cores_get_lanes_too_unless_fewer_are_asked_for() {
    let machine = machine(HYBRID);
    let all = place(&machine, &PlacementOptions::default()).unwrap();
    assert_eq!(
        all.pools.iter().map(pus).collect::<Vec<_>>(),
        [vec![0, 4, 6, 8, 9, 10, 11], vec![12, 14, 16, 18, 20, 21, 22]]
    );
    let few = PlacementOptions { lanes_per_pool: Some(3), ..Default::default() };
    let few = place(&machine, &few).unwrap();
    assert_eq!(few.pools.iter().map(pus).collect::<Vec<_>>(), [vec![0, 4, 6], vec![12, 14, 16]], "fast ones only");
    let reserve = PlacementOptions { reserve_cores: 2, ..Default::default() };
    let reserve = place(&machine, &reserve).unwrap();
    assert_eq!(reserve.reserved_cores, [4, 12], "a slow core of each node");
}

#[test]
fn hbm_and_far_memory_get_no_pool_and_a_node_without_memory_borrows_dram() {
    let machine = machine(HYBRID);
    let placement = place(&machine, &PlacementOptions::default()).unwrap();
    let pools: Vec<_> = placement.pools.iter().map(|pool| (pool.numa_node, pool.memory_node)).collect();
    assert_eq!(pools, [(0, 0), (2, 0)]);
}

#[test]
fn what_cannot_be_placed_is_refused_by_name() {
    let machine = synthetic("numa:2 core:2 pu:1");
    let refused = |options: PlacementOptions| place(&machine, &options).unwrap_err();
    let error = refused(PlacementOptions { nodes: Some(vec![0, 7]), ..Default::default() });
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.what.contains("no NUMA node 7") && error.mend.contains("[0, 1]"), "{error}");
    let error = refused(PlacementOptions { reserve_cores: 4, ..Default::default() });
    assert_eq!(error.code, Code::NoCores);
    assert!(error.what.starts_with("4 of "), "{error}");
    let error = refused(PlacementOptions { lanes_per_pool: Some(3), ..Default::default() });
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(error.what.contains("3 lanes") && error.what.contains("room for 2"), "{error}");
    let error = refused(PlacementOptions { nodes: Some(vec![]), ..Default::default() });
    assert_eq!(error.code, Code::NoCores);
    for options in [
        PlacementOptions { lanes_per_pool: Some(0), ..Default::default() },
        PlacementOptions { share: Share { index: 0, of: 0 }, ..Default::default() },
        PlacementOptions { share: Share { index: 2, of: 2 }, ..Default::default() },
    ] {
        assert_eq!(refused(options).code, Code::InvalidArgument);
    }
    let mut forbidden = machine.clone();
    forbidden.allowed.pus.clear();
    assert_eq!(place(&forbidden, &PlacementOptions::default()).unwrap_err().code, Code::NoCores);
}

#[test]
fn a_machine_of_two_thousand_pus_is_placed_whole() {
    let placement = place(&synthetic("package:16 numa:2 l3:4 core:8 pu:2"), &PlacementOptions::default()).unwrap();
    assert_eq!((placement.pools.len(), placement.lane_count()), (32, 1024));
}
