//! A real S3 server: SeaweedFS, one for each test that asks for it, with ports and a folder of its own.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

pub(super) const KEY_ID: &str = "TESTKEYID";
pub(super) const SECRET: &str = "a-secret-that-nobody-may-see";
pub(super) const BUCKET: &str = "qualify";
/// A bucket that keeps versions.
pub(super) const VERSIONED: &str = "versions";

/// A server that runs until it is dropped.
pub(super) struct Weed {
    folder: PathBuf,
    ports: [u16; 5],
    more: Vec<String>,
    child: Option<Child>,
}

/// The program, installed once; none, with a word about it, when it cannot be had.
fn program() -> Option<&'static str> {
    static PROGRAM: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tools/weed.mjs");
        let found = Command::new("node").arg(tool).output();
        match found {
            Ok(found) if found.status.success() => Some(String::from_utf8(found.stdout).unwrap().trim().to_owned()),
            Ok(found) => skipped(String::from_utf8_lossy(&found.stderr).into_owned()),
            Err(error) => skipped(error.to_string()),
        }
    };
    PROGRAM.get_or_init(find).as_deref()
}

/// Says that a test cannot be made. Where everything must be had, that is a failure.
fn skipped(why: String) -> Option<String> {
    assert!(std::env::var_os("CI").is_none_or(|ci| ci != "true"), "weed cannot be had: {why}");
    eprintln!("skipped: needs weed: {why}");
    None
}

/// A port that is free, and 10,000 above it another, for the same service's gRPC.
fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        // Away from those that the system gives out, and different for processes that run at once.
        let nth = NEXT.fetch_add(1, Ordering::Relaxed) + std::process::id() * 37;
        let port = 12_000 + (nth % 8_000) as u16;
        let free = |port| TcpListener::bind(("127.0.0.1", port)).is_ok();
        if free(port) && free(port + 10_000) {
            return port;
        }
    }
}

impl Weed {
    /// A server on plain HTTP.
    pub(super) fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    /// A server with further options; `FOLDER` in them stands for its folder, which holds the files given.
    pub(super) fn start_with(more: &[&str]) -> Option<Self> {
        let folder = std::env::temp_dir().join(format!("seedstorm-weed-{}-{}", std::process::id(), free_port()));
        program()?;
        std::fs::create_dir(&folder).unwrap();
        let more = more.iter().map(|option| option.replace("FOLDER", folder.to_str().unwrap())).collect();
        let ports = std::array::from_fn(|_| free_port());
        let mut weed = Self { folder, ports, more, child: None };
        weed.start_again();
        Some(weed)
    }

    /// Starts it on the same folder and ports; returns when it answers.
    pub(super) fn start_again(&mut self) {
        let [s3, master, volume, filer, admin] = self.ports;
        let mut command = Command::new(program().unwrap());
        command
            .arg("mini")
            .arg(format!("-dir={}", self.folder.display()))
            .args(["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-webdav=false", "-admin.ui=false"])
            .args(["-master.telemetry=false", "-s3.autoCreateBucket=false", "-s3.port.iceberg=0", "-s3.port.lance=0"])
            .args([format!("-s3.port={s3}"), format!("-master.port={master}"), format!("-volume.port={volume}")])
            .args([format!("-filer.port={filer}"), format!("-admin.port={admin}")])
            .arg(format!("-bucket={BUCKET},{VERSIONED}"))
            .args(&self.more)
            .env("AWS_ACCESS_KEY_ID", KEY_ID)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        // SAFETY: prctl is async-signal-safe. A test that dies takes its server with it.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                Ok(())
            });
        }
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        self.child = Some(child);
        let mut lines = output.lines().map_while(Result::ok);
        assert!(lines.any(|line| line.contains("components are running")), "weed ended before it was ready");
        // Whatever else it says must go somewhere.
        std::thread::spawn(move || lines.for_each(drop));
    }

    /// Ends it as a power cut would.
    pub(super) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Where it answers.
    pub(super) fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.ports[0])
    }

    /// Port of the S3 service.
    pub(super) fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Lets a bucket keep versions from now on.
    pub(super) fn keep_versions(&self) {
        let [_, master, _, filer, _] = self.ports;
        let mut shell = Command::new(program().unwrap())
            .arg("shell")
            .args([format!("-master=127.0.0.1:{master}"), format!("-filer=127.0.0.1:{filer}")])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = format!("s3.bucket.versioning -name {VERSIONED} -status Enabled\n");
        shell.stdin.take().unwrap().write_all(line.as_bytes()).unwrap();
        let said = shell.wait_with_output().unwrap().stdout;
        assert!(String::from_utf8_lossy(&said).contains("set to Enabled"));
    }
}

impl Drop for Weed {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
