//! The look at a block device before anything is done to it: whether it is what the plan means, whether it is free, and
//! whether anything would be lost. Touches nothing. Must never know of lanes or ranges.

use std::fs::{File, OpenOptions};
use std::ops::Range;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use rustix::io::Errno;

use super::contents::{self, Own};
use super::device::{Device, System};
use super::identity::identity_of;
use super::users;
use crate::error::{Code, Error, Result};
use crate::sink::os_error::os_error;

/// A block device, or a part of it, as a plan names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockPlace {
    /// Its path; symbolic links in it are the user's own.
    pub device: PathBuf,
    /// Where the part begins, in bytes.
    pub offset: u64,
    /// The length of the part, in bytes. `None`: to the device's end.
    pub bytes: Option<u64>,
    /// The device's own identity, where the plan repeats it: what is on the device may then be overwritten.
    pub identity: Option<String>,
}

/// What is to happen on the device.
#[derive(Clone, Copy, Debug)]
pub struct BlockUse<'a> {
    /// Whether it will be written to.
    pub writes: bool,
    /// Bytes of the layout.
    pub data_bytes: u64,
    /// Bytes of a unit.
    pub unit_bytes: u64,
    /// Bytes of an I/O.
    pub block_bytes: u64,
    /// What may be there without being anybody's loss.
    pub own: Option<Own<'a>>,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Looked {
    /// What the device is known by; none when the system knows nothing that is the device's own.
    pub identity: Option<String>,
    /// Bytes of the whole device.
    pub device_bytes: u64,
    /// The part that the plan names, in bytes of the device; empty when there is no such part.
    pub part: Range<u64>,
    /// What offsets and lengths of direct I/O must be multiples of.
    pub logical_sector_bytes: u64,
    /// What the device really writes at a time; shorter writes make it read first.
    pub physical_sector_bytes: u64,
    /// What speaks against the use of it, the gravest first.
    pub against: Vec<Error>,
}

/// Looks at a device.
///
/// # Errors
/// [`Code::TargetMissing`] and [`Code::DeviceUnfit`] when there is no device to look at, and those of the system. What
/// speaks against the use of a device that is there is in [`Looked::against`].
pub fn look(place: &BlockPlace, purpose: &BlockUse<'_>) -> Result<Looked> {
    look_in(&System::default(), place, purpose)
}

pub(super) fn look_in(system: &System, place: &BlockPlace, purpose: &BlockUse<'_>) -> Result<Looked> {
    let device = Device::look(system, &place.device)?;
    let identity = identity_of(system, &device);
    let part = part_of(&device, place);
    let mut against = Vec::new();
    against.extend(other_identity(place, identity.as_deref()));
    match &part {
        Ok(part) => against.extend(misfits(&device, part, purpose)),
        Err(error) => against.push(error.clone()),
    }
    if purpose.writes {
        against.extend(in_the_way(system, &device, part.as_ref().ok(), place, identity.as_deref(), purpose)?);
    }
    Ok(Looked {
        identity,
        device_bytes: device.bytes,
        part: part.unwrap_or(0..0),
        logical_sector_bytes: device.logical_bytes,
        physical_sector_bytes: device.physical_bytes,
        against,
    })
}

/// The part of the device that the plan names.
fn part_of(device: &Device, place: &BlockPlace) -> Result<Range<u64>> {
    let path = place.device.display();
    let end = place.bytes.map_or(Some(device.bytes), |bytes| place.offset.checked_add(bytes));
    match end {
        Some(end) if place.offset < end && end <= device.bytes => Ok(place.offset..end),
        _ => Err(Error::new(
            Code::DeviceUnfit,
            format!(
                "{path} has {} bytes; the plan's part begins at {} and ends at {}",
                device.bytes,
                place.offset,
                end.map_or_else(|| "more than 2^64".to_owned(), |end| end.to_string()),
            ),
            "choose target.offset and target.size that lie within the device, or another device",
        )),
    }
}

fn other_identity(place: &BlockPlace, identity: Option<&str>) -> Option<Error> {
    let wanted = place.identity.as_deref().filter(|wanted| Some(*wanted) != identity)?;
    let is = identity.map_or_else(|| "has none".to_owned(), |identity| format!("is {identity}"));
    Some(Error::new(
        Code::DeviceIdentity,
        format!("the plan means the device {wanted}, and {} {is}", place.device.display()),
        "give the path of the device that is meant; `seedstorm check` prints what each device is",
    ))
}

/// Sizes and offsets that the device cannot have.
fn misfits(device: &Device, part: &Range<u64>, purpose: &BlockUse<'_>) -> Vec<Error> {
    let path = device.path.display();
    let mut errors = Vec::new();
    if purpose.data_bytes > part.end - part.start {
        errors.push(Error::new(
            Code::Space,
            format!("{path} has room for {} bytes; the plan's data are {}", part.end - part.start, purpose.data_bytes),
            "lower data.size, or choose a larger device or part",
        ));
    }
    let sector = device.logical_bytes;
    let aligned =
        [("target.offset", part.start), ("target.io.block", purpose.block_bytes), ("data.unit", purpose.unit_bytes)];
    for (key, bytes) in aligned {
        if !bytes.is_multiple_of(sector) {
            errors.push(Error::new(
                Code::DeviceUnfit,
                format!("{key} is {bytes} bytes, no multiple of the sector of {path}, {sector} bytes"),
                format!("choose a multiple of {sector} bytes"),
            ));
        }
    }
    errors
}

/// What speaks against writing to it.
fn in_the_way(
    system: &System,
    device: &Device,
    part: Option<&Range<u64>>,
    place: &BlockPlace,
    identity: Option<&str>,
    purpose: &BlockUse<'_>,
) -> Result<Vec<Error>> {
    let path = place.device.display();
    if device.is_read_only {
        return Ok(vec![Error::new(
            Code::TargetNotWritable,
            format!("{path} is read-only"),
            "make the device writable (blockdev --setrw), or choose another",
        )]);
    }
    let users = users::users(system, device);
    if !users.is_empty() {
        return Ok(vec![in_use(&place.device, &users.join("; "))]);
    }
    if !users::can_be_claimed(&place.device)? {
        return Ok(vec![in_use(&place.device, "the kernel says that somebody holds it for himself")]);
    }
    let Some(part) = part else { return Ok(Vec::new()) };
    if place.identity.is_some() && place.identity.as_deref() == identity {
        return Ok(Vec::new());
    }
    let found = contents::found(device, &open_to_look(&place.device)?, part, purpose.own)?;
    Ok(found.map(|what| not_empty(&place.device, &what, identity)).into_iter().collect())
}

/// Past the page cache, which would hide what another host has written since.
fn open_to_look(path: &Path) -> Result<File> {
    let flags = OFlags::DIRECT.bits() as i32;
    OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|error| {
        let errno = Errno::from_io_error(&error).unwrap_or(Errno::IO);
        os_error("open", path, errno)
    })
}

fn in_use(path: &Path, who: &str) -> Error {
    Error::new(
        Code::DeviceInUse,
        format!("{} is in use: {who}", path.display()),
        "unmount or detach it if it is the device that is meant; nothing lets Seedstorm write to a device in use",
    )
}

fn not_empty(path: &Path, what: &str, identity: Option<&str>) -> Error {
    let mend = match identity {
        Some(identity) => format!(
            "choose an empty device; if all that is on this one may be lost, write target.identity: \"{identity}\""
        ),
        None => {
            "choose an empty device, or empty this one yourself (wipefs --all, blkdiscard): it has no identity that \
                 a plan could repeat"
                .to_owned()
        }
    };
    Error::new(Code::DeviceNotEmpty, format!("{} is not empty: there is {what}", path.display()), mend)
}
