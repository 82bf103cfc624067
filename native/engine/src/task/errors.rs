//! I/O errors of a task: which of them the plan lets pass, and how many there were of which kind, at which object, in
//! which lane. Only reached when something is wrong. Must never know what a range is.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::spec::Operation;
use crate::error::{Code, Error, ErrorKind};

/// How many rows of errors a task keeps; errors beyond them are counted by kind alone.
const MAX_ROWS: usize = 1000;

/// How many errors of each kind, in the order of [`ErrorKind::ALL`], a task lets pass, and how many of all kinds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ErrorLimits {
    /// Of each kind.
    pub of_kind: [u64; ErrorKind::ALL.len()],
    /// In all.
    pub in_all: u64,
}

/// Errors of one kind, at one object, in one lane.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorRow {
    /// What failed.
    pub kind: ErrorKind,
    /// The object's path; empty where it is not known, and where there are more rows than are kept.
    pub path: String,
    /// Number of the lane; `None` for the row that stands for those that are not kept.
    pub lane: Option<usize>,
    /// How many there were since the beginning.
    pub count: u64,
    /// The first of them.
    pub first: Error,
}

/// The errors of a task. Locked only when there is one.
#[derive(Debug)]
pub(super) struct Errors {
    limits: ErrorLimits,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    of_kind: [u64; ErrorKind::ALL.len()],
    in_all: u64,
    rows: HashMap<(ErrorKind, String, Option<usize>), Row>,
}

#[derive(Debug)]
struct Row {
    row: ErrorRow,
    /// Whether it changed since it was given out.
    fresh: bool,
}

impl Errors {
    pub(super) fn new(limits: ErrorLimits) -> Self {
        Self { limits, counted: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an error of a lane. `true`: the plan lets it pass.
    pub(super) fn count(&self, error: &Error, operation: Operation, lane: usize) -> bool {
        let Some(kind) = kind_of(error, operation) else { return false };
        let mut counted = self.lock();
        let at = kind.index();
        counted.of_kind[at] += 1;
        counted.in_all += 1;
        let passes = counted.of_kind[at] <= self.limits.of_kind[at] && counted.in_all <= self.limits.in_all;
        let path = error.about.as_ref().map_or_else(String::new, |about| about.path.to_string_lossy().into_owned());
        let key = (kind, path, Some(lane));
        let key = if counted.rows.contains_key(&key) || counted.rows.len() < MAX_ROWS {
            key
        } else {
            (kind, String::new(), None)
        };
        let (_, path, lane) = key.clone();
        let new = || Row { row: ErrorRow { kind, path, lane, count: 0, first: error.clone() }, fresh: true };
        let row = counted.rows.entry(key).or_insert_with(new);
        row.row.count += 1;
        row.fresh = true;
        passes
    }

    /// The rows that changed since the last call.
    pub(super) fn take(&self) -> Vec<ErrorRow> {
        let mut counted = self.lock();
        let fresh = counted.rows.values_mut().filter_map(|row| std::mem::take(&mut row.fresh).then(|| row.row.clone()));
        let mut rows: Vec<_> = fresh.collect();
        rows.sort_by(|a, b| (a.kind.index(), &a.path, a.lane).cmp(&(b.kind.index(), &b.path, b.lane)));
        rows
    }
}

/// What kind of I/O error it is; `None` for what is no error of the storage, which no plan lets pass.
fn kind_of(error: &Error, operation: Operation) -> Option<ErrorKind> {
    let by_operation = || match operation {
        Operation::Write | Operation::Mixed => Some(ErrorKind::Write),
        Operation::Read | Operation::Verify => Some(ErrorKind::Read),
        Operation::Delete => Some(ErrorKind::Delete),
        Operation::Stat => Some(ErrorKind::Stat),
        Operation::List => Some(ErrorKind::List),
        Operation::Mkdir => Some(ErrorKind::Mkdir),
        Operation::Create => Some(ErrorKind::Open),
        Operation::Rename => Some(ErrorKind::Rename),
        Operation::Generate => None,
    };
    match error.code {
        Code::DiskFull => Some(ErrorKind::Full),
        Code::ObjectMissing => Some(ErrorKind::Missing),
        Code::Io | Code::TargetNotWritable | Code::Unreachable | Code::AccessDenied => {
            error.about.as_ref().map_or_else(by_operation, |about| Some(about.kind))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn broken(path: &str) -> Error {
        Error::new(Code::Io, "could not read", "mend it").about(ErrorKind::Read, Path::new(path))
    }

    fn limits(read: u64, in_all: u64) -> ErrorLimits {
        let mut limits = ErrorLimits { in_all, ..ErrorLimits::default() };
        limits.of_kind[ErrorKind::Read.index()] = read;
        limits
    }

    #[test]
    fn as_many_errors_pass_as_the_plan_says_of_the_kind_and_in_all() {
        let passed = |limits| {
            let errors = Errors::new(limits);
            (0..5).filter(|_| errors.count(&broken("/t/f"), Operation::Verify, 0)).count()
        };
        assert_eq!((passed(limits(0, 9)), passed(limits(3, 9)), passed(limits(9, 2))), (0, 3, 2));
    }

    #[test]
    fn what_the_storage_has_no_part_in_never_passes() {
        let errors = Errors::new(ErrorLimits { of_kind: [9; ErrorKind::ALL.len()], in_all: 9 });
        for code in [Code::InvalidArgument, Code::DirectRefused, Code::LanePanicked] {
            assert!(!errors.count(&Error::new(code, "what", "mend"), Operation::Write, 0));
        }
        assert_eq!(errors.take(), []);
    }

    #[test]
    fn errors_are_told_by_kind_object_and_lane_and_only_what_is_new() {
        let errors = Errors::new(ErrorLimits::default());
        for lane in [1, 0, 1] {
            errors.count(&broken("/t/f1"), Operation::Read, lane);
        }
        let told: Vec<_> = errors.take().into_iter().map(|row| (row.path, row.lane, row.count)).collect();
        assert_eq!(told, [("/t/f1".to_owned(), Some(0), 1), ("/t/f1".to_owned(), Some(1), 2)]);
        assert_eq!(errors.take(), []);
    }

    #[test]
    fn errors_at_more_objects_than_can_be_named_are_counted_all_the_same() {
        let errors = Errors::new(ErrorLimits::default());
        for object in 0..MAX_ROWS + 7 {
            errors.count(&broken(&format!("/t/f{object}")), Operation::Read, 0);
        }
        let rows = errors.take();
        assert_eq!(rows.iter().map(|row| row.count).sum::<u64>(), MAX_ROWS as u64 + 7);
        assert_eq!(rows.iter().find(|row| row.lane.is_none()).map(|row| row.count), Some(7));
    }
}
