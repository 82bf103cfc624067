//! What a lane's requests were: how many of each kind, in how many attempts, and what the store answered when one failed.
//! Each lane writes its own; anybody reads. Must never know what was asked for.

use std::collections::BTreeMap;
use std::sync::Mutex;

use super::request::{FailedAttempt, S3Error, S3Request};
use crate::counters::Counter;
use crate::named::named;
use crate::sink::lock;

named! {
    /// What a request asks for.
    RequestKind {
        /// An object is written whole.
        #[default]
        Put => "PUT",
        /// A part of an upload is written.
        PutPart => "PUT part",
        /// An upload is begun.
        Begin => "begin upload",
        /// An upload becomes an object.
        Complete => "complete upload",
        /// An upload is given up.
        Abort => "abort upload",
        /// An object is read, or a range of it.
        Get => "GET",
        /// An object's length is asked for.
        Head => "HEAD",
        /// A page of objects is listed.
        List => "LIST",
        /// An object is removed.
        Delete => "DELETE",
    }
}

const KINDS: usize = RequestKind::NAMES.len();

impl S3Request {
    /// What it asks for.
    pub(super) fn kind(&self) -> RequestKind {
        match self {
            Self::PutObject { .. } => RequestKind::Put,
            Self::PutPart { .. } => RequestKind::PutPart,
            Self::Get { .. } => RequestKind::Get,
            Self::Head { .. } => RequestKind::Head,
            Self::Delete { .. } => RequestKind::Delete,
        }
    }
}

/// What one lane asked of a store.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct LaneRequests {
    kinds: [OfKind; KINDS],
    /// Failed attempts, by kind and status. Locked only when one failed, or to be read.
    failed: Mutex<BTreeMap<(usize, u16), u64>>,
}

#[derive(Default)]
struct OfKind {
    requests: Counter,
    attempts: Counter,
    failed: Counter,
}

impl LaneRequests {
    /// A request has ended, well or not. Only ever called by the lane.
    pub(super) fn ended(&self, kind: RequestKind, before: &[FailedAttempt], error: Option<&S3Error>) {
        let of = &self.kinds[kind as usize];
        of.requests.add(1);
        of.attempts.add(before.len() as u64 + 1);
        of.failed.add(u64::from(error.is_some()));
        let failed: Vec<u16> = before.iter().map(|failed| failed.why.status).chain(error.map(|e| e.status)).collect();
        if !failed.is_empty() {
            let mut counted = lock(&self.failed);
            failed.into_iter().for_each(|status| *counted.entry((kind as usize, status)).or_default() += 1);
        }
    }
}

/// Requests of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestCount {
    /// What they ask for.
    pub kind: &'static str,
    /// Requests that have ended.
    pub requests: u64,
    /// Attempts at them: those beyond one for each are retries.
    pub attempts: u64,
    /// Requests that failed for good.
    pub failed: u64,
}

/// Failed attempts of one kind with one status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCount {
    /// What was asked for.
    pub kind: &'static str,
    /// Status of the answer; 0: there was none.
    pub status: u16,
    /// How many.
    pub count: u64,
}

/// What a task asked of a store, cumulative.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StoreWork {
    /// The kinds that there were requests of.
    pub requests: Vec<RequestCount>,
    /// Attempts that failed.
    pub statuses: Vec<StatusCount>,
}

impl StoreWork {
    /// Adds up what lanes did.
    pub(super) fn of<'a>(lanes: impl Iterator<Item = &'a LaneRequests> + Clone) -> Self {
        let sum = |of: &dyn Fn(&OfKind) -> u64, kind: usize| lanes.clone().map(|lane| of(&lane.kinds[kind])).sum();
        let count = |(kind, name): (usize, &&'static str)| RequestCount {
            kind: name,
            requests: sum(&|of| of.requests.get(), kind),
            attempts: sum(&|of| of.attempts.get(), kind),
            failed: sum(&|of| of.failed.get(), kind),
        };
        let mut statuses = BTreeMap::<(usize, u16), u64>::new();
        for lane in lanes.clone() {
            lock(&lane.failed).iter().for_each(|(key, count)| *statuses.entry(*key).or_default() += count);
        }
        let kinds = RequestKind::NAMES;
        Self {
            requests: kinds.iter().enumerate().map(count).filter(|count| count.requests > 0).collect(),
            statuses: statuses
                .into_iter()
                .map(|((kind, status), count)| StatusCount { kind: kinds[kind], status, count })
                .collect(),
        }
    }
}
