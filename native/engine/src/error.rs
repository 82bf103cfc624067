//! The engine's one error type: a stable code, what happened to what, and what to do next.
//!
//! A code's name is the same on every side: `DirectRefused` here is `SEEDSTORM_E_DIRECT_REFUSED` in TypeScript.

use std::fmt;
use std::path::{Path, PathBuf};

/// Declares the codes once, so that their names in TypeScript and the list of all of them cannot drift apart.
macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $variant:ident => $name:literal,)+) => {
        /// What kind of error it is; stable across versions.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[doc = $doc])+ $variant,)+ }

        impl Code {
            /// Every code, in the order of declaration.
            pub const ALL: &'static [Code] = &[$(Code::$variant,)+];

            /// The code as the other side knows it, without the `SEEDSTORM_E_` in front.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$variant => $name,)+ }
            }
        }
    };
}

codes! {
    /// A parameter is outside its valid range.
    InvalidArgument => "INVALID_ARGUMENT",
    /// The engine was closed before this call.
    EngineClosed => "ENGINE_CLOSED",
    /// A lane asked its own engine to close: it cannot wait for itself to end.
    CloseOnLane => "CLOSE_ON_LANE",
    /// Too many jobs wait for the engine's lanes.
    QueueFull => "QUEUE_FULL",
    /// A lane panicked while it worked on the task.
    LanePanicked => "LANE_PANICKED",
    /// The system refused to start or to pin a thread.
    LaneStart => "LANE_START",
    /// hwloc could not load the machine, the XML file or the synthetic description.
    TopologyUnreadable => "TOPOLOGY_UNREADABLE",
    /// Nothing is left to place a lane on.
    NoCores => "NO_CORES",
    /// A buffer could not be had.
    OutOfMemory => "OUT_OF_MEMORY",
    /// Strict memory does not lie, or would not fit, on its NUMA node.
    NumaMemory => "NUMA_MEMORY",
    /// Too few huge pages are set aside.
    HugePages => "HUGE_PAGES",
    /// Bytes that a lane had just made in memory did not verify.
    SelfCheckFailed => "SELF_CHECK_FAILED",
    /// The target folder does not exist.
    TargetMissing => "TARGET_MISSING",
    /// The target cannot be written to, or is not a folder.
    TargetNotWritable => "TARGET_NOT_WRITABLE",
    /// The file system has no room left.
    DiskFull => "DISK_FULL",
    /// The file system refuses O_DIRECT and the plan insists on it.
    DirectRefused => "DIRECT_REFUSED",
    /// The way for I/O that the plan names cannot be had.
    IoEngine => "IO_ENGINE",
    /// The file system cannot preallocate and the plan insists on it.
    PreallocateRefused => "PREALLOCATE_REFUSED",
    /// The host's page cache could not be dropped and the plan insists on it.
    DropCachesRefused => "DROP_CACHES_REFUSED",
    /// An object that the layout names is not there, or is shorter than the layout says.
    ObjectMissing => "OBJECT_MISSING",
    /// The network refuses what was asked of it: an address, a port, a connection to a peer.
    Network => "NETWORK",
    /// The data do not fit on the target.
    Space => "SPACE",
    /// The target is no block device, or its size or sectors do not suit the plan.
    DeviceUnfit => "DEVICE_UNFIT",
    /// The device is not the one that the plan names by its identity.
    DeviceIdentity => "DEVICE_IDENTITY",
    /// Somebody uses the device.
    DeviceInUse => "DEVICE_IN_USE",
    /// There is something on the device that would be lost.
    DeviceNotEmpty => "DEVICE_NOT_EMPTY",
    /// Another run is using the target.
    TargetLocked => "TARGET_LOCKED",
    /// The store refuses the credentials, or there are none.
    AccessDenied => "ACCESS_DENIED",
    /// A server of the target cannot be reached, or the connection to it broke.
    Unreachable => "UNREACHABLE",
    /// Any other error of the operating system on an I/O.
    Io => "IO",
    /// The task was cancelled.
    Cancelled => "CANCELLED",
}

/// What kind of I/O failed, as a plan's `errors` tells them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// To open or make an object, or the folder that it is in.
    Open,
    /// To read.
    Read,
    /// To write.
    Write,
    /// To make durable, or to close what was written.
    Sync,
    /// To remove.
    Delete,
    /// There was no room to write to.
    Full,
    /// A plain read found no object, or too short a one; a rename found none.
    Missing,
    /// To make a directory.
    Mkdir,
    /// To ask for the length of an object by its name.
    Stat,
    /// To read a folder.
    List,
    /// To give a file another name.
    Rename,
}

impl ErrorKind {
    /// All kinds, in the order of [`ErrorKind::index`].
    pub const ALL: [Self; 11] = [
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Sync,
        Self::Delete,
        Self::Full,
        Self::Missing,
        Self::Mkdir,
        Self::Stat,
        Self::List,
        Self::Rename,
    ];

    /// The kind's place in [`ErrorKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }

    /// What plans and reports call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Read => "read",
            Self::Write => "write",
            Self::Sync => "sync",
            Self::Delete => "delete",
            Self::Full => "full",
            Self::Missing => "missing",
            Self::Mkdir => "mkdir",
            Self::Stat => "stat",
            Self::List => "list",
            Self::Rename => "rename",
        }
    }
}

/// What an error of the storage is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What failed.
    pub kind: ErrorKind,
    /// The object, or the folder.
    pub path: PathBuf,
}

/// An error with a stable code, what happened to what, and the mend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The stable code.
    pub code: Code,
    /// What happened, and to what: one sentence without a full stop.
    pub what: String,
    /// What to do next: one sentence without a full stop.
    pub mend: String,
    /// What failed at which object, for those that count errors; where the storage has a part in it.
    pub about: Option<Box<About>>,
}

impl Error {
    /// An error of this code: `what` happened, and `mend` is what to do next.
    pub fn new(code: Code, what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { code, what: what.into(), mend: mend.into(), about: None }
    }

    /// The same error of this kind of I/O on this object.
    #[must_use]
    pub fn about(self, kind: ErrorKind, path: &Path) -> Self {
        Self { about: Some(Box::new(About { kind, path: path.to_owned() })), ..self }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.code.name(), self.what, self.mend)
    }
}

impl std::error::Error for Error {}

/// The engine's result.
pub type Result<T> = std::result::Result<T, Error>;
