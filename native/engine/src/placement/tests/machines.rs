//! Machines for property tests: as hwloc describes them, from files, and such as hwloc has no description for.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::topology::{Allowed, Cache, Core, CoreKind, Distances, NumaNode, Package, Pu, Topology, TopologySource};

/// Machines as hwloc makes them from a description.
pub fn described() -> impl Strategy<Value = Topology> {
    let counts = (1_usize..4, 1_usize..4, 1_usize..4, 1_usize..5, 1_usize..4);
    counts.prop_map(|(packages, nodes, l3, cores, pus)| {
        let text = format!("package:{packages} numa:{nodes} l3:{l3} core:{cores} pu:{pus}");
        Topology::load(&TopologySource::Synthetic(text)).unwrap()
    })
}

/// Large machines as hwloc makes them: 1,024 PUs and more.
pub fn large() -> impl Strategy<Value = Topology> {
    (4_usize..9, 1_usize..5, 2_usize..5, 8_usize..17, 1_usize..3).prop_filter_map("too small", |counts| {
        let (packages, nodes, l3, cores, pus) = counts;
        let text = format!("package:{packages} numa:{nodes} l3:{l3} core:{cores} pu:{pus}");
        let is_large = packages * nodes * l3 * cores * pus >= 1024;
        is_large.then(|| Topology::load(&TopologySource::Synthetic(text)).unwrap())
    })
}

/// Every machine that there is a file of, whole or as an administrator or a batch scheduler left it.
pub fn from_files() -> impl Strategy<Value = Topology> {
    static FILES: LazyLock<Vec<Topology>> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/topologies");
        let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let machines = paths.filter(|path| path.extension().is_some_and(|extension| extension == "xml"));
        machines.map(|path| Topology::load(&TopologySource::XmlFile(path)).unwrap()).collect()
    });
    (0..FILES.len(), prop_oneof![1 => Just(None), 4 => any::<u64>().prop_map(Some)]).prop_map(|(at, seed)| {
        let machine = FILES[at].clone();
        match seed {
            None => machine,
            Some(seed) => cut_down(machine, seed),
        }
    })
}

/// The machine with some PUs switched off, some not allowed, some nodes without memory or off limits, and some cores
/// of another kind: which ones, and whether at all, the seed fixes.
fn cut_down(mut machine: Topology, seed: u64) -> Topology {
    let mut random = Random(seed);
    let mut some = |all: Vec<u32>| -> BTreeSet<u32> {
        let eighths = [0, 0, 1, 4, 7][random.below(5)];
        all.into_iter().filter(|_| random.below(8) < eighths).collect()
    };
    let pus = |machine: &Topology| machine.pus.iter().map(|pu| pu.os_index).collect::<Vec<u32>>();
    let nodes = |machine: &Topology| machine.numa_nodes.iter().map(|node| node.os_index).collect::<Vec<u32>>();
    let off = some(pus(&machine));
    switch_off(&mut machine, &off);
    let forbidden = some(pus(&machine));
    machine.allowed.pus.retain(|pu| !forbidden.contains(pu));
    let forbidden = some(nodes(&machine));
    machine.allowed.nodes.retain(|node| !forbidden.contains(node));
    let bare = some(nodes(&machine));
    machine.numa_nodes.iter_mut().filter(|node| bare.contains(&node.os_index)).for_each(|node| node.memory_bytes = 0);
    let memory_only = some(nodes(&machine));
    machine
        .numa_nodes
        .iter_mut()
        .filter(|node| memory_only.contains(&node.os_index))
        .for_each(|node| node.cpuset.clear());
    let kinds = 1 + seed as usize % 3;
    machine.core_kinds = (0..kinds)
        .map(|at| CoreKind {
            speed: (!seed.is_multiple_of(7)).then_some(at as u32),
            infos: Vec::new(),
            pus: Vec::new(),
        })
        .collect();
    let slow = some((0..machine.cores.len() as u32).collect());
    for (at, core) in machine.cores.iter_mut().enumerate() {
        core.kind = (!seed.is_multiple_of(5)).then_some(if slow.contains(&(at as u32)) { 0 } else { at % kinds });
    }
    machine.link_cores_to_nodes();
    machine
}

/// Takes PUs out of the machine as hwloc does when they are off-line: they stay in the complete set alone.
fn switch_off(machine: &mut Topology, off: &BTreeSet<u32>) {
    let keep = |pus: &mut Vec<u32>| pus.retain(|pu| !off.contains(pu));
    machine.packages.iter_mut().for_each(|package| keep(&mut package.cpuset));
    machine.numa_nodes.iter_mut().for_each(|node| keep(&mut node.cpuset));
    machine.caches.iter_mut().for_each(|cache| keep(&mut cache.pus));
    machine.cores.iter_mut().for_each(|core| keep(&mut core.pus));
    keep(&mut machine.allowed.pus);
    // A core whose PUs are all off-line is no object of hwloc any more.
    let mut position = vec![None; machine.cores.len()];
    let mut left = 0;
    for (at, core) in machine.cores.iter().enumerate() {
        if !core.pus.is_empty() {
            position[at] = Some(left);
            left += 1;
        }
    }
    machine.cores.retain(|core| !core.pus.is_empty());
    machine.pus.retain(|pu| !off.contains(&pu.os_index));
    machine.pus.iter_mut().for_each(|pu| pu.core = position[pu.core].expect("a core with a PU is kept"));
}

/// One node of a machine made by hand: threads of each core, bytes of memory, whether its cores share an L3.
type NodeShape = (Vec<usize>, u64, bool);

/// Machines that hwloc has no description for: nodes without CPUs, without memory, of unequal size, PUs numbered in
/// any order, anything not allowed.
pub fn made_by_hand() -> impl Strategy<Value = Topology> {
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
    let allowed = Allowed { pus: (0..pu_count as u32).collect(), nodes: (0..node_numbers.len() as u32).collect() };
    let mut machine = Topology { name: "made by hand".into(), allowed, ..Topology::default() };
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
                machine.cores.push(Core { pus, package, l3, ..Core::default() });
            }
            cpuset.sort_unstable();
            of_package.extend(&cpuset);
            if l3.is_some() {
                machine.caches.push(Cache { level: 3, size_bytes: 32 << 20, pus: cpuset.clone() });
            }
            let os_index = node_numbers.pop().unwrap();
            let package = Some(package);
            let node = NumaNode { os_index, memory_bytes: *memory_bytes, cpuset, package, ..NumaNode::default() };
            machine.numa_nodes.push(node);
        }
        of_package.sort_unstable();
        machine.packages.push(Package { os_index: Some(package as u32), model: None, cpuset: of_package });
    }
    machine.link_cores_to_nodes();
    machine
}

/// 0..count in an order that the seed fixes.
pub fn shuffled(count: usize, seed: u64) -> Vec<u32> {
    let mut random = Random(seed);
    let mut numbers: Vec<u32> = (0..count as u32).collect();
    for at in (1..count).rev() {
        numbers.swap(at, random.below(at + 1));
    }
    numbers
}

/// A linear congruential generator (Knuth's constants), so that a seed is all that proptest has to shrink.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}
