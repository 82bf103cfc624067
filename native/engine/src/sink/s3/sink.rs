//! The store as the sink of one task: its target, and what the lanes that ask it have asked. Must never know of ranges or
//! leases.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::counts::{LaneRequests, StoreWork};
use super::lane::S3Lane;
use super::request::{S3Error, Upload};
use super::spec::S3Spec;
use super::target::S3Target;
use crate::error::{Code, Result};
use crate::layout::Layout;
use crate::sink::lock;

/// A store that a task's lanes ask.
pub(crate) struct StoreSink {
    target: Arc<S3Target>,
    lanes: Mutex<Vec<Arc<LaneRequests>>>,
}

impl StoreSink {
    /// Looks at everything that can be looked at without a request.
    ///
    /// # Errors
    /// Those of [`S3Target::prepare`].
    pub(crate) fn prepare(spec: &S3Spec, layout: Layout) -> Result<Self> {
        let target = Arc::new(S3Target::prepare(spec.clone(), layout)?);
        Ok(Self { target, lanes: Mutex::default() })
    }

    /// A lane's way to it, on the lane's own thread; no further attempt begins after `deadline_ns()`.
    pub(crate) fn open(&self, lane: usize, deadline_ns: impl Fn() -> u64 + 'static) -> Result<S3Lane> {
        let lane = S3Lane::new(Arc::clone(&self.target), lane, deadline_ns)?;
        lock(&self.lanes).push(lane.requests());
        Ok(lane)
    }

    /// What was asked of it so far.
    pub(crate) fn work(&self) -> StoreWork {
        let lanes = lock(&self.lanes).clone();
        StoreWork::of(lanes.iter().map(|lane| &**lane))
    }

    /// Where an object is, as people write it.
    pub(crate) fn path_of(&self, object: u64) -> PathBuf {
        format!("s3://{}/{}", self.target.spec.bucket, self.target.key_of(object)).into()
    }

    /// Where a folder's objects are, as people write it; those of the run for none.
    pub(crate) fn path_of_folder(&self, folder: Option<u64>) -> PathBuf {
        let folder = folder.map_or_else(String::new, |folder| self.target.layout.folder_path(folder));
        format!("s3://{}/{}{folder}", self.target.spec.bucket, self.target.root()).into()
    }

    /// Reads from an object again, by a connection of its own: fewer bytes than asked for where it ends before. `None`: it
    /// is not there.
    pub(crate) fn read_again(&self, object: u64, offset: u64, bytes: u64) -> Result<Option<Vec<u8>>> {
        Ok(S3Lane::new(Arc::clone(&self.target), 0, || u64::MAX)?.read(object, offset, bytes as usize)?)
    }

    /// How long an object is; `None`: it is not there.
    pub(crate) fn length_again(&self, object: u64) -> Result<Option<u64>> {
        Ok(S3Lane::new(Arc::clone(&self.target), 0, || u64::MAX)?.length(object)?)
    }

    /// Gives up uploads that nobody works on any more: each is tried once, and none after the store was not to be reached.
    pub(crate) fn abort(&self, uploads: &[Arc<Upload>]) -> Result<()> {
        let mut lane = self.open(0, || 0)?;
        let mut outcome = Ok(());
        for upload in uploads {
            match lane.abort_upload(upload) {
                Ok(()) => {}
                Err(S3Error { error, .. }) => {
                    let is_over = error.code == Code::Unreachable;
                    outcome = Err(error);
                    if is_over {
                        break;
                    }
                }
            }
        }
        outcome
    }
}
