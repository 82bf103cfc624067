//! What a lane asks of the store, and what it is told when that has ended.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use object_store::multipart::PartId;

use crate::error::{Code, Error};

/// A request of one lane for one object.
#[derive(Clone, Debug)]
pub enum S3Request {
    /// Writes an object whole.
    PutObject {
        /// The object's number.
        object: u64,
    },
    /// Writes a part of an object.
    PutPart {
        /// The upload that the part belongs to.
        upload: Arc<Upload>,
        /// Number of the part, from 0.
        part: usize,
    },
    /// Reads from an object: whole when the wanted bytes are all of it, else by range.
    Get {
        /// The object's number.
        object: u64,
        /// Where to begin, in bytes.
        offset: u64,
    },
    /// Asks for an object's length, which is the outcome.
    Head {
        /// The object's number.
        object: u64,
    },
    /// Removes an object; one that is not there counts as removed, as S3 has it.
    Delete {
        /// The object's number.
        object: u64,
    },
}

/// A multipart upload that was begun.
#[derive(Debug)]
pub struct Upload {
    pub(super) object: u64,
    pub(super) id: String,
    parts: Mutex<BTreeMap<usize, PartId>>,
}

impl Upload {
    pub(super) fn new(object: u64, id: String) -> Self {
        Self { object, id, parts: Mutex::default() }
    }

    /// The object that it is of.
    pub fn object(&self) -> u64 {
        self.object
    }

    pub(super) fn written(&self, part: usize, id: PartId) {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).insert(part, id);
    }

    /// The parts in order, if the first `count` of them, and no others, were written.
    pub(super) fn parts(&self, count: usize) -> Option<Vec<PartId>> {
        let parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let all = parts.len() == count && parts.keys().copied().eq(0..count);
        all.then(|| parts.values().cloned().collect())
    }
}

/// A request that has ended.
#[derive(Debug)]
pub struct S3Done {
    /// The slot that it was submitted with; its memory is the lane's again.
    pub slot: usize,
    /// When it was submitted, in ns of CLOCK_MONOTONIC.
    pub submitted_ns: u64,
    /// When the last attempt began.
    pub attempt_ns: u64,
    /// When the head of the last answer was there; 0: there was none.
    pub first_byte_ns: u64,
    /// When it ended.
    pub done_ns: u64,
    /// Attempts that were made, at least 1.
    pub attempts: u32,
    /// Those before the last, all of which failed.
    pub failed: Vec<FailedAttempt>,
    /// Bytes written, read or asked for; a read of fewer than were wanted has come to the object's end.
    pub outcome: std::result::Result<u64, S3Error>,
}

/// An attempt that failed and was followed by another.
#[derive(Debug)]
pub struct FailedAttempt {
    /// When it began, in ns of CLOCK_MONOTONIC.
    pub begun_ns: u64,
    /// When it failed.
    pub ended_ns: u64,
    /// Why.
    pub why: S3Error,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Error {
    /// Status of the answer; 0: there was none.
    pub status: u16,
    /// What it means.
    pub error: Error,
}

impl S3Error {
    /// Whether it says that the object is not there.
    pub fn is_missing(&self) -> bool {
        self.status == 404 && self.error.code == Code::ObjectMissing
    }
}

impl From<S3Error> for Error {
    fn from(error: S3Error) -> Self {
        error.error
    }
}
