use super::scripted::{Act, Scripted};
use super::*;
use crate::error::Code;

#[test]
fn credentials_are_in_no_message_and_in_nothing_that_can_be_printed() {
    let Some(weed) = Weed::start() else { return };
    let secret = "another-secret-of-somebody";
    let target = target_as(spec(&weed.endpoint()), KEY_ID, secret).unwrap();
    let mut said = format!("{target:?}");
    let mut lane = S3Lane::new(target, 0, || u64::MAX).unwrap();
    let refused = lane.put(0, &mut content(0));
    said += &format!("{refused:?}");
    let error = refused.outcome.unwrap_err();
    assert_eq!((error.status, error.error.code), (403, Code::AccessDenied), "{}", error.error.what);
    assert!(error.error.what.contains("SignatureDoesNotMatch"), "{}", error.error.what);
    for error in [
        lane.look().unwrap_err(),
        lane.list(None).unwrap_err(),
        lane.abort_uploads().unwrap_err(),
        lane.begin_upload(0).unwrap_err(),
        lane.get(0, 0, 4096).unwrap_err(),
    ] {
        assert_eq!(error.error.code, Code::AccessDenied, "{}", error.error.what);
        said += &format!("{error:?} {}", error.error);
    }
    assert!(!said.contains(secret) && !said.contains("Signature="), "{said}");
    let stranger = target_as(spec(&weed.endpoint()), "NOSUCHKEY", secret).unwrap();
    let error = S3Lane::new(stranger, 0, || u64::MAX).unwrap().put(0, &mut content(0)).outcome.unwrap_err();
    assert_eq!(error.error.code, Code::AccessDenied, "{}", error.error.what);
}

#[test]
fn an_endpoint_with_a_password_in_it_is_refused_without_showing_it() {
    let error = target_as(spec("http://user:hidden@127.0.0.1:1"), KEY_ID, SECRET).unwrap_err();
    assert_eq!(error.code, Code::InvalidArgument);
    assert!(!format!("{error:?}").contains("hidden"));
}

#[test]
fn credentials_that_cannot_be_fetched_are_not_taken_for_a_refusal_by_the_store() {
    let store = Scripted::start(&[Act::Close]);
    let source = Scripted::start(&[Act::Answer("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")]);
    let uri = format!("{}/keys", source.endpoint);
    let variable = |name: &str| (name == "AWS_CONTAINER_CREDENTIALS_FULL_URI").then(|| uri.clone());
    let surroundings = Surroundings { variable: &variable, file: &|_: &Path| None };
    let target =
        S3Target::prepare_in(spec(&store.endpoint), layout(), &surroundings, &super::super::dial::system_resolve);
    let mut lane = S3Lane::new(Arc::new(target.unwrap()), 0, || u64::MAX).unwrap();
    let put = lane.put(0, &mut content(0)).outcome.unwrap_err();
    for error in [put, lane.look().unwrap_err()] {
        assert_eq!((error.status, error.error.code), (0, Code::AccessDenied), "{}", error.error.what);
        assert!(error.error.what.starts_with("there are no credentials for S3"), "{}", error.error.what);
        assert!(!error.error.what.contains(&store.endpoint), "{}", error.error.what);
    }
    assert!(store.heads.lock().unwrap().is_empty(), "nothing was sent to the store");
}
