//! The target of the S3 sink, made once before a task begins and shared by its lanes: endpoints looked up, credentials
//! found, certificates read, keys checked. Never changed after that, and asks nothing of the store.

use std::fmt;
use std::sync::Arc;

use http::Uri;
use object_store::aws::{AmazonS3, AmazonS3Builder, AwsCredentialProvider};
use object_store::{ClientOptions, RetryConfig, StaticCredentialProvider};

use super::connections::Connections;
use super::credentials::{Found, LaneCredentials, PROCESS, Surroundings};
use super::dial::{Dial, Resolve, system_resolve};
use super::keys::Keys;
use super::spec::{S3Spec, Signing, Style};
use crate::error::{Code, Error, Result};
use crate::layout::Layout;

/// Where the objects of one layout are in a store.
pub struct S3Target {
    pub(super) spec: S3Spec,
    pub(super) layout: Layout,
    pub(super) keys: Keys,
    pub(super) region: String,
    /// What requests go to: endpoint and bucket.
    pub(super) bases: Vec<Base>,
    dial: Arc<Dial>,
    credentials: AwsCredentialProvider,
}

/// One endpoint, as the plan names it, and where the bucket is on it.
pub(super) struct Base {
    pub(super) endpoint: String,
    pub(super) bucket_url: String,
    uri: Uri,
}

impl fmt::Debug for S3Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Target").field("spec", &self.spec).field("keys", &self.keys).finish_non_exhaustive()
    }
}

fn invalid(what: String, mend: &str) -> Error {
    Error::new(Code::InvalidArgument, what, mend)
}

impl Base {
    fn new(endpoint: &str, spec: &S3Spec) -> Result<Self> {
        let refuse = |why: &str| {
            invalid(format!("the endpoint {endpoint:?} cannot be used: {why}"), "write it as `https://host:port`")
        };
        let url = url::Url::parse(endpoint).map_err(|error| refuse(&error.to_string()))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("its scheme is neither http nor https"));
        }
        // What stands before an @ would be a secret in a plan.
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid(
                "an endpoint has a user or password in it".into(),
                "give credentials by the environment or a profile",
            ));
        }
        if url.query().is_some() || url.fragment().is_some() || !matches!(url.path(), "" | "/") {
            return Err(refuse("something stands behind the host and the port"));
        }
        let host = url.host_str().ok_or_else(|| refuse("it has no host"))?;
        let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
        let scheme = url.scheme();
        let bucket_url = match spec.style {
            Style::Path => format!("{scheme}://{host}{port}/{}", spec.bucket),
            Style::Virtual => format!("{scheme}://{}.{host}{port}", spec.bucket),
        };
        let uri = bucket_url.parse().map_err(|_| refuse("with the bucket's name it makes no address"))?;
        Ok(Self { endpoint: format!("{scheme}://{host}{port}"), bucket_url, uri })
    }
}

impl S3Target {
    /// Looks at everything that can be looked at without a request.
    ///
    /// # Errors
    /// [`Code::InvalidArgument`] for what makes no sense, a key that is too long included; [`Code::AccessDenied`]
    /// when there are no credentials; [`Code::Unreachable`] when an endpoint has no address.
    pub fn prepare(spec: S3Spec, layout: Layout) -> Result<Self> {
        Self::prepare_in(spec, layout, &PROCESS, &system_resolve)
    }

    pub(super) fn prepare_in(
        spec: S3Spec,
        layout: Layout,
        surroundings: &Surroundings<'_>,
        resolve: Resolve<'_>,
    ) -> Result<Self> {
        let valid_bucket = (3..=63).contains(&spec.bucket.len())
            && spec.bucket.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b'_'));
        if !valid_bucket {
            let mend = "use 3 to 63 lower-case letters, digits, dots and hyphens";
            return Err(invalid(format!("{:?} is no name of a bucket", spec.bucket), mend));
        }
        if spec.endpoints.is_empty() {
            return Err(invalid("there is no endpoint".into(), "give at least one"));
        }
        if spec.retries.attempts == 0 {
            return Err(invalid("0 attempts would send nothing".into(), "give at least one"));
        }
        let keys = Keys::new(&spec.prefix, &spec.run)?;
        keys.check(&layout)?;
        let bases = spec.endpoints.iter().map(|endpoint| Base::new(endpoint, &spec)).collect::<Result<Vec<_>>>()?;
        let uris: Vec<_> = bases.iter().map(|base| base.uri.clone()).collect();
        let dial = Arc::new(Dial::new(&uris, spec.ca.as_deref(), resolve)?);
        let region = spec.region.clone().unwrap_or_else(|| surroundings.region());
        let credentials = shared_credentials(surroundings.credentials()?, &region, &dial)?;
        Ok(Self { spec, layout, keys, region, bases, dial, credentials })
    }

    /// What all keys of the run begin with.
    pub fn root(&self) -> &str {
        self.keys.root()
    }

    /// An object's key.
    pub fn key_of(&self, object: u64) -> String {
        self.keys.of(&self.layout, object)
    }

    /// The connections of a lane, and the client crate's store on them.
    pub(super) fn client(&self, lane: usize) -> Result<(Connections, AmazonS3)> {
        let base = &self.bases[lane % self.bases.len()];
        let connections = Connections::new(Arc::clone(&self.dial), lane);
        let endpoint = match self.spec.style {
            Style::Path => &base.endpoint,
            Style::Virtual => &base.bucket_url,
        };
        let store = builder(connections.clone())
            .with_endpoint(endpoint)
            .with_virtual_hosted_style_request(self.spec.style == Style::Virtual)
            .with_bucket_name(&self.spec.bucket)
            .with_region(&self.region)
            .with_unsigned_payload(self.spec.signing == Signing::Unsigned)
            .with_disable_bulk_delete(true)
            .with_credentials(Arc::new(LaneCredentials::new(Arc::clone(&self.credentials))))
            .build()
            .map_err(|error| invalid(format!("the target cannot be used: {error}"), "mend the plan's target"))?;
        Ok((connections, store))
    }
}

/// Retries are the engine's, and times are its own too.
fn builder(connections: Connections) -> AmazonS3Builder {
    let no_retries = RetryConfig { max_retries: 0, ..RetryConfig::default() };
    AmazonS3Builder::new()
        .with_retry(no_retries)
        .with_client_options(ClientOptions::new().with_allow_http(true))
        .with_http_connector(connections)
}

/// Credentials for all lanes. Those that expire are fetched by the lane that needs them first.
fn shared_credentials(found: Found, region: &str, dial: &Arc<Dial>) -> Result<AwsCredentialProvider> {
    let settings = match found {
        Found::Keys(keys) => return Ok(Arc::new(StaticCredentialProvider::new(keys))),
        Found::Fetch(settings) => settings,
    };
    let fetches = builder(Connections::new(Arc::clone(dial), 0).beside());
    let fetches = fetches.with_region(region).with_bucket_name("credentials");
    let fetches = settings.into_iter().fold(fetches, |fetches, (key, value)| fetches.with_config(key, value));
    let store = fetches.build().map_err(|error| {
        let what = format!("credentials cannot be fetched: {error}");
        Error::new(Code::AccessDenied, what, "look at the AWS_ variables of the agents' environment")
    })?;
    Ok(Arc::clone(store.credentials()))
}
