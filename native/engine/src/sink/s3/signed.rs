//! Requests that the client crate has no call for, signed by its own signer: what is asked of a bucket, and versions.

use std::rc::Rc;

use http::Method;
use object_store::aws::AwsAuthorizer;
use object_store::client::{HttpRequest, HttpRequestBody, HttpService};
use serde::de::DeserializeOwned;

use super::answer::error_of;
use super::attempt::Attempt;
use super::counts::RequestKind;
use super::request::S3Error;
use super::store::Store;
use crate::error::{Code, Error};

impl Store {
    /// Asks for a key, or for the bucket when that is empty; the body of the answer.
    pub(super) async fn ask(
        &self,
        attempt: &Rc<Attempt>,
        method: Method,
        key: &str,
        query: &[(&str, &str)],
    ) -> Result<Vec<u8>, S3Error> {
        let what = self.about(method.as_str(), key);
        let failed = |client: String| error_of(&what, &self.base().endpoint, attempt, &client);
        let mut url = url::Url::parse(&self.base().bucket_url).map_err(|error| failed(error.to_string()))?;
        if !key.is_empty() {
            let _ = url.path_segments_mut().map(|mut path| _ = path.pop_if_empty().extend(key.split('/')));
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = HttpRequest::new(HttpRequestBody::empty());
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|error: http::uri::InvalidUri| failed(error.to_string()))?;
        let answer = attempt.scope(async {
            let credential = self.s3.credentials().get_credential().await.map_err(|error| error.to_string())?;
            AwsAuthorizer::new(&credential, "s3", &self.target.region)
                .try_authorize(&mut request, None)
                .map_err(|error| error.to_string())?;
            self.connections.call(request).await.map_err(|error| error.to_string())
        });
        let answer = answer.await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(failed(String::new()));
        }
        answer.into_body().bytes().await.map(Into::into).map_err(|error| failed(error.to_string()))
    }

    /// The same, for a list in XML; empty where the store has no such list, as those that keep no versions.
    pub(super) async fn ask_list<T: DeserializeOwned + Default>(&self, query: &[(&str, &str)]) -> Result<T, S3Error> {
        let what = self.about("LIST", self.target.root());
        let asked = self.patiently(RequestKind::List, &what, async |store: &Self, attempt| {
            let body = store.ask(attempt, Method::GET, "", query).await?;
            quick_xml::de::from_reader(body.as_slice()).map_err(|error| S3Error {
                status: attempt.status.get(),
                error: Error::new(
                    Code::Io,
                    format!("{} answered what is no list of S3: {error}", store.base().endpoint),
                    "look whether the endpoint is an S3 server",
                ),
            })
        });
        match asked.await {
            // Some say of a list without entries that it is not found.
            Err(error) if error.status == 501 || (error.status == 404 && error.error.code != Code::TargetMissing) => {
                Ok(T::default())
            }
            outcome => outcome,
        }
    }
}
