//! Connects to endpoints: addresses looked up once, when the target is prepared, TCP, TLS. No look-up while a lane
//! works: the system's resolver would block it, or need threads of its own.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::error::{Code, Error, Result};

/// To connect takes no longer than this, or it failed.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Looks up a host's addresses.
pub(super) type Resolve<'a> = &'a dyn Fn(&str, u16) -> io::Result<Vec<SocketAddr>>;

/// Looks up as the system does.
pub(super) fn system_resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    Ok((host, port).to_socket_addrs()?.collect())
}

/// How to connect; shared by all lanes, and never changed.
pub(super) struct Dial {
    addresses: HashMap<String, Vec<SocketAddr>>,
    tls: Option<TlsConnector>,
}

/// Host without the brackets of an IPv6 address, and port.
fn place_of(uri: &Uri) -> Option<(&str, u16)> {
    let port = uri.port_u16().unwrap_or(if is_secure(uri) { 443 } else { 80 });
    uri.host().map(|host| (host.trim_start_matches('[').trim_end_matches(']'), port))
}

fn is_secure(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

impl Dial {
    /// Looks up all endpoints, and reads certificates where one of them asks for TLS.
    ///
    /// # Errors
    /// [`Code::Unreachable`] for a host that has no address, [`Code::InvalidArgument`] for certificates that cannot
    /// be used.
    pub(super) fn new(endpoints: &[Uri], ca: Option<&Path>, resolve: Resolve<'_>) -> Result<Self> {
        let mut addresses = HashMap::new();
        for endpoint in endpoints {
            let Some((host, port)) = place_of(endpoint) else { continue };
            let found = resolve(host, port).and_then(|found| match found.is_empty() {
                true => Err(io::Error::other("it has no address")),
                false => Ok(found),
            });
            let found = found.map_err(|error| {
                Error::new(
                    Code::Unreachable,
                    format!("the endpoint {endpoint} cannot be looked up: {error}"),
                    "mend the endpoint in the plan, or this host's name service",
                )
            })?;
            addresses.insert(format!("{host}:{port}"), found);
        }
        // Credentials may come over TLS too, from a web identity provider.
        let tls = (ca.is_some() || endpoints.iter().any(is_secure)).then(|| tls(ca)).transpose()?;
        Ok(Self { addresses, tls })
    }

    /// Connects; lanes begin with different addresses of a host that has several.
    pub(super) async fn connect(&self, uri: &Uri, lane: usize) -> io::Result<Stream> {
        let (host, port) = place_of(uri).ok_or_else(|| io::Error::other("a request without a host"))?;
        let looked_up;
        let addresses = match self.addresses.get(&format!("{host}:{port}")) {
            Some(addresses) => addresses,
            // Not an endpoint: a source of credentials, asked once in a long while.
            None => {
                looked_up = system_resolve(host, port)?;
                &looked_up
            }
        };
        let mut outcome = Err(io::Error::other("it has no address"));
        for nth in 0..addresses.len() {
            let address = addresses[(lane + nth) % addresses.len()];
            outcome = within(TcpStream::connect(address)).await.map_err(|error| named(&error, address));
            if outcome.is_ok() {
                break;
            }
        }
        let stream = outcome?;
        stream.set_nodelay(true)?;
        if !is_secure(uri) {
            return Ok(Stream::Plain(stream));
        }
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        let connector = match &self.tls {
            Some(connector) => connector.clone(),
            None => tls(None).map_err(io::Error::other)?,
        };
        Ok(Stream::Tls(Box::new(within(connector.connect(name, stream)).await?)))
    }
}

async fn within<T>(connect: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    match tokio::time::timeout(CONNECT_TIMEOUT, connect).await {
        Ok(outcome) => outcome,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer in {} s", CONNECT_TIMEOUT.as_secs()))),
    }
}

fn named(error: &io::Error, address: SocketAddr) -> io::Error {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    io::Error::new(error.kind(), format!("{address}: {text}"))
}

/// TLS that trusts the system's authorities and those in the file.
fn tls(ca: Option<&Path>) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(path) = ca {
        let refuse = |why: String| {
            Error::new(
                Code::InvalidArgument,
                format!("the certificates in {} cannot be used: {why}", path.display()),
                "name a PEM file of certificate authorities",
            )
        };
        let found: std::result::Result<Vec<_>, _> =
            CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| refuse(error.to_string()));
        let found = found?;
        if found.is_empty() {
            return Err(refuse("there is none in it".into()));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| refuse(error.to_string()))?;
        }
    }
    Ok(TlsConnector::from(Arc::new(ClientConfig::builder().with_root_certificates(roots).with_no_client_auth())))
}

/// A connection, with or without TLS.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Does the same with either kind of stream.
macro_rules! either {
    ($stream:expr, $inner:ident => $do:expr) => {
        match $stream.get_mut() {
            Stream::Plain($inner) => $do,
            Stream::Tls($inner) => $do,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_read(cx, into))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self, stream => Pin::new(stream).poll_write_vectored(cx, parts))
    }

    /// Whether parts go out together. Where they do, a body goes out from where it lies; else it is copied behind
    /// the head, which TLS, that must make other bytes of it anyway, does not mind.
    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self, stream => Pin::new(stream).poll_shutdown(cx))
    }
}
