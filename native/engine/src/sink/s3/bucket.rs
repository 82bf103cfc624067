//! What is asked of the bucket about one run's prefix, page by page: what is in it, which uploads were begun and never
//! ended, which versions were left. Removes only what has a key that the layout makes.

use std::rc::Rc;
use std::time::SystemTime;

use http::Method;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use serde::Deserialize;

use super::attempt::Attempt;
use super::counts::RequestKind;
use super::request::S3Error;
use super::store::Store;
use super::target::S3Target;
use crate::error::{Code, Error};

/// What a bucket answered to a look at it.
#[derive(Clone, Copy, Debug)]
pub struct BucketSeen {
    /// What the server's clock said, to the second; none when it did not say.
    pub server_time: Option<SystemTime>,
}

/// One page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Numbers and lengths of the layout's objects that are in it.
    pub objects: Vec<(u64, u64)>,
    /// Keys that the layout does not make.
    pub foreign: Vec<String>,
    /// What the next page is asked for with; none after the last.
    pub next: Option<String>,
}

/// A page of names.
#[derive(Debug)]
pub(crate) struct Names {
    /// Without what stands before them.
    pub(crate) names: Vec<String>,
    /// What the next page is asked for with; none after the last.
    pub(crate) next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
struct Uploads {
    upload: Vec<UploadEntry>,
    is_truncated: bool,
    next_key_marker: String,
    next_upload_id_marker: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct UploadEntry {
    key: String,
    upload_id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Versions {
    version: Vec<VersionEntry>,
    delete_marker: Vec<VersionEntry>,
    is_truncated: bool,
    next_key_marker: String,
    next_version_id_marker: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct VersionEntry {
    key: String,
    version_id: String,
}

impl Store {
    /// Whether the bucket is there and may be asked.
    pub(super) async fn look(&self) -> Result<BucketSeen, S3Error> {
        let what = self.about("HEAD", "");
        let asked = self.patiently(RequestKind::Head, &what, async |store: &Self, attempt| {
            store.ask(attempt, Method::HEAD, "", &[]).await?;
            Ok(BucketSeen { server_time: attempt.server_time.get() })
        });
        match asked.await {
            // The answer to HEAD has no body, so no code of S3 in it.
            Err(error) if error.status == 404 => {
                let what = format!("the bucket {:?} is not at {}", self.target.spec.bucket, self.base().endpoint);
                let mend = "make the bucket, or mend its name in the plan";
                Err(S3Error { status: 404, error: Error::new(Code::TargetMissing, what, mend) })
            }
            outcome => outcome,
        }
    }

    /// A page of what is below the run's prefix.
    pub(super) async fn list(&self, attempt: &Rc<Attempt>, page: Option<String>) -> Result<Page, S3Error> {
        let root = self.target.keys.root();
        let options = PaginatedListOptions { page_token: page, ..PaginatedListOptions::default() };
        let call = self.s3.list_paginated(Some(root), options);
        let found = self.attempt(attempt, || self.about("LIST", root), call).await?;
        let mut page = Page { objects: Vec::new(), foreign: Vec::new(), next: found.page_token };
        for entry in found.result.objects {
            let key = String::from(entry.location);
            match self.target.keys.object_of(&self.target.layout, &key) {
                Some(object) => page.objects.push((object, entry.size)),
                None => page.foreign.push(key),
            }
        }
        Ok(page)
    }

    /// A page of the names right below a prefix: of objects, and of what further keys begin with.
    pub(super) async fn names(
        &self,
        attempt: &Rc<Attempt>,
        prefix: &str,
        page: Option<String>,
    ) -> Result<Names, S3Error> {
        let delimiter = Some("/".into());
        let options = PaginatedListOptions { page_token: page, delimiter, ..PaginatedListOptions::default() };
        let call = self.s3.list_paginated(Some(prefix), options);
        let found = self.attempt(attempt, || self.about("LIST", prefix), call).await?;
        let objects = found.result.objects.into_iter().map(|entry| entry.location);
        let names = objects.chain(found.result.common_prefixes).filter_map(|path| path.filename().map(str::to_owned));
        Ok(Names { names: names.collect(), next: found.page_token })
    }

    /// Aborts every upload of the run that is still open, whoever began it; how many there were.
    pub(super) async fn abort_uploads(&self) -> Result<u64, S3Error> {
        let (mut aborted, mut key_marker, mut id_marker) = (0, String::new(), String::new());
        loop {
            let mut query = vec![("uploads", ""), ("prefix", self.target.keys.root())];
            if !key_marker.is_empty() {
                query.extend([("key-marker", key_marker.as_str()), ("upload-id-marker", id_marker.as_str())]);
            }
            let page: Uploads = self.ask_list(&query).await?;
            for UploadEntry { key, upload_id } in &page.upload {
                if self.is_own(key) {
                    let removed = self.remove(key, ("uploadId", upload_id)).await;
                    aborted += u64::from(gone_is_fine(removed)?);
                }
            }
            let on =
                page.is_truncated && (&page.next_key_marker, &page.next_upload_id_marker) != (&key_marker, &id_marker);
            if !on {
                return Ok(aborted);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_upload_id_marker);
        }
    }

    /// Removes every version and delete marker of the objects that `of` names, in a bucket that keeps versions; how
    /// many there were.
    pub(super) async fn remove_versions(&self, of: &dyn Fn(u64) -> bool) -> Result<u64, S3Error> {
        let S3Target { keys, layout, .. } = &*self.target;
        self.remove_versions_of(keys.root(), &|key| keys.object_of(layout, key).is_some_and(of)).await
    }

    /// The same of all keys below `prefix` that `of` names.
    pub(super) async fn remove_versions_of(&self, prefix: &str, of: &dyn Fn(&str) -> bool) -> Result<u64, S3Error> {
        let (mut removed, mut key_marker, mut id_marker) = (0, String::new(), String::new());
        loop {
            let mut query = vec![("versions", ""), ("prefix", prefix)];
            if !key_marker.is_empty() {
                query.extend([("key-marker", key_marker.as_str()), ("version-id-marker", id_marker.as_str())]);
            }
            let page: Versions = self.ask_list(&query).await?;
            for VersionEntry { key, version_id } in page.version.iter().chain(&page.delete_marker) {
                if of(key) {
                    let outcome = self.remove(key, ("versionId", version_id)).await;
                    removed += u64::from(gone_is_fine(outcome)?);
                }
            }
            let on =
                page.is_truncated && (&page.next_key_marker, &page.next_version_id_marker) != (&key_marker, &id_marker);
            if !on {
                return Ok(removed);
            }
            (key_marker, id_marker) = (page.next_key_marker, page.next_version_id_marker);
        }
    }

    async fn remove(&self, key: &str, which: (&str, &str)) -> Result<Vec<u8>, S3Error> {
        let what = self.about("DELETE", key);
        let asked = self.patiently(RequestKind::Delete, &what, async |store: &Self, attempt| {
            store.ask(attempt, Method::DELETE, key, &[which]).await
        });
        asked.await
    }

    fn is_own(&self, key: &str) -> bool {
        self.target.keys.object_of(&self.target.layout, key).is_some()
    }
}

/// Whether this call removed it; that somebody else was faster is no error.
fn gone_is_fine(outcome: Result<Vec<u8>, S3Error>) -> Result<bool, S3Error> {
    match outcome {
        Ok(_) => Ok(true),
        Err(error) if error.status == 404 => Ok(false),
        Err(error) => Err(error),
    }
}
