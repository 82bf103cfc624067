//! Small objects beside a run's data, by which runs and agents tell each other something: locks, and tokens that prove
//! that a store is the same for all. They lie below the target's prefix, outside every run's own place. Must never know
//! what they say.

use std::rc::Rc;

use futures_util::StreamExt;
use http::Method;
use object_store::path::Path;
use object_store::{GetOptions, ObjectStore, PutOptions, PutPayload};

use super::attempt::Attempt;
use super::counts::RequestKind;
use super::lane::S3Lane;
use super::request::S3Error;
use super::store::Store;
use crate::error::Result;

/// Notes are read whole; nothing of ours is longer.
pub const MAX_NOTE_BYTES: usize = 4096;

impl S3Lane {
    /// Writes a note, or writes it anew.
    ///
    /// # Errors
    /// As the store answers; [`crate::error::Code::InvalidArgument`] for a name that is no note's.
    pub fn put_note(&mut self, name: &str, text: &str) -> Result<()> {
        let key = self.target().keys.note(name)?;
        let what = self.about("PUT", &key);
        Ok(self.ask(RequestKind::Put, &what, async |store, attempt| store.put_note(attempt, &key, text).await)?)
    }

    /// What a note says; empty when it is longer than any of ours; `None`: it is not there, or is no text.
    ///
    /// # Errors
    /// As for [`S3Lane::put_note`].
    pub fn note(&mut self, name: &str) -> Result<Option<String>> {
        let key = self.target().keys.note(name)?;
        let what = self.about("GET", &key);
        match self.ask(RequestKind::Get, &what, async |store, attempt| store.note(attempt, &key).await) {
            Ok(bytes) => Ok(String::from_utf8(bytes).ok()),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes a note with all versions that a bucket keeps of it; one that is not there counts as removed.
    ///
    /// # Errors
    /// As for [`S3Lane::put_note`].
    pub fn remove_note(&mut self, name: &str) -> Result<()> {
        let key = self.target().keys.note(name)?;
        let what = self.about("DELETE", &key);
        let removed = self.ask(RequestKind::Delete, &what, async |store, attempt| {
            store.ask(attempt, Method::DELETE, &key, &[]).await
        });
        match removed {
            Err(error) if !error.is_missing() => return Err(error.into()),
            _ => {}
        }
        self.wait_for(async |store, _| store.remove_versions_of(&key, &|other| other == key).await)?;
        Ok(())
    }

    /// Names of the notes in a folder of notes, without the folder's.
    ///
    /// # Errors
    /// As for [`S3Lane::put_note`].
    pub fn notes(&mut self, folder: &str) -> Result<Vec<String>> {
        let below = self.target().keys.note(folder)? + "/";
        let what = self.about("LIST", &below);
        let (mut names, mut page) = (Vec::new(), None);
        loop {
            let asked = self.ask(RequestKind::List, &what, async |store, attempt| {
                store.names(attempt, &below, page.clone()).await
            })?;
            names.extend(asked.names);
            page = asked.next;
            if page.is_none() {
                // Of a folder that was emptied, SeaweedFS lists the folder itself.
                names.retain(|name| folder.rsplit('/').next() != Some(name));
                return Ok(names);
            }
        }
    }
}

impl Store {
    async fn put_note(&self, attempt: &Rc<Attempt>, key: &str, text: &str) -> std::result::Result<(), S3Error> {
        let call = async {
            let payload = PutPayload::from(text.as_bytes().to_vec());
            self.s3.put_opts(&Path::parse(key)?, payload, PutOptions::default()).await
        };
        self.attempt(attempt, || self.about("PUT", key), call).await.map(|_| ())
    }

    async fn note(&self, attempt: &Rc<Attempt>, key: &str) -> std::result::Result<Vec<u8>, S3Error> {
        let call = async {
            attempt.streams.set(true);
            let mut body = self.s3.get_opts(&Path::parse(key)?, GetOptions::default()).await?.into_stream();
            let mut read = Vec::new();
            while let Some(bytes) = body.next().await {
                read.extend_from_slice(&bytes?);
                if read.len() > MAX_NOTE_BYTES {
                    // Somebody else's; what is left of it takes the connection with it.
                    return Ok(Vec::new());
                }
            }
            Ok(read)
        };
        self.attempt(attempt, || self.about("GET", key), call).await
    }
}
