//! The S3 sink: objects of a layout as keys below one run's prefix in a bucket. Each lane has its own connections and
//! its own runtime, on its own thread. Must never know of ranges, leases or what the bytes mean, nor touch a key that
//! the layout does not make, but for the notes of `notes`.
//!
//! The client crate (object_store) builds, signs and reads requests; what carries them (`connections`) is ours, so
//! that each attempt is measured by itself, a lane's memory goes to the socket as it is, and nothing outlives a
//! request.

mod answer;
mod attempt;
mod bucket;
mod connections;
mod counts;
mod credentials;
mod dial;
mod ini;
mod keys;
mod lane;
mod lent;
mod link;
mod notes;
mod reply;
mod request;
mod signed;
mod sink;
mod spec;
mod store;
mod target;
#[cfg(test)]
mod tests;

pub use bucket::{BucketSeen, Page};
pub use counts::{RequestCount, StatusCount, StoreWork};
pub use keys::MAX_KEY_BYTES;
pub use lane::S3Lane;
pub use notes::MAX_NOTE_BYTES;
pub use request::{FailedAttempt, S3Done, S3Error, S3Request, Upload};
pub(crate) use sink::StoreSink;
pub use spec::{Retries, S3Spec, Signing, Style};
pub use target::S3Target;
