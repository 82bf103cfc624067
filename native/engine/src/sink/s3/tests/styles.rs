use std::sync::atomic::Ordering;

use super::scripted::{Act, Scripted};
use super::*;
use crate::error::Code;

#[test]
fn a_bucket_in_the_hosts_name_is_the_same_bucket() {
    let Some(weed) = Weed::start_with(&["-s3.domainName=s3.test"]) else { return };
    let endpoint = format!("http://s3.test:{}", weed.port());
    let mut by_host = lane(S3Spec { style: Style::Virtual, ..spec(&endpoint) });
    by_host.look().unwrap();
    by_host.put(2, &mut content(2)).outcome.unwrap();
    let upload = by_host.begin_upload(3).unwrap();
    let mut by_path = lane(spec(&endpoint));
    assert_eq!(listed(&mut by_path), [2]);
    assert_eq!(by_path.get(2, 0, 4 * UNIT as usize).unwrap(), content(2));
    assert_eq!(by_host.abort_uploads().unwrap(), 1, "{upload:?}");
}

#[test]
fn only_a_server_whose_authority_the_plan_names_is_trusted() {
    let made = rcgen::generate_simple_self_signed(["s3.test".to_owned()]).unwrap();
    let folder = std::env::temp_dir().join(format!("seedstorm-tls-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let options = [format!("-s3.cert.file={}", certificate.display()), format!("-s3.key.file={}", key.display())];
    let Some(weed) = Weed::start_with(&[&options[0], &options[1]]) else { return };
    let endpoint = format!("https://s3.test:{}", weed.port());
    let mut trusting = lane(S3Spec { ca: Some(certificate.clone()), ..spec(&endpoint) });
    trusting.look().unwrap();
    trusting.put(1, &mut content(1)).outcome.unwrap();
    assert_eq!(trusting.get(1, 0, 4 * UNIT as usize).unwrap(), content(1));
    let wary = lane(spec(&endpoint)).put(1, &mut content(1)).outcome.unwrap_err();
    assert!(wary.error.code == Code::Unreachable && wary.error.what.contains("certificate"), "{}", wary.error.what);
    let no_file = target_as(S3Spec { ca: Some(folder.join("absent")), ..spec(&endpoint) }, KEY_ID, SECRET);
    assert_eq!(no_file.unwrap_err().code, Code::InvalidArgument);
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn endpoints_are_dealt_out_to_lanes_by_number() {
    let answer = Act::Answer("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n");
    let servers = [Scripted::start(&[answer]), Scripted::start(&[answer])];
    let endpoints = servers.iter().map(|server| server.endpoint.clone()).collect();
    let target = target(S3Spec { endpoints, ..spec("") });
    for lane in 0..4 {
        S3Lane::new(Arc::clone(&target), lane, || u64::MAX).unwrap().put(0, &mut content(0)).outcome.unwrap();
    }
    for server in servers {
        assert_eq!(server.connections.load(Ordering::Relaxed), 2, "each lane has connections of its own");
    }
}

#[test]
fn signatures_cover_the_bytes_only_where_the_plan_wants_it() {
    let answer = Act::Answer("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: 0\r\n\r\n");
    let server = Scripted::start(&[answer]);
    let sent = |signing| {
        let mut lane = lane(S3Spec { signing, region: Some("eu-north-7".into()), ..spec(&server.endpoint) });
        lane.put(0, &mut content(0)).outcome.unwrap();
        server.heads.lock().unwrap().pop().unwrap()
    };
    let unsigned = sent(Signing::Unsigned);
    assert!(unsigned.contains("x-amz-content-sha256: UNSIGNED-PAYLOAD"), "{unsigned}");
    assert!(unsigned.starts_with("PUT /qualify/tests/of%20lanes/run-1/f00000000 HTTP/1.1"), "{unsigned}");
    assert!(unsigned.contains("/eu-north-7/s3/aws4_request"), "{unsigned}");
    assert!(!sent(Signing::Signed).contains("UNSIGNED-PAYLOAD"));
}

#[test]
fn a_target_that_cannot_be_is_refused_before_anything_is_sent() {
    let code = |spec| target_as(spec, KEY_ID, SECRET).unwrap_err().code;
    for endpoint in ["", "s3.host:80", "ftp://host", "http://host/bucket", "http://host?x=1"] {
        assert_eq!(code(spec(endpoint)), Code::InvalidArgument, "{endpoint:?}");
    }
    let good = || spec("http://127.0.0.1:1");
    assert_eq!(code(S3Spec { endpoints: vec![], ..good() }), Code::InvalidArgument);
    assert_eq!(code(S3Spec { bucket: "Not/Good".into(), ..good() }), Code::InvalidArgument);
    assert_eq!(code(S3Spec { prefix: "p".repeat(1020), ..good() }), Code::InvalidArgument);
    assert_eq!(code(S3Spec { retries: Retries { attempts: 0, backoff_ns: 0 }, ..good() }), Code::InvalidArgument);
}
