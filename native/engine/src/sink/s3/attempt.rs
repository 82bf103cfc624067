//! What is learnt about one attempt at a request while it is under way, below the client crate, which hands on only
//! part of it. Each attempt has its own; the connection that carries it finds it by the task it runs in.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::SystemTime;

use super::answer::Refusal;
use crate::error::Error;

tokio::task_local! {
    static CURRENT: Rc<Attempt>;
}

/// Why an attempt got no whole answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// No connection came about.
    Connect(String),
    /// The connection broke, before or while the answer came.
    Lost(String),
}

/// One attempt.
#[derive(Default)]
pub(super) struct Attempt {
    /// Whether the body of a good answer is handed on as it comes; else it is first read whole.
    pub(super) streams: Cell<bool>,
    /// When the head of the answer was there; 0: not yet.
    pub(super) first_byte_ns: Cell<u64>,
    /// Status of the answer; 0: none.
    pub(super) status: Cell<u16>,
    /// What the server's clock said.
    pub(super) server_time: Cell<Option<SystemTime>>,
    /// What an answer that is no success said.
    pub(super) refusal: RefCell<Option<Refusal>>,
    /// Why there was no whole answer.
    pub(super) broken: RefCell<Option<Broken>>,
    /// Why it was never sent: there are no credentials.
    pub(super) bare: RefCell<Option<Error>>,
}

impl Attempt {
    /// Makes it the one that [`current`] finds while `future` is polled.
    pub(super) async fn scope<T>(self: &Rc<Self>, future: impl Future<Output = T>) -> T {
        CURRENT.scope(Rc::clone(self), future).await
    }
}

/// Tells the attempt that is under way, if there is one.
pub(super) fn current<T>(tell: impl FnOnce(&Attempt) -> T) -> Option<T> {
    CURRENT.try_with(|attempt| tell(attempt)).ok()
}
