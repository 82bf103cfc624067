//! Carries the client crate's requests over a lane's own connections, one request at a time on each, and tells the
//! attempt what it sees. Nothing is ever sent twice.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::poll_fn;
use http::header::{DATE, HOST};
use http::{HeaderValue, Response, Uri};
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody, HttpService,
};

use super::answer::Refusal;
use super::attempt::{Attempt, Broken, current};
use super::dial::Dial;
use super::link::{Link, place};
use super::reply::Reply;
use crate::clock::now_ns;

/// A connection that was idle for longer is looked at again before it is used: the server may have closed it.
const FRESH_NS: u64 = 1_000_000_000;

/// Connections that no request has now.
#[derive(Default)]
pub(super) struct Idle(Mutex<Vec<Link>>);

impl Idle {
    /// Keeps a connection for the next request, if it can take one.
    pub(super) fn keep(&self, mut link: Link, cx: &mut Context<'_>) {
        if link.is_ready(cx) {
            self.0.lock().unwrap_or_else(PoisonError::into_inner).push(link);
        }
    }

    fn take(&self, place: &str) -> Option<Link> {
        let mut links = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = links.iter().rposition(|link| link.leads_to(place))?;
        Some(links.swap_remove(at))
    }
}

/// A lane's connections.
#[derive(Clone)]
pub(super) struct Connections {
    dial: Arc<Dial>,
    idle: Arc<Idle>,
    /// Whether they are one lane's: then they are kept for further requests, and what an answer tells is told to the attempt.
    is_lanes: bool,
    lane: usize,
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

/// What the client crate is told of a broken connection; the attempt knows it better.
pub(super) fn broken(why: Broken) -> HttpError {
    let (kind, text) = match &why {
        Broken::Connect(text) => (HttpErrorKind::Connect, text.clone()),
        Broken::Lost(text) => (HttpErrorKind::Interrupted, text.clone()),
    };
    current(|attempt| attempt.broken.replace(Some(why)));
    HttpError::new(kind, std::io::Error::other(text))
}

impl Connections {
    pub(super) fn new(dial: Arc<Dial>, lane: usize) -> Self {
        Self { dial, idle: Arc::default(), is_lanes: true, lane }
    }

    /// For what lanes need beside their requests, such as credentials for all of them: a connection belongs to the runtime that
    /// it was made on, and what is answered here is none of the store's.
    pub(super) fn beside(self) -> Self {
        Self { is_lanes: false, ..self }
    }

    /// A connection that can take a request: one that is there, else a new one.
    async fn link(&self, uri: &Uri) -> Result<Link, Broken> {
        let place = place(uri);
        while let Some(mut link) = self.idle.take(&place) {
            if now_ns() - link.idle_since_ns > FRESH_NS {
                // Lets the runtime look at its sockets; a yield may not be woken, see the lane.
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            if poll_fn(|cx| Poll::Ready(link.is_ready(cx))).await {
                return Ok(link);
            }
        }
        Link::connect(&self.dial, uri, self.lane).await
    }

    /// Tells the attempt that is under way what was seen of it.
    fn tell<T>(&self, what: impl FnOnce(&Attempt) -> T) -> Option<T> {
        if self.is_lanes { current(what) } else { None }
    }

    async fn exchange(&self, request: HttpRequest) -> Result<HttpResponse, Broken> {
        let (mut parts, body) = request.into_parts();
        let mut link = self.link(&parts.uri).await?;
        if let Some(host) = parts.uri.authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
            parts.headers.insert(HOST, host);
        }
        if let Some(Ok(path)) = parts.uri.path_and_query().map(|path| path.as_str().parse()) {
            parts.uri = path;
        }
        let answer = link.send(HttpRequest::from_parts(parts, body)).await?;
        let (parts, incoming) = answer.into_parts();
        let streams = self.tell(|attempt| {
            attempt.first_byte_ns.set(now_ns());
            attempt.status.set(parts.status.as_u16());
            let date = parts.headers.get(DATE).and_then(|date| date.to_str().ok());
            attempt.server_time.set(date.and_then(|date| httpdate::parse_http_date(date).ok()));
            attempt.streams.get()
        });
        if streams == Some(true) && parts.status.is_success() {
            let reply = Reply::new(incoming, link, Arc::clone(&self.idle));
            return Ok(Response::from_parts(parts, HttpResponseBody::new(reply)));
        }
        let body = link.collect(incoming).await?;
        if !parts.status.is_success() {
            self.tell(|attempt| attempt.refusal.replace(Some(Refusal::read(&body))));
        }
        let mut link = self.is_lanes.then_some(link);
        poll_fn(|cx| Poll::Ready(link.take().map(|link| self.idle.keep(link, cx)))).await;
        Ok(Response::from_parts(parts, body.into()))
    }
}

#[async_trait]
impl HttpService for Connections {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        self.exchange(request).await.map_err(broken)
    }
}

impl HttpConnector for Connections {
    fn connect(&self, _options: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}
