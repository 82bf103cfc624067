//! What a limit on CPU time means for lanes: threads that are to run all the time beyond it are stopped again and
//! again, all together, in the middle of their work.

use crate::cgroup;
use crate::error::Result;
use crate::placement::{Placement, PlacementOptions, Share, place};
use crate::topology::Topology;

/// Places lanes, on this machine no more of them than its groups' CPU quota keeps running; with a note where that took
/// lanes away.
///
/// # Errors
/// Those of [`place`].
pub fn place_within_limits(topology: &Topology, options: &PlacementOptions) -> Result<(Placement, Option<String>)> {
    let quota_milli = if topology.is_this_machine { cgroup::cpu_quota_milli() } else { None };
    place_within(topology, options, quota_milli)
}

/// A quota is that of the group, which agents who share out a host are in together.
fn place_within(
    topology: &Topology,
    options: &PlacementOptions,
    quota_milli: Option<u64>,
) -> Result<(Placement, Option<String>)> {
    let placement = place(topology, options)?;
    let Some(quota_milli) = quota_milli else { return Ok((placement, None)) };
    let Share { of, .. } = options.share;
    let most = ((quota_milli / 1000) as usize / of).max(1);
    let lanes = placement.lane_count();
    if lanes <= most {
        return Ok((placement, None));
    }
    let placement = place(topology, &PlacementOptions { max_lanes: Some(most), ..options.clone() })?;
    let whose = if of > 1 { format!(", for {of} agents") } else { String::new() };
    let note = format!(
        "{most} lanes instead of {lanes}: the cgroup's CPU quota is {:.1} CPUs{whose}, and more would be stopped again \
         and again",
        quota_milli as f64 / 1000.0
    );
    Ok((placement, Some(note)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::TopologySource;

    fn lanes(quota_milli: Option<u64>, of: usize) -> (usize, Option<String>) {
        let topology = Topology::load(&TopologySource::Synthetic("numa:2 core:4 pu:2".into())).unwrap();
        let options = PlacementOptions { share: Share { index: 0, of }, ..PlacementOptions::default() };
        let (placement, note) = place_within(&topology, &options, quota_milli).unwrap();
        (placement.lane_count(), note)
    }

    #[test]
    fn a_quota_takes_the_lanes_away_that_it_would_stop_and_says_so() {
        assert_eq!(lanes(None, 1), (8, None));
        assert_eq!(lanes(Some(8000), 1), (8, None));
        assert_eq!(lanes(Some(64_000), 1), (8, None));
        let (few, note) = lanes(Some(3500), 1);
        assert_eq!(few, 3);
        assert!(note.unwrap().contains("3 lanes instead of 8"));
        assert_eq!(lanes(Some(100), 1).0, 1);
    }

    #[test]
    fn agents_of_one_host_share_out_the_quota() {
        assert_eq!(lanes(Some(4000), 2).0, 2);
        assert_eq!(lanes(Some(8000), 2), (4, None));
    }
}
