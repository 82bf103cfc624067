//! Takes cores away from pools and picks those that get lanes: reserve, share, spread over caches. Knows cores only
//! as positions in the machine's list.

use std::collections::BTreeMap;

use super::{Pool, Share};
use crate::topology::Topology;

/// Takes `count` cores off and gives them, ascending: each time the first of the slowest kind, of the pool that has
/// most, so that pools stay alike. When none would be left, nothing is taken and the number of cores is the error.
pub(super) fn reserve(topology: &Topology, pools: &mut Vec<Pool>, count: usize) -> Result<Vec<usize>, usize> {
    let cores = pools.iter().map(|pool| pool.cores.len()).sum::<usize>();
    if count >= cores {
        return Err(cores);
    }
    let mut taken = vec![0; pools.len()];
    for _ in 0..count {
        let left = |at: &usize| (pools[*at].cores.len() - taken[*at], usize::MAX - at);
        if let Some(at) = (0..pools.len()).max_by_key(left) {
            taken[at] += 1;
        }
    }
    let mut reserved = Vec::with_capacity(count);
    for (pool, taken) in pools.iter_mut().zip(taken) {
        let slowest_first = by_speed(topology, &pool.cores).into_values().flatten();
        let from = reserved.len();
        reserved.extend(slowest_first.take(taken));
        pool.cores.retain(|core| !reserved[from..].contains(core));
    }
    pools.retain(|pool| !pool.cores.is_empty());
    reserved.sort_unstable();
    Ok(reserved)
}

/// Cores by the speed of their kind, slowest first; what is unknown counts as slowest.
fn by_speed(topology: &Topology, cores: &[usize]) -> BTreeMap<u32, Vec<usize>> {
    let speed = |core: usize| topology.core_kinds.get(topology.cores[core].kind?)?.speed;
    let mut groups: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for core in cores {
        groups.entry(speed(*core).unwrap_or(0)).or_default().push(*core);
    }
    groups
}

/// Leaves one agent's share of the cores: neighbours in the order of the pools.
pub(super) fn share(pools: &mut Vec<Pool>, Share { index, of }: Share) {
    let cores = pools.iter().map(|pool| pool.cores.len()).sum::<usize>();
    let (first, end) = if of <= cores {
        let cut = |at: usize| (at as u128 * cores as u128 / of as u128) as usize;
        (cut(index), cut(index + 1))
    } else {
        (index % cores, index % cores + 1)
    };
    let mut at = 0;
    for pool in pools.iter_mut() {
        pool.cores.retain(|_| {
            at += 1;
            (first..end).contains(&(at - 1))
        });
    }
    pools.retain(|pool| !pool.cores.is_empty());
}

/// How many lanes each pool gets that has room for so many: at most `per_pool` each and `total` in all, one more for
/// each pool in turn.
pub(super) fn limits(rooms: &[usize], per_pool: Option<usize>, total: Option<usize>) -> Vec<usize> {
    let rooms: Vec<usize> = rooms.iter().map(|room| per_pool.unwrap_or(usize::MAX).min(*room)).collect();
    let mut left = total.unwrap_or(usize::MAX).min(rooms.iter().sum());
    let mut limits = vec![0; rooms.len()];
    while left > 0 {
        for (limit, room) in limits.iter_mut().zip(&rooms) {
            if left > 0 && *limit < *room {
                *limit += 1;
                left -= 1;
            }
        }
    }
    limits
}

/// The (core, PU) of each lane of a pool, in the order of cores. When there are fewer than it has room for, a core's
/// second thread is used only when every core has one lane, a slower kind of cores only when every faster core has one,
/// and lanes are spread over the pool's L3 caches.
pub(super) fn lanes(
    topology: &Topology,
    pool: &Pool,
    limit: usize,
    pus: impl Fn(usize) -> Vec<u32>,
) -> Vec<(usize, u32)> {
    let mut left = limit;
    let mut chosen = Vec::new();
    for thread in 0.. {
        let cores: Vec<usize> = pool.cores.iter().copied().filter(|core| pus(*core).len() > thread).collect();
        if cores.is_empty() || left == 0 {
            break;
        }
        for cores in by_speed(topology, &cores).into_values().rev() {
            let cores = if cores.len() <= left { cores } else { spread(group_by_cache(topology, &cores), left) };
            left -= cores.len();
            chosen.extend(cores.into_iter().map(|core| (core, thread)));
        }
    }
    chosen.sort_unstable();
    chosen.into_iter().map(|(core, thread)| (core, pus(core)[thread])).collect()
}

/// Cores that share an L3 (or else an L2) are one group; a core that shares none is its own.
fn group_by_cache(topology: &Topology, cores: &[usize]) -> Vec<Vec<usize>> {
    let mut groups: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
    for core in cores {
        let of = &topology.cores[*core];
        let group = match (of.l3, of.l2) {
            (Some(l3), _) => (0, l3),
            (None, Some(l2)) => (1, l2),
            (None, None) => (2, *core),
        };
        groups.entry(group).or_default().push(*core);
    }
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort_unstable();
    groups
}

/// Picks `count` members, as evenly over the groups, and over each group, as can be. `count` is less than all.
fn spread(groups: Vec<Vec<usize>>, count: usize) -> Vec<usize> {
    let mut quotas = vec![0; groups.len()];
    let mut left = count;
    while left > 0 {
        let open: Vec<usize> = (0..groups.len()).filter(|at| quotas[*at] < groups[*at].len()).collect();
        if open.is_empty() {
            break;
        }
        // One each when all can have one more, else every so many.
        let round = left.min(open.len());
        for nth in 0..round {
            quotas[open[nth * open.len() / round]] += 1;
        }
        left -= round;
    }
    let picks = |(group, quota): (&Vec<usize>, &usize)| {
        (0..*quota).map(|nth| group[nth * group.len() / quota]).collect::<Vec<usize>>()
    };
    groups.iter().zip(&quotas).flat_map(picks).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_on_all_lanes_is_shared_out_by_the_pools() {
        assert_eq!(limits(&[4, 1, 8], None, None), [4, 1, 8]);
        assert_eq!(limits(&[4, 1, 8], Some(3), None), [3, 1, 3]);
        assert_eq!(limits(&[4, 1, 8], None, Some(6)), [3, 1, 2]);
        assert_eq!(limits(&[4, 1, 8], Some(2), Some(100)), [2, 1, 2]);
        assert_eq!(limits(&[4, 4, 4], None, Some(2)), [1, 1, 0]);
    }

    #[test]
    fn lanes_are_spread_over_caches_and_not_packed_into_the_first() {
        let groups = vec![vec![0, 1, 2, 3], vec![4, 5, 6, 7], vec![8, 9], vec![10]];
        assert_eq!(spread(groups.clone(), 2), [0, 8]);
        assert_eq!(spread(groups.clone(), 4), [0, 4, 8, 10]);
        assert_eq!(spread(groups.clone(), 6), [0, 2, 4, 6, 8, 10]);
        assert_eq!(spread(groups, 10), [0, 1, 2, 3, 4, 5, 6, 8, 9, 10]);
    }
}
