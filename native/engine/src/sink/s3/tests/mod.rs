//! The lane's face of the S3 sink, on a real server and on one that misbehaves.

mod faults;
mod notes;
mod scripted;
mod secrets;
mod styles;
mod traffic;
mod weed;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;

use self::weed::{BUCKET, KEY_ID, SECRET, Weed};
use super::credentials::Surroundings;
use super::*;
use crate::clock::now_ns;
use crate::error::Result;
use crate::layout::Layout;

const UNIT: u64 = 4096;
const SECOND: u64 = 1_000_000_000;

/// 40 units, 4 to an object.
fn layout() -> Layout {
    Layout::new(UNIT, 40, 4).unwrap()
}

fn spec(endpoint: &str) -> S3Spec {
    S3Spec {
        endpoints: vec![endpoint.to_owned()],
        bucket: BUCKET.into(),
        prefix: "tests/of lanes".into(),
        run: "run-1".into(),
        region: None,
        style: Style::Path,
        ca: None,
        signing: Signing::Unsigned,
        retries: Retries { attempts: 1, backoff_ns: 0 },
        attempt_timeout_ns: 20 * SECOND,
    }
}

/// The target, with the credentials of the tests' servers; hosts that end in `.test` are this one.
fn target_as(spec: S3Spec, key_id: &str, secret: &str) -> Result<Arc<S3Target>> {
    let variable = |name: &str| match name {
        "AWS_ACCESS_KEY_ID" => Some(key_id.to_owned()),
        "AWS_SECRET_ACCESS_KEY" => Some(secret.to_owned()),
        _ => None,
    };
    let surroundings = Surroundings { variable: &variable, file: &|_: &Path| None };
    let resolve = |host: &str, port: u16| -> std::io::Result<Vec<SocketAddr>> {
        let host = if host.ends_with(".test") { "127.0.0.1" } else { host };
        Ok((host, port).to_socket_addrs()?.collect())
    };
    S3Target::prepare_in(spec, layout(), &surroundings, &resolve).map(Arc::new)
}

fn target(spec: S3Spec) -> Arc<S3Target> {
    target_as(spec, KEY_ID, SECRET).unwrap()
}

fn lane(spec: S3Spec) -> S3Lane {
    S3Lane::new(target(spec), 0, || u64::MAX).unwrap()
}

impl S3Lane {
    /// One request from its beginning to its end.
    fn once(&mut self, request: S3Request, memory: &mut [u8]) -> S3Done {
        // SAFETY: the memory outlives this call, which returns only when the request has ended.
        unsafe { self.submit(0, request, memory.as_mut_ptr(), memory.len()) };
        let mut done = Vec::new();
        while done.is_empty() {
            self.wait(now_ns() + 60 * SECOND, &mut done);
        }
        done.pop().unwrap()
    }

    fn put(&mut self, object: u64, memory: &mut [u8]) -> S3Done {
        self.once(S3Request::PutObject { object }, memory)
    }

    fn get(&mut self, object: u64, offset: u64, bytes: usize) -> std::result::Result<Vec<u8>, S3Error> {
        let mut memory = vec![0xa5; bytes];
        self.once(S3Request::Get { object, offset }, &mut memory).outcome.map(|_| memory)
    }
}

/// Bytes that are different for each object.
fn content(object: u64) -> Vec<u8> {
    (0..4 * UNIT).map(|at| (at * 7 + at / 251 + object * 31) as u8).collect()
}

/// Numbers of the objects that a list finds.
fn listed(lane: &mut S3Lane) -> Vec<u64> {
    let (mut objects, mut page) = (Vec::new(), None);
    loop {
        let found = lane.list(page).unwrap();
        assert!(found.foreign.is_empty(), "{:?}", found.foreign);
        assert!(found.objects.iter().all(|(_, bytes)| *bytes == 4 * UNIT));
        objects.extend(found.objects.iter().map(|(object, _)| *object));
        match found.next {
            Some(next) => page = Some(next),
            None => return objects,
        }
    }
}
