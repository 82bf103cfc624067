//! One lane's way to the store: does one attempt at a request by the client crate. Must never retry, nor know of slots.

use std::rc::Rc;
use std::sync::Arc;

use futures_util::StreamExt;
use object_store::aws::AmazonS3;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{GetOptions, GetRange, ObjectStore, PutOptions, PutPayload};

use super::answer::error_of;
use super::attempt::Attempt;
use super::connections::Connections;
use super::counts::LaneRequests;
use super::lent::Loan;
use super::request::{S3Error, S3Request, Upload};
use super::target::{Base, S3Target};
use crate::error::{Code, Result};

/// A lane's memory that a request reads from or writes to.
#[derive(Clone, Copy)]
pub(super) struct Memory {
    pub(super) start: *mut u8,
    pub(super) bytes: usize,
}

/// What a lane needs to ask something of the store.
pub(super) struct Store {
    pub(super) target: Arc<S3Target>,
    pub(super) s3: AmazonS3,
    pub(super) connections: Connections,
    /// What was asked of it.
    pub(super) requests: Arc<LaneRequests>,
    lane: usize,
}

impl Store {
    pub(super) fn new(target: Arc<S3Target>, lane: usize) -> Result<Self> {
        let (connections, s3) = target.client(lane)?;
        Ok(Self { target, s3, connections, requests: Arc::default(), lane })
    }

    /// The endpoint that this lane talks to.
    pub(super) fn base(&self) -> &Base {
        &self.target.bases[self.lane % self.target.bases.len()]
    }

    /// What an error says was being done, to what.
    pub(super) fn about(&self, verb: &str, key: &str) -> String {
        format!("{verb} {}/{key}", self.target.spec.bucket)
    }

    fn path(&self, object: u64) -> std::result::Result<Path, object_store::Error> {
        Ok(Path::parse(self.target.key_of(object))?)
    }

    /// What a request is called in messages.
    pub(super) fn name(&self, request: &S3Request) -> String {
        let (verb, object) = match request {
            S3Request::PutObject { object } => ("PUT", *object),
            S3Request::PutPart { upload, part } => return self.part_name(upload, *part),
            S3Request::Get { object, .. } => ("GET", *object),
            S3Request::Head { object } => ("HEAD", *object),
            S3Request::Delete { object } => ("DELETE", *object),
        };
        self.about(verb, &self.target.key_of(object))
    }

    fn part_name(&self, upload: &Upload, part: usize) -> String {
        self.about(&format!("PUT part {} of", part + 1), &self.target.key_of(upload.object))
    }

    /// Runs a call of the client crate as one attempt.
    pub(super) async fn attempt<T>(
        &self,
        attempt: &Rc<Attempt>,
        what: impl FnOnce() -> String,
        call: impl Future<Output = object_store::Result<T>>,
    ) -> std::result::Result<T, S3Error> {
        let outcome = attempt.scope(call).await;
        outcome.map_err(|error| error_of(&what(), &self.base().endpoint, attempt, &error.to_string()))
    }

    /// One attempt at a request. When it ends, or is dropped, nobody has the memory any more.
    ///
    /// # Safety
    /// The memory must stay valid until then; nobody may write to it meanwhile, nor read from it if it is read into.
    pub(super) async unsafe fn once(
        &self,
        request: &S3Request,
        memory: Memory,
        attempt: &Rc<Attempt>,
        loan: &Loan,
    ) -> std::result::Result<u64, S3Error> {
        let name = || self.name(request);
        // SAFETY: the contract of this function is that of the loan.
        let lent = || PutPayload::from_bytes(unsafe { loan.lend(memory.start, memory.bytes) });
        match request {
            S3Request::PutObject { object } => {
                let call = async {
                    self.s3.put_opts(&self.path(*object)?, lent(), PutOptions::default()).await?;
                    Ok(memory.bytes as u64)
                };
                self.attempt(attempt, name, call).await
            }
            S3Request::PutPart { upload, part } => {
                let call = async {
                    let path = self.path(upload.object)?;
                    let id = self.s3.put_part(&path, &upload.id, *part, lent()).await?;
                    upload.written(*part, id);
                    Ok(memory.bytes as u64)
                };
                self.attempt(attempt, name, call).await
            }
            S3Request::Get { object, offset } => {
                match self.attempt(attempt, name, self.read(*object, *offset, memory, attempt)).await {
                    Ok(read) => Ok(read as u64),
                    // The object ends before the range begins.
                    Err(error) if error.status == 416 => Ok(0),
                    Err(error) => Err(error),
                }
            }
            S3Request::Head { object } => {
                let call = async {
                    let options = GetOptions { head: true, ..GetOptions::default() };
                    Ok(self.s3.get_opts(&self.path(*object)?, options).await?.meta.size)
                };
                self.attempt(attempt, name, call).await
            }
            S3Request::Delete { object } => {
                let call = async {
                    let path = self.path(*object)?;
                    let one = futures_util::stream::iter([Ok(path)]).boxed();
                    match self.s3.delete_stream(one).next().await {
                        Some(Err(error)) => Err(error),
                        _ => Ok(0),
                    }
                };
                match self.attempt(attempt, name, call).await {
                    // S3 itself answers 204 for what is not there; some stores say 404.
                    Err(error) if error.error.code == Code::ObjectMissing => Ok(0),
                    other => other,
                }
            }
        }
    }

    /// Reads into the lane's memory; how much there was, up to what was wanted.
    async fn read(&self, object: u64, offset: u64, memory: Memory, attempt: &Attempt) -> object_store::Result<usize> {
        attempt.streams.set(true);
        let whole = offset == 0 && memory.bytes as u64 == self.target.layout.bytes_of(object);
        let range = (!whole).then(|| GetRange::Bounded(offset..offset + memory.bytes as u64));
        let options = GetOptions { range, ..GetOptions::default() };
        let mut body = self.s3.get_opts(&self.path(object)?, options).await?.into_stream();
        let mut read = 0;
        // Read to the end even when all is there: only then can the connection be used again.
        while let Some(bytes) = body.next().await {
            let bytes = bytes?;
            let wanted = bytes.len().min(memory.bytes - read);
            // SAFETY: `read + wanted` is within the memory, which by the caller's contract is valid and this
            // request's alone; `bytes` is the connection's own memory, so they do not overlap.
            unsafe { memory.start.add(read).copy_from_nonoverlapping(bytes.as_ptr(), wanted) };
            read += wanted;
            if wanted < bytes.len() {
                break;
            }
        }
        Ok(read)
    }
}
