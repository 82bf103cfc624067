//! Files that would end the process are errors, and what hwloc writes is not.

use std::path::Path;

use proptest::prelude::*;

use super::*;
use crate::topology::{Topology, TopologySource};

const SMALL: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<topology version="2.0">
  <object type="Machine" cpuset="0x3" complete_cpuset="0x7" nodeset="0x1" complete_nodeset="0x1">
    <object type="NUMANode" os_index="0" cpuset="0x3" complete_cpuset="0x7" nodeset="0x1" complete_nodeset="0x1"/>
    <object type="PU" os_index="0" cpuset="0x1" complete_cpuset="0x1" nodeset="0x1" complete_nodeset="0x1"/>
    <object type="PU" os_index="1" cpuset="0x2" complete_cpuset="0x2" nodeset="0x1" complete_nodeset="0x1"/>
    <info name="a &lt; b" value="c > d"/>
  </object>
</topology>
"#;

#[test]
fn a_whole_file_is_let_through() {
    assert_eq!(check(SMALL), Ok(()));
}

#[test]
fn what_hwloc_would_die_of_is_told_with_its_line() {
    let cases = [
        (r#"os_index="1" cpuset="0x2""#, r#"os_index="1""#, "line 6: a PU without cpuset"),
        (r#"cpuset="0x2" complete_cpuset"#, r#"cpuset="0x2" complewe_cpuset"#, "line 6: a PU without complete_cpuset"),
        (r#"os_index="1" cpuset="0x2""#, r#"os_index="1" cpuset="0xzz""#, "line 6: cpuset \"0xzz\" of a PU is no set"),
        (r#"os_index="1""#, r#"os_index="2""#, "line 6: a PU whose os_index is not its set"),
        (
            r#"cpuset="0x2" complete_cpuset="0x2""#,
            r#"cpuset="0x8" complete_cpuset="0x8""#,
            "line 6: a PU whose os_index",
        ),
        (
            r#"os_index="1" cpuset="0x2" complete_cpuset="0x2""#,
            r#"os_index="0" cpuset="0x1" complete_cpuset="0x1""#,
            "line 6: a second PU 0",
        ),
        (r#""PU" os_index="0""#, r#""Core" os_index="0""#, "line 5: a Core without all of its PUs"),
        (r#"0" cpuset="0x3""#, r#"0" cpuset="0x1""#, "line 4: a NUMANode whose CPUs are not those"),
        (
            r#"<object type="Machine""#,
            r#"<object type="Machine" allowed_cpuset="0xf""#,
            "line 3: a Machine that does not",
        ),
        (
            r#"nodeset="0x1" complete_nodeset="0x1">"#,
            r#"nodeset="0x3" complete_nodeset="0x3">"#,
            "its NUMA nodes are not",
        ),
        (r#"os_index="1""#, r#"os_index="1" gp_index="0""#, "line 6: a PU whose gp_index"),
        (r#""NUMANode""#, r#""Package""#, "line 4: a Package without all of its PUs"),
        (r#""NUMANode""#, r#""Teapot""#, "line 4: an object of unknown type Teapot"),
        (r#""Machine""#, r#""Package""#, "line 3: a Package where it cannot be"),
        (r#"os_index="1" cpuset"#, r#"os_index="1"cpuset"#, "line 6: a tag that is not well formed"),
        ("  </object>\n", "", "it ends within an object"),
        ("</topology>", "</object></topology>", "line 9: an object ends that did not begin"),
        (r#"version="2.0""#, "", "line 2: it was written by hwloc 1"),
    ];
    for (from, to, what) in cases {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL, "{from}");
        match check(&text) {
            Ok(()) => panic!("{to} is let through"),
            Err(why) => assert!(why.starts_with(NOT_WHOLE) && why.contains(what), "{to}: {why}"),
        }
    }
}

#[test]
fn sets_are_read_as_hwloc_writes_them() {
    let set = |text: &str| members(text).map(|set| set.into_iter().collect::<Vec<u32>>());
    assert_eq!(set("0x0"), Some(vec![]));
    assert_eq!(set("0x80000001"), Some(vec![0, 31]));
    assert_eq!(set("0x00000080,,0x0"), Some(vec![71]));
    for text in ["", "0x", "80", "0x123456789", "0xf...f", "0x1,", "-1"] {
        assert_eq!(set(text), None, "{text}");
    }
}

/// What happens to a line of a file: it goes, comes twice, or has a set, a number, a type or a letter changed.
fn edited(line: &str, how: usize, value: u32) -> String {
    let replaced = |from: &str, to: &str| match line.split_once(from) {
        Some((before, after)) => format!("{before}{to}{}", after.split_once('"').map_or("", |(_, after)| after)),
        None => line.to_owned(),
    };
    match how {
        0 => String::new(),
        1 => format!("{line}\n{line}"),
        2 => replaced("complete_cpuset=\"0x", &format!("complete_cpuset=\"{value:#x}\"")),
        3 => replaced("cpuset=\"0x", &format!("cpuset=\"{value:#x}\"")),
        4 => replaced("nodeset=\"0x", &format!("nodeset=\"{:#x}\"", value % 16)),
        5 => replaced("os_index=\"", &format!("os_index=\"{}\"", value % 32)),
        6 => replaced("type=\"", &format!("type=\"{}\"", NORMAL[value as usize % NORMAL.len()])),
        7 => line.replacen("complete_", "", 1),
        _ => line.chars().enumerate().filter(|(at, _)| *at != value as usize % 80).map(|(_, letter)| letter).collect(),
    }
}

proptest! {
    #[test]
    fn no_edited_file_ends_the_process(edits in proptest::collection::vec((0_usize..140, 0_usize..9, 0_u32..1 << 24), 1..4)) {
        let machines = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../test/topologies");
        let whole = std::fs::read_to_string(machines.join("by-hand-hybrid-hbm-cxl.xml")).unwrap();
        let mut lines: Vec<String> = whole.lines().map(str::to_owned).collect();
        for (at, how, value) in edits {
            let line = &mut lines[2 + at % (whole.lines().count() - 2)];
            *line = edited(line, how, value);
        }
        let file = std::env::temp_dir().join(format!("seedstorm-edited-{}.xml", std::process::id()));
        std::fs::write(&file, lines.join("\n")).unwrap();
        // Loaded or refused: either is well.
        let _ = Topology::load_with_devices(&TopologySource::XmlFile(file.clone()));
        std::fs::remove_file(&file).unwrap();
    }
}
