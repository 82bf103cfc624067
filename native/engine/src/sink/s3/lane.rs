//! A lane's own runtime, connections and requests in flight. Everything runs on the lane's thread, and only while the
//! lane calls: there is no other thread and no task that goes on by itself.
//!
//! A request must never be woken by way of the runtime's list of those that are to be woken later: the list is dropped,
//! and the wake with it, when the lane is given control again. So requests have no budget of the runtime's (whoever has
//! used his up is put on that list), and none of them yields to it.

use std::collections::HashSet;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::future::{LocalBoxFuture, poll_fn};
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::Method;
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use tokio::runtime::Runtime;
use tokio::task::unconstrained;

use super::answer::{may_pass, timed_out};
use super::attempt::Attempt;
use super::bucket::{BucketSeen, Names, Page};
use super::counts::{LaneRequests, RequestKind};
use super::lent::Loan;
use super::request::{FailedAttempt, S3Done, S3Error, S3Request, Upload};
use super::store::{Memory, Store};
use super::target::S3Target;
use crate::clock::now_ns;
use crate::error::{Code, Error, Result};

/// Waits between attempts grow no longer than this, unless the plan begins with a longer one.
const MAX_BACKOFF_NS: u64 = 10_000_000_000;

/// Requests that have not ended.
type InFlight = FuturesUnordered<LocalBoxFuture<'static, S3Done>>;

/// A lane's way to the store.
pub struct S3Lane {
    // Dropped first, and with it every request's connection and hold on the lane's memory.
    in_flight: InFlight,
    ended: Vec<S3Done>,
    store: Rc<Store>,
    /// No further attempt begins after what it says, in ns of CLOCK_MONOTONIC.
    deadline_ns: Rc<dyn Fn() -> u64>,
    runtime: Runtime,
}

impl S3Lane {
    /// To be called on the lane's own thread. Retries begin only while the clock is before `deadline_ns()`.
    ///
    /// # Errors
    /// [`Code::Io`] when the system refuses an epoll instance.
    pub fn new(target: Arc<S3Target>, lane: usize, deadline_ns: impl Fn() -> u64 + 'static) -> Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().enable_time().build();
        let runtime = runtime.map_err(|error| {
            let what = format!("no runtime for requests to S3 could be had: {error}");
            Error::new(Code::Io, what, "raise the limit of open files (ulimit -n)")
        })?;
        Ok(Self {
            in_flight: FuturesUnordered::new(),
            ended: Vec::new(),
            store: Rc::new(Store::new(target, lane)?),
            deadline_ns: Rc::new(deadline_ns),
            runtime,
        })
    }

    /// What this lane's requests were.
    pub(crate) fn requests(&self) -> Arc<LaneRequests> {
        Arc::clone(&self.store.requests)
    }

    /// Starts a request and returns; it goes on while the lane is in [`S3Lane::poll`] or [`S3Lane::wait`].
    ///
    /// # Safety
    /// The memory must be valid for `bytes` bytes until the request's [`S3Done`] was taken or the lane is dropped.
    /// Meanwhile nobody may write to it, nor, when the request reads from the store, read from it.
    pub unsafe fn submit(&mut self, slot: usize, request: S3Request, memory: *mut u8, bytes: usize) {
        let memory = Memory { start: memory, bytes };
        let (store, deadline_ns) = (Rc::clone(&self.store), Rc::clone(&self.deadline_ns));
        self.in_flight.push(Box::pin(unconstrained(async move {
            // SAFETY: the caller's contract; this future is dropped with the lane at the latest.
            unsafe { run(&store, slot, &request, memory, &*deadline_ns).await }
        })));
        // The request goes out now, and not only when the lane has made its next block.
        let _inside = self.runtime.enter();
        collect(&mut self.in_flight, &mut self.ended, &mut Context::from_waker(Waker::noop()));
    }

    /// Requests that have not ended yet, as far as the lane was told.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len() + self.ended.len()
    }

    /// Moves requests on as far as they go without waiting; what has ended is added to `done`.
    pub fn poll(&mut self, done: &mut Vec<S3Done>) {
        let Self { in_flight, ended, runtime, .. } = self;
        runtime.block_on(async {
            collect_now(in_flight, ended).await;
            // Lets the runtime look at its sockets and timers.
            tokio::task::yield_now().await;
            collect_now(in_flight, ended).await;
        });
        done.append(ended);
    }

    /// Moves requests on until at least one has ended, or until an instant of CLOCK_MONOTONIC. Returns at once when
    /// none is in flight.
    pub fn wait(&mut self, until_ns: u64, done: &mut Vec<S3Done>) {
        let Self { in_flight, ended, runtime, .. } = self;
        let some = poll_fn(|cx| {
            collect(in_flight, ended, cx);
            if ended.is_empty() && !in_flight.is_empty() { Poll::Pending } else { Poll::Ready(()) }
        });
        let left = Duration::from_nanos(until_ns.saturating_sub(now_ns()));
        runtime.block_on(async { _ = tokio::time::timeout(left, some).await });
        done.append(ended);
    }

    /// Where it leads.
    pub(super) fn target(&self) -> &S3Target {
        &self.store.target
    }

    /// What an error says was being done, to what.
    pub(super) fn about(&self, verb: &str, key: &str) -> String {
        self.store.about(verb, key)
    }

    /// Waits for `work` while requests in flight go on.
    pub(super) fn wait_for<T>(&mut self, work: impl AsyncFnOnce(&Store, &dyn Fn() -> u64) -> T) -> T {
        let Self { in_flight, ended, runtime, store, deadline_ns } = self;
        runtime.block_on(async {
            let mut work = std::pin::pin!(work(store, &**deadline_ns));
            poll_fn(|cx| {
                collect(in_flight, ended, cx);
                work.as_mut().poll(cx)
            })
            .await
        })
    }

    /// Waits for one request while those in flight go on.
    pub(super) fn ask<T>(
        &mut self,
        kind: RequestKind,
        what: &str,
        once: impl AsyncFnMut(&Store, &Rc<Attempt>) -> std::result::Result<T, S3Error>,
    ) -> std::result::Result<T, S3Error> {
        self.wait_for(async |store, deadline_ns| {
            tried(store, kind, what, deadline_ns, &Loan::new(), once).await.outcome
        })
    }

    /// Begins a multipart upload of an object.
    ///
    /// # Errors
    /// As the store answers.
    pub fn begin_upload(&mut self, object: u64) -> std::result::Result<Arc<Upload>, S3Error> {
        let key = self.store.target.key_of(object);
        let what = self.store.about("begin the upload of", &key);
        self.ask(RequestKind::Begin, &what, async |store, attempt| {
            let call = async { store.s3.create_multipart(&Path::parse(&key)?).await };
            let id = store.attempt(attempt, || what.clone(), call).await?;
            Ok(Arc::new(Upload::new(object, id)))
        })
    }

    /// Makes an object of an upload whose parts 0 to `parts` were written, `bytes` bytes in all.
    ///
    /// # Errors
    /// As the store answers; [`Code::InvalidArgument`] when parts are missing.
    pub fn complete_upload(&mut self, upload: &Upload, parts: usize, bytes: u64) -> std::result::Result<(), S3Error> {
        let Some(parts) = upload.parts(parts) else {
            let what = format!("not all {parts} parts of object {} were written", upload.object());
            let error = Error::new(Code::InvalidArgument, what, "write all parts before the upload is completed");
            return Err(S3Error { status: 0, error });
        };
        let key = self.store.target.key_of(upload.object);
        let what = self.store.about("complete the upload of", &key);
        let mut attempts = 0;
        let outcome = self.ask(RequestKind::Complete, &what, async |store, attempt| {
            attempts += 1;
            let call = async { store.s3.complete_multipart(&Path::parse(&key)?, &upload.id, parts.clone()).await };
            store.attempt(attempt, || what.clone(), call).await.map(drop)
        });
        match outcome {
            // The answer to an attempt before was lost on its way: the upload is gone because it is an object.
            Err(error) if error.status == 404 && attempts > 1 => match self.length(upload.object) {
                Ok(Some(length)) if length == bytes => Ok(()),
                _ => Err(error),
            },
            outcome => outcome,
        }
    }

    /// Gives an upload up; that it is not there any more is no error.
    ///
    /// # Errors
    /// As the store answers.
    pub fn abort_upload(&mut self, upload: &Upload) -> std::result::Result<(), S3Error> {
        let key = self.store.target.key_of(upload.object);
        let what = self.store.about("abort the upload of", &key);
        self.ask(RequestKind::Abort, &what, async |store, attempt| {
            match store.ask(attempt, Method::DELETE, &key, &[("uploadId", &upload.id)]).await {
                Err(error) if error.status != 404 => Err(error),
                _ => Ok(()),
            }
        })
    }

    /// The length of an object, in bytes; `None`: it is not there.
    ///
    /// # Errors
    /// As the store answers.
    pub fn length(&mut self, object: u64) -> std::result::Result<Option<u64>, S3Error> {
        let nothing = Memory { start: std::ptr::dangling_mut(), bytes: 0 };
        let request = S3Request::Head { object };
        let done = self.wait_for(async |store, deadline_ns| {
            // SAFETY: there is no memory.
            unsafe { run(store, 0, &request, nothing, deadline_ns).await }
        });
        match done.outcome {
            Ok(length) => Ok(Some(length)),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads from an object into memory of its own: fewer bytes than asked for where the object ends before. `None`: it is
    /// not there.
    ///
    /// # Errors
    /// As the store answers.
    pub fn read(&mut self, object: u64, offset: u64, bytes: usize) -> std::result::Result<Option<Vec<u8>>, S3Error> {
        let mut bytes = vec![0; bytes];
        let memory = Memory { start: bytes.as_mut_ptr(), bytes: bytes.len() };
        let request = S3Request::Get { object, offset };
        let done = self.wait_for(async |store, deadline_ns| {
            // SAFETY: the memory outlives this call, which returns when the request has ended, and nobody else has it.
            unsafe { run(store, 0, &request, memory, deadline_ns).await }
        });
        match done.outcome {
            Ok(read) => {
                bytes.truncate(read as usize);
                Ok(Some(bytes))
            }
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether the bucket is there and may be asked, and what the server's clock says.
    ///
    /// # Errors
    /// [`Code::TargetMissing`] when it is not there, [`Code::AccessDenied`], [`Code::Unreachable`].
    pub fn look(&mut self) -> std::result::Result<BucketSeen, S3Error> {
        self.wait_for(async |store, _| store.look().await)
    }

    /// A page of what is below the run's prefix; `page` is what the page before said comes next.
    ///
    /// # Errors
    /// As the store answers.
    pub fn list(&mut self, page: Option<String>) -> std::result::Result<Page, S3Error> {
        let what = self.store.about("LIST", self.store.target.root());
        self.ask(RequestKind::List, &what, async |store, attempt| store.list(attempt, page.clone()).await)
    }

    /// A page of the names right below a part of the run's prefix, which is empty or ends with a slash.
    ///
    /// # Errors
    /// As the store answers.
    pub(crate) fn names(&mut self, below: &str, page: Option<String>) -> std::result::Result<Names, S3Error> {
        let root = self.store.target.root().to_owned() + below;
        let what = self.store.about("LIST", &root);
        self.ask(RequestKind::List, &what, async |store, attempt| store.names(attempt, &root, page.clone()).await)
    }

    /// Aborts every upload of the run that is still open, those of a life before a crash included; how many.
    ///
    /// # Errors
    /// As the store answers.
    pub fn abort_uploads(&mut self) -> std::result::Result<u64, S3Error> {
        self.wait_for(async |store, _| store.abort_uploads().await)
    }

    /// Removes what versions of the layout's objects a bucket still keeps, but those of `spared` ones; how many.
    ///
    /// # Errors
    /// As the store answers.
    pub fn remove_versions(&mut self, spared: &HashSet<u64>) -> std::result::Result<u64, S3Error> {
        self.wait_for(async |store, _| store.remove_versions(&|object| !spared.contains(&object)).await)
    }
}

/// Moves requests on and collects what has ended.
fn collect(in_flight: &mut InFlight, ended: &mut Vec<S3Done>, cx: &mut Context<'_>) {
    while let Poll::Ready(Some(done)) = in_flight.poll_next_unpin(cx) {
        ended.push(done);
    }
}

/// The same in a runtime, without waiting.
async fn collect_now(in_flight: &mut InFlight, ended: &mut Vec<S3Done>) {
    poll_fn(|cx| {
        collect(in_flight, ended, cx);
        Poll::Ready(())
    })
    .await;
}

impl Store {
    /// Tries a request that moves no memory of the lane, whatever the deadline.
    pub(super) async fn patiently<T>(
        &self,
        kind: RequestKind,
        what: &str,
        once: impl AsyncFnMut(&Store, &Rc<Attempt>) -> std::result::Result<T, S3Error>,
    ) -> std::result::Result<T, S3Error> {
        tried(self, kind, what, &|| u64::MAX, &Loan::new(), once).await.outcome
    }
}

/// A request from its first attempt to its end.
///
/// # Safety
/// That of [`Store::once`], for as long as this future lives.
async unsafe fn run(
    store: &Store,
    slot: usize,
    request: &S3Request,
    memory: Memory,
    deadline_ns: &dyn Fn() -> u64,
) -> S3Done {
    let submitted_ns = now_ns();
    let loan = Loan::new();
    let once = async |store: &Store, attempt: &Rc<Attempt>| {
        // SAFETY: the caller's contract covers this future, of which the attempt is a part.
        unsafe { store.once(request, memory, attempt, &loan).await }
    };
    let ended = tried(store, request.kind(), &store.name(request), deadline_ns, &loan, once).await;
    let Tried { attempt_ns, first_byte_ns, done_ns, failed, outcome } = ended;
    let attempts = failed.len() as u32 + 1;
    S3Done { slot, submitted_ns, attempt_ns, first_byte_ns, done_ns, attempts, failed, outcome }
}

/// A request that was tried as often as it had to be, or as the plan lets it.
struct Tried<T> {
    /// When the last attempt began.
    attempt_ns: u64,
    /// When the head of its answer was there; 0: there was none.
    first_byte_ns: u64,
    done_ns: u64,
    /// The attempts before.
    failed: Vec<FailedAttempt>,
    outcome: std::result::Result<T, S3Error>,
}

/// Tries a request, waits, and tries again, until it went well, will never do, or the plan or the deadline says that it is
/// enough; and counts it. Memory that an attempt has is lent from `loan`.
async fn tried<T>(
    store: &Store,
    kind: RequestKind,
    what: &str,
    deadline_ns: &dyn Fn() -> u64,
    loan: &Loan,
    mut once: impl AsyncFnMut(&Store, &Rc<Attempt>) -> std::result::Result<T, S3Error>,
) -> Tried<T> {
    let policy = store.target.spec.retries;
    let timeout_ns = store.target.spec.attempt_timeout_ns;
    let mut failed = Vec::new();
    let mut backoff_ns = policy.backoff_ns;
    loop {
        let (attempt, attempt_ns) = (Rc::new(Attempt::default()), now_ns());
        let outcome = tokio::time::timeout(Duration::from_nanos(timeout_ns), once(store, &attempt)).await;
        let outcome = outcome.unwrap_or_else(|_| Err(timed_out(what, &store.base().endpoint, timeout_ns)));
        // All that had the memory was part of the attempt. Were it not so, its next use would send wrong bytes.
        assert!(loan.is_back(), "a request has ended and its memory is still lent");
        let (done_ns, attempts) = (now_ns(), failed.len() as u32 + 1);
        match outcome {
            Err(why) if attempts < policy.attempts && may_pass(&why) && done_ns + backoff_ns < deadline_ns() => {
                failed.push(FailedAttempt { begun_ns: attempt_ns, ended_ns: done_ns, why });
                tokio::time::sleep(Duration::from_nanos(backoff_ns)).await;
                backoff_ns = backoff_ns.saturating_mul(2).min(MAX_BACKOFF_NS.max(policy.backoff_ns));
            }
            outcome => {
                store.requests.ended(kind, &failed, outcome.as_ref().err());
                let first_byte_ns = attempt.first_byte_ns.get();
                return Tried { attempt_ns, first_byte_ns, done_ns, failed, outcome };
            }
        }
    }
}
