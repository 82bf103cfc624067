//! The body of an answer that is handed on as it comes. It has the connection until it is read to its end; dropped
//! before, it takes the connection with it.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use object_store::client::HttpError;

use super::connections::{Idle, broken};
use super::link::{Link, lost};

/// A body that is still coming.
pub(super) struct Reply {
    incoming: Incoming,
    /// Only one ever has it: the lock is there because the client crate wants bodies that can be shared.
    link: Mutex<Option<Link>>,
    idle: Arc<Idle>,
}

impl Reply {
    pub(super) fn new(incoming: Incoming, link: Link, idle: Arc<Idle>) -> Self {
        Self { incoming, link: Mutex::new(Some(link)), idle }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = HttpError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, HttpError>>> {
        let Self { incoming, link, idle } = &mut *self;
        let link = link.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(link) = link {
            link.advance(cx);
        }
        let polled = Pin::new(incoming).poll_frame(cx);
        match polled {
            Poll::Ready(None) => {
                if let Some(link) = link.take() {
                    idle.keep(link, cx);
                }
                Poll::Ready(None)
            }
            Poll::Ready(Some(Err(error))) => {
                *link = None;
                Poll::Ready(Some(Err(broken(lost(&error)))))
            }
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        // Asked for its end even when that is known: then the connection is given back.
        false
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}
