//! Stages that look at names and not into objects: stat and list. What is missing or not as long as it must be is a finding,
//! as a verify would make it; a name that the layout does not make is counted, told and left alone. One call at a time a
//! lane. Must never open an object.

use std::ops::Range;
use std::path::PathBuf;

use super::claims::Claim;
use super::findings::FindingKind;
use super::lanes::{Flow, LaneRun};
use super::range::SeedRange;
use super::shared::{Shared, Sink};
use super::way::Way;
use crate::clock::now_ns;
use crate::error::{ErrorKind, Result};
use crate::layout::Listed;
use crate::sink::file::FileSink;
use crate::sink::metadata::ListCall;
use crate::sink::objects::ObjectSink;

/// Foreign names that a task tells; the others are counted.
pub(super) const MAX_FOREIGN: usize = 5;

impl Shared {
    /// The files of a task that works on names.
    pub(super) fn files(&self) -> &FileSink {
        match &self.sink {
            Sink::Objects(ObjectSink::Files(files)) => files,
            _ => unreachable!("refused when the task was prepared"),
        }
    }
}

impl Shared {
    /// Where a folder is, for messages; the run's own for none.
    fn path_of_folder(&self, folder: Option<u64>) -> PathBuf {
        match &self.sink {
            Sink::Store(store) => store.path_of_folder(folder),
            _ => self.files().path_of_folder(folder),
        }
    }
}

impl LaneRun<'_> {
    /// Asks for the length of a claim's object by its name.
    pub(super) fn stat(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        let shared = self.shared;
        let layout = &shared.spec.layout;
        let object = range.claims.object(claim.segment);
        let first = layout.units_of(object).start;
        let (is_local, is_owner) = (shared.files().is_local(), claim.units.start == first);
        // An object that several ranges share is looked at with its beginning, and by nobody else; but of one whose parts lie
        // on several hosts, each host has a file.
        if !is_local && !is_owner {
            return Flow::Continue(());
        }
        let submission = self.turn(range, 0)?;
        let found = match self.length_of(object) {
            Ok(found) => found,
            Err(error) => return self.fail(range, error),
        };
        self.count_now(shared.spec.class_of(0), submission, 0);
        let whole = layout.bytes_of(object);
        // Of a file that may lie on several hosts this one has at least what the range wrote.
        let least = if is_local { whole.min((claim.units.end - first) * layout.unit_bytes()) } else { whole };
        self.length_found(range, object, found, least);
        Flow::Continue(())
    }

    /// Compares an object's length, none for one that is not there, with what it must be.
    pub(super) fn length_found(&mut self, range: &SeedRange, object: u64, found: Option<u64>, least: u64) {
        let whole = self.shared.spec.layout.bytes_of(object);
        match found {
            None => self.wrong_object(range, object, FindingKind::Missing),
            Some(file_bytes) if file_bytes < least => {
                self.wrong_object(range, object, FindingKind::Truncated { file_bytes });
            }
            Some(file_bytes) if file_bytes > whole => {
                self.wrong_object(range, object, FindingKind::TooLong { file_bytes });
            }
            Some(_) => {}
        }
    }

    /// The one question that a stat asks a sink. `None`: the object is not there.
    fn length_of(&mut self, object: u64) -> Result<Option<u64>> {
        self.shared.files().stat(&mut self.at_hand, object)
    }

    /// Reads the folder of a claim, which is a whole folder's part of the range, and compares the names with the layout's.
    pub(super) fn list(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        let shared = self.shared;
        let layout = &shared.spec.layout;
        let nth = range.claims.object(claim.segment);
        let is_owner = claim.units.start == nth * layout.by_folder().units_per_object();
        let is_local = !self.is_on_store() && shared.files().is_local();
        if !is_local && !is_owner {
            return Flow::Continue(());
        }
        if layout.by_folder().objects() < layout.folders() {
            // Objects of unequal sizes share no border with folders: one claim has all of them.
            self.list_folder(range, None, 0..0)?;
            return (0..layout.folders())
                .try_for_each(|folder| self.list_folder(range, Some(folder), layout.objects_in(Some(folder))));
        }
        let folder = match layout.tree() {
            Some(tree) => Some(tree.directory_of(nth, tree.names)),
            None => (layout.folders() > 0).then_some(nth),
        };
        // Numbered folders lie in the run's own, which somebody has to read too.
        if nth == 0 && is_owner && folder.is_some() {
            self.list_folder(range, None, 0..0)?;
        }
        // On storage of its own a host has what was written there.
        let expected = if is_local { layout.objects_of(claim.units.clone()) } else { layout.objects_in(folder) };
        self.list_folder(range, folder, expected)
    }

    fn list_folder(&mut self, range: &SeedRange, folder: Option<u64>, expected: Range<u64>) -> Flow {
        let shared = self.shared;
        let layout = &shared.spec.layout;
        self.may_submit(range)?;
        let mut found = vec![false; (expected.end - expected.start) as usize];
        let (mut foreign, mut first_foreign) = (0, Vec::new());
        let name = |name: &[u8]| match layout.listed(folder, name) {
            Listed::Object(object) if expected.contains(&object) => found[(object - expected.start) as usize] = true,
            Listed::Object(_) | Listed::Folder(_) => {}
            Listed::Foreign => {
                foreign += 1;
                if first_foreign.len() < MAX_FOREIGN {
                    first_foreign.push(String::from_utf8_lossy(name).into_owned());
                }
            }
        };
        let listed = match &shared.sink {
            Sink::Store(_) => self.list_stored(folder, name),
            _ => shared.files().list(folder, name, |call| self.count_list(call)),
        };
        let is_there = match listed {
            Ok(is_there) => is_there,
            Err(error) => return self.fail(range, error),
        };
        self.since_ns = now_ns();
        self.cell.counters.folders.add(is_there.into());
        self.cell.counters.foreign.add(foreign);
        for name in first_foreign {
            shared.note_foreign(&shared.path_of_folder(folder).join(name));
        }
        for (object, _) in expected.zip(found).filter(|(_, is_found)| !is_found) {
            // What was never made is not missed.
            if !shared.spec.spared_objects.contains(&object) {
                self.wrong_object(range, object, FindingKind::Missing);
            }
        }
        Flow::Continue(())
    }

    /// Reads the names below a folder's key page by page. A store has no folders: what nothing lies below is empty.
    fn list_stored(&mut self, folder: Option<u64>, mut name: impl FnMut(&[u8])) -> Result<bool> {
        let below = folder.map_or_else(String::new, |folder| self.shared.spec.layout.folder_path(folder) + "/");
        let (mut page, mut any) = (None, false);
        loop {
            let start_ns = now_ns();
            let Some(Way::Store(store)) = &mut self.io else { unreachable!("the caller has looked") };
            let names = store.lane.names(&below, page).map_err(|error| {
                let path = self.shared.path_of_folder(folder);
                error.error.about(ErrorKind::List, &path)
            })?;
            any |= !names.names.is_empty();
            names.names.iter().for_each(|each| name(each.as_bytes()));
            self.count_list(ListCall { start_ns, done_ns: now_ns(), entries: names.names.len() as u64 });
            page = names.next;
            if page.is_none() {
                return Ok(any);
            }
        }
    }

    /// Counts a call that brought names: each name is an operation, and the call's time is what latency there is.
    fn count_list(&mut self, ListCall { start_ns, done_ns, entries }: ListCall) {
        let (service_ns, cell) = (done_ns - start_ns, self.cell);
        if start_ns < self.shared.control.counts_from_ns() {
            cell.counters.ramp_operations.add(entries);
        } else {
            let of_class = cell.classes.of(self.shared.spec.class_of(0));
            of_class.service.record(service_ns);
            of_class.operations.add(entries);
        }
        cell.counters.operations.add(entries);
        cell.counters.io_ns.add(service_ns);
        cell.note_done(done_ns);
    }
}
