//! What JavaScript cannot see of this build and this machine by itself.

use napi::Result;
use napi_derive::napi;
use seedstorm_content::{CONTENT_VERSION, Kernel};
use seedstorm_engine::memory;

use crate::error::parameter;

/// This build on this machine.
#[napi(object)]
pub struct JsNativeInformation {
    /// Version of the content function: another one means other bytes.
    pub content_version: u32,
    /// Kernels that this CPU can run, the fastest first.
    pub kernels: Vec<String>,
    /// The kernel that content is made by.
    pub kernel_in_use: String,
    /// Bytes in a page of memory.
    pub page_bytes: u32,
}

/// Looks.
#[napi]
pub fn native_information() -> Result<JsNativeInformation> {
    Ok(JsNativeInformation {
        content_version: CONTENT_VERSION,
        kernels: Kernel::available().iter().map(ToString::to_string).collect(),
        kernel_in_use: Kernel::choose().map_err(|error| parameter(&error))?.to_string(),
        page_bytes: memory::page_bytes() as u32,
    })
}
