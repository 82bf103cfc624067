//! One HTTP connection, moved on by whoever waits for an answer from it, never by a task of its own: when a request is
//! dropped, so is its connection, and with that every hold on the lane's memory.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::future::poll_fn;
use http::Uri;
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use object_store::client::{HttpRequest, HttpRequestBody};

use super::attempt::Broken;
use super::dial::{Dial, Stream};
use crate::clock::now_ns;

/// The longest answer that is read whole: a page of a list is the longest of them.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// A connection to one host.
pub(super) struct Link {
    /// What it is connected to: scheme, host and port.
    to: String,
    sender: SendRequest<HttpRequestBody>,
    connection: http1::Connection<TokioIo<Stream>, HttpRequestBody>,
    ended: bool,
    /// When it was last used.
    pub(super) idle_since_ns: u64,
}

/// What a connection is kept under.
pub(super) fn place(uri: &Uri) -> String {
    format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |authority| authority.as_str()))
}

pub(super) fn lost(error: &hyper::Error) -> Broken {
    // The error's source says what the system said; the error itself only what was being done.
    let mut text = error.to_string();
    if let Some(source) = std::error::Error::source(error) {
        text = format!("{text}: {source}");
    }
    Broken::Lost(text.split(" (os error").next().unwrap_or_default().to_owned())
}

impl Link {
    /// Connects.
    pub(super) async fn connect(dial: &Dial, uri: &Uri, lane: usize) -> Result<Self, Broken> {
        let stream = dial.connect(uri, lane).await.map_err(|error| Broken::Connect(error.to_string()))?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| lost(&error))?;
        Ok(Self { to: place(uri), sender, connection, ended: false, idle_since_ns: 0 })
    }

    /// Whether it leads there.
    pub(super) fn leads_to(&self, place: &str) -> bool {
        self.to == place
    }

    /// Moves the connection on.
    pub(super) fn advance(&mut self, cx: &mut Context<'_>) {
        if !self.ended && Pin::new(&mut self.connection).poll(cx).is_ready() {
            self.ended = true;
        }
    }

    /// Moves the connection on until `future` is done.
    async fn drive<T>(&mut self, future: impl Future<Output = hyper::Result<T>>) -> Result<T, Broken> {
        let mut future = std::pin::pin!(future);
        poll_fn(|cx| {
            self.advance(cx);
            match future.as_mut().poll(cx) {
                Poll::Ready(outcome) => Poll::Ready(outcome.map_err(|error| lost(&error))),
                Poll::Pending if self.ended => Poll::Ready(Err(Broken::Lost("the server closed it".into()))),
                Poll::Pending => Poll::Pending,
            }
        })
        .await
    }

    /// Sends a request and waits for the head of its answer.
    pub(super) async fn send(&mut self, request: HttpRequest) -> Result<http::Response<Incoming>, Broken> {
        let answer = self.sender.send_request(request);
        self.drive(answer).await
    }

    /// Reads an answer whole.
    pub(super) async fn collect(&mut self, mut incoming: Incoming) -> Result<Bytes, Broken> {
        let mut whole = Vec::new();
        loop {
            let frame = poll_fn(|cx| {
                self.advance(cx);
                Pin::new(&mut incoming).poll_frame(cx)
            });
            match frame.await {
                None => return Ok(whole.into()),
                Some(Err(error)) => return Err(lost(&error)),
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    if whole.len() + data.len() > MAX_ANSWER_BYTES {
                        return Err(Broken::Lost(format!("an answer of more than {MAX_ANSWER_BYTES} bytes")));
                    }
                    whole.extend_from_slice(&data);
                }
            }
        }
    }

    /// Whether it can take the next request at once. It cannot when the server has closed it, or has answered before
    /// it had the whole of the last request.
    pub(super) fn is_ready(&mut self, cx: &mut Context<'_>) -> bool {
        self.advance(cx);
        let ready = !self.ended && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())));
        self.idle_since_ns = now_ns();
        ready
    }
}
