//! The delete operation: removes objects, never anything that the layout does not name. Must never read what it removes.

use super::claims::Claim;
use super::lanes::{Flow, LaneRun};
use super::range::SeedRange;
use super::shared::Sink;
use crate::classes::{Class, OperationKind};
use crate::layout::Tree;
use crate::sink::file::FileSink;
use crate::sink::metadata::Removed;
use crate::sink::objects::ObjectSink;

const REMOVED: Class = Class::of(OperationKind::Delete, 0);

impl LaneRun<'_> {
    /// Removes the object of a claim, which is a whole segment.
    pub(super) fn remove(&mut self, range: &SeedRange, claim: &Claim) -> Flow {
        let object = range.claims.object(claim.segment);
        let spec = &self.shared.spec;
        if spec.spared_objects.contains(&object) {
            self.cell.counters.spared.add(1);
            return Flow::Continue(());
        }
        match &self.shared.sink {
            // An object that several ranges share is removed with its beginning, and by nobody else; but of one whose
            // parts lie on several hosts, each host has a file.
            Sink::Objects(ObjectSink::Files(sink))
                if sink.is_local() || claim.units.start == spec.layout.units_of(object).start =>
            {
                self.remove_object(range, sink, object)
            }
            // A device keeps its bytes; a store is asked by requests of which several are in flight.
            Sink::Objects(_) | Sink::Store(_) | Sink::Null => Flow::Continue(()),
            Sink::Memory(store) => {
                let submission = self.may_submit(range)?;
                let removed = claim.units.clone().filter(|unit| store.remove(*unit)).count();
                if removed > 0 {
                    self.count_now(REMOVED, submission, 0);
                } else {
                    self.cell.counters.absent.add(1);
                }
                Flow::Continue(())
            }
        }
    }

    fn remove_object(&mut self, range: &SeedRange, sink: &FileSink, object: u64) -> Flow {
        let submission = self.may_submit(range)?;
        let removed = match sink.remove(&mut self.at_hand, object) {
            Ok(Removed::Absent) => sink.remove_renamed(&mut self.at_hand, object),
            other => other,
        };
        match removed {
            Ok(Removed::Removed) => {
                self.count_now(REMOVED, submission, 0);
                Flow::Continue(())
            }
            Ok(Removed::Absent) => {
                self.cell.counters.absent.add(1);
                Flow::Continue(())
            }
            Err(error) => self.fail(range, error),
        }
    }

    /// Removes the numbered folders that the range's objects were in, where they are empty now: the last range to be
    /// done with a folder finds it so.
    pub(super) fn remove_folders(&mut self, range: &SeedRange) {
        let Some(sink) = self.shared.object_sink() else { return };
        let layout = &self.shared.spec.layout;
        if let Some(tree) = layout.tree() {
            return self.remove_directories(range, tree);
        }
        let objects = layout.objects_of(range.claims.units());
        let (first, last) = (layout.folder_of(objects.start), layout.folder_of(objects.end - 1));
        if let (Some(first), Some(last)) = (first, last) {
            for folder in first..=last {
                if let Err(error) = sink.remove_folder(folder) {
                    let _: Flow = self.fail(range, error);
                }
            }
        }
    }

    /// The same in a tree, for the directories in which the range's files lie, or lay before or after a rename.
    fn remove_directories(&mut self, range: &SeedRange, tree: &Tree) {
        let shared = self.shared;
        self.at_hand.put_back();
        for home in shared.spec.layout.by_folder().objects_of(range.claims.units()) {
            let here = tree.directory_of(home, tree.names);
            let next = tree.next.map(|next| tree.directory_of(home, next)).filter(|next| *next != here);
            for directory in [Some(here), next].into_iter().flatten() {
                match shared.files().remove_directory(directory) {
                    Ok(removed) => self.cell.counters.folders.add(removed),
                    Err(error) => {
                        let _: Flow = self.fail(range, error);
                    }
                }
            }
        }
    }
}
