//! A server that misbehaves as a test wants it: what a healthy server cannot be made to do.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// What is done with one request, after its head was read.
#[derive(Clone, Copy)]
pub(super) enum Act {
    /// Reads the body and answers with this status line, headers and body.
    Answer(&'static str),
    /// Answers with an object of so many bytes.
    Object(usize),
    /// Answers without reading the body, and leaves the connection open.
    AnswerEarly(&'static str),
    /// Reads the body and never answers.
    Hang,
    /// Closes the connection.
    Close,
}

/// The server; it ends with the test's process.
pub(super) struct Scripted {
    pub(super) endpoint: String,
    pub(super) connections: Arc<AtomicUsize>,
    /// Heads of the requests, as they came.
    pub(super) heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    /// Does `acts`, one for each request, and the last of them for all further ones.
    pub(super) fn start(acts: &[Act]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (connections, heads, next) = (Arc::default(), Arc::default(), Arc::new(AtomicUsize::new(0)));
        let server = Self { endpoint, connections: Arc::clone(&connections), heads: Arc::clone(&heads) };
        let acts = acts.to_vec();
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, Ordering::Relaxed);
                let (acts, heads, next) = (acts.clone(), Arc::clone(&heads), Arc::clone(&next));
                std::thread::spawn(move || serve(stream, &acts, &heads, &next));
            }
        });
        server
    }
}

fn serve(mut stream: TcpStream, acts: &[Act], heads: &Mutex<Vec<String>>, next: &AtomicUsize) {
    while let Some(head) = read_head(&mut stream) {
        let body =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let nth = next.fetch_add(1, Ordering::Relaxed);
        heads.lock().unwrap().push(head);
        let act = acts[nth.min(acts.len() - 1)];
        if matches!(act, Act::Answer(_) | Act::Hang) {
            let mut body = vec![0; body.unwrap_or(0)];
            if stream.read_exact(&mut body).is_err() {
                return;
            }
        }
        match act {
            Act::Answer(answer) | Act::AnswerEarly(answer) => stream.write_all(answer.as_bytes()).unwrap(),
            Act::Object(bytes) => {
                let head = format!("HTTP/1.1 200 OK\r\nETag: \"e\"\r\nContent-Length: {bytes}\r\n\r\n");
                // A client that has given up closes the connection.
                if stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&vec![7; bytes])).is_err() {
                    return;
                }
            }
            Act::Hang => {}
            Act::Close => return,
        }
    }
}

fn read_head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}
