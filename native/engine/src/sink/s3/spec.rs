//! What a user may choose of the S3 sink. Holds no secret: credentials come from where the usual tools find them.

use std::path::PathBuf;

/// How the bucket is named in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// In the path: `https://host/bucket/key`.
    Path,
    /// In the host: `https://bucket.host/key`.
    Virtual,
}

/// Whether a signature covers the bytes of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signing {
    /// SHA-256 of the bytes is part of the signature; it costs the lane's CPU time.
    Signed,
    /// `UNSIGNED-PAYLOAD`.
    Unsigned,
}

/// What the engine does with a request that failed in a way that may pass. The client crate never retries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// Attempts in all, at least 1.
    pub attempts: u32,
    /// Wait before the second attempt, in ns; it doubles with each further one, up to 10 s.
    pub backoff_ns: u64,
}

/// Where objects go, and how.
#[derive(Clone, Debug)]
pub struct S3Spec {
    /// Endpoints, `https://host:port`, dealt out to lanes by number.
    pub endpoints: Vec<String>,
    /// The bucket; it must exist.
    pub bucket: String,
    /// What all keys begin with; may be empty.
    pub prefix: String,
    /// The run's id: the keys' next part.
    pub run: String,
    /// Region of the signature. `None`: as the environment or the profile says, else `us-east-1`.
    pub region: Option<String>,
    /// How the bucket is named.
    pub style: Style,
    /// A PEM file of certificate authorities to trust, besides those of the system.
    pub ca: Option<PathBuf>,
    /// Whether signatures cover the bytes.
    pub signing: Signing,
    /// The engine's own retries.
    pub retries: Retries,
    /// After this long, in ns, an attempt is given up.
    pub attempt_timeout_ns: u64,
}
