//! What an answer that is no success means to a user. The one place where a status, a code of S3 or a broken
//! connection becomes an [`Error`].

use serde::Deserialize;

use super::attempt::{Attempt, Broken};
use super::request::S3Error;
use crate::error::{Code, Error};

/// The longest text of a server that is shown.
const MAX_MESSAGE: usize = 300;

/// What a server said when it refused: the two parts of its answer that can hold no secret.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct Refusal {
    /// S3's own name for it, such as `NoSuchKey`.
    pub(super) code: String,
    /// In the server's words.
    pub(super) message: String,
}

impl Refusal {
    /// Reads the XML of an answer; empty when it is none.
    pub(super) fn read(body: &[u8]) -> Self {
        let mut refusal: Self = quick_xml::de::from_reader(body).unwrap_or_default();
        refusal.message = refusal.message.chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
        refusal.code.retain(|c| c.is_ascii_alphanumeric() || c == '.');
        refusal
    }
}

/// What went wrong with an attempt at `what` ("PUT bucket/key"); `client` is what the client crate says, for what
/// neither the server nor the connection is to blame for.
pub(super) fn error_of(what: &str, endpoint: &str, attempt: &Attempt, client: &str) -> S3Error {
    let status = attempt.status.get();
    if let Some(error) = attempt.bare.borrow().as_ref() {
        return S3Error { status: 0, error: error.clone() };
    }
    if let Some(broken) = attempt.broken.borrow().as_ref() {
        let why = match broken {
            Broken::Connect(why) => format!("no connection to {endpoint}: {why}"),
            Broken::Lost(why) => format!("the connection to {endpoint} broke: {why}"),
        };
        let mend = "look whether the server runs and whether this host can reach it";
        return S3Error { status, error: Error::new(Code::Unreachable, format!("could not {what}: {why}"), mend) };
    }
    let refusal = attempt.refusal.borrow();
    if let (Some(refusal), true) = (refusal.as_ref(), status != 0) {
        let (code, mend) = meaning(status, &refusal.code);
        let said = match (refusal.code.is_empty(), refusal.message.is_empty()) {
            (true, _) => String::new(),
            (false, true) => format!(" {}", refusal.code),
            (false, false) => format!(" {} ({})", refusal.code, refusal.message),
        };
        let error = Error::new(code, format!("could not {what}: {endpoint} answered {status}{said}"), mend);
        return S3Error { status, error };
    }
    let error = Error::new(
        Code::Io,
        format!("could not {what}: {client}"),
        "look whether the endpoint is an S3 server, and at its log",
    );
    S3Error { status, error }
}

/// What an attempt that took too long is called.
pub(super) fn timed_out(what: &str, endpoint: &str, timeout_ns: u64) -> S3Error {
    let seconds = timeout_ns as f64 / 1e9;
    let what = format!("could not {what}: {endpoint} did not answer in {seconds} s");
    let mend = "look whether the server still answers, or give the plan a longer time-out";
    S3Error { status: 0, error: Error::new(Code::Unreachable, what, mend) }
}

fn meaning(status: u16, code: &str) -> (Code, &'static str) {
    match (status, code) {
        (_, "NoSuchBucket") => (Code::TargetMissing, "make the bucket, or mend its name in the plan"),
        (_, "RequestTimeTooSkewed") => (Code::AccessDenied, "set this host's clock right"),
        (_, "ExpiredToken" | "TokenRefreshRequired") => (Code::AccessDenied, "get new credentials"),
        (_, "QuotaExceeded" | "InsufficientCapacity" | "XMinioStorageFull") | (507, _) => {
            (Code::DiskFull, "free space in the store or raise the quota, or make the data smaller")
        }
        (404, "NoSuchUpload") => (Code::Io, "look who else aborts uploads in this bucket"),
        (404, _) => (Code::ObjectMissing, "write the data before it is read, with the same layout"),
        (416, _) => (Code::ObjectMissing, "write the data before it is read, with the same layout"),
        (401 | 403, _) => (Code::AccessDenied, "look at the credentials, and at what the bucket's policy lets them do"),
        (429 | 503, _) => (Code::Io, "the store says that it has too much to do: lower the load, or find out why"),
        (500.., _) => (Code::Io, "look at the store's log"),
        (301 | 307, _) => (Code::Io, "name the endpoint and the region that the bucket is in"),
        _ => (Code::Io, "look at the plan's target and at the store's log"),
    }
}

/// Whether a further attempt may go better.
pub(super) fn may_pass(error: &S3Error) -> bool {
    match error.status {
        0 => error.error.code == Code::Unreachable,
        408 | 429 => true,
        status => error.error.code == Code::Unreachable || (status >= 500 && status != 507),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, body: &str) -> S3Error {
        let attempt = Attempt::default();
        attempt.status.set(status);
        attempt.refusal.replace(Some(Refusal::read(body.as_bytes())));
        error_of("GET bucket/key", "http://host", &attempt, "")
    }

    #[test]
    fn what_a_user_must_tell_apart_has_codes_of_its_own() {
        let code = |status, name: &str| refused(status, &format!("<Error><Code>{name}</Code></Error>")).error.code;
        assert_eq!(code(404, "NoSuchKey"), Code::ObjectMissing);
        assert_eq!(code(404, "NoSuchBucket"), Code::TargetMissing);
        assert_eq!(code(403, "SignatureDoesNotMatch"), Code::AccessDenied);
        assert_eq!(code(416, "InvalidRange"), Code::ObjectMissing);
        assert_eq!(code(507, ""), Code::DiskFull);
        assert_eq!(code(503, "SlowDown"), Code::Io);
    }

    #[test]
    fn the_message_names_status_code_and_the_servers_words_and_nothing_else_of_its_answer() {
        let body =
            "<Error><Code>SlowDown</Code><Message>Please\nwait</Message><StringToSign>secret</StringToSign></Error>";
        let what = refused(503, body).error.what;
        assert_eq!(what, "could not GET bucket/key: http://host answered 503 SlowDown (Pleasewait)");
        assert_eq!(refused(500, "<html>").error.what, "could not GET bucket/key: http://host answered 500");
    }

    #[test]
    fn only_what_may_pass_is_tried_again() {
        for (status, passes) in [(500, true), (503, true), (429, true), (408, true), (507, false), (404, false)] {
            assert_eq!(may_pass(&refused(status, "")), passes, "{status}");
        }
        assert!(may_pass(&timed_out("GET b/k", "http://host", 1_000_000_000)));
        assert!(!may_pass(&error_of("GET b/k", "http://host", &Attempt::default(), "no such thing")));
    }
}
