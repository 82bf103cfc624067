//! Aligned memory on a NUMA node for JavaScript, as Buffers that give it back when they are collected.

use std::sync::Arc;

use napi::bindgen_prelude::{Buffer, BufferSlice, Object};
use napi::{Env, Result};
use napi_derive::napi;
use seedstorm_engine::error::{Code, Error};
use seedstorm_engine::memory::{self, LaneBuffer, Wish};

use crate::content::{whole, whole32};
use crate::engine::{JsMemoryOptions, aside, memory_of};
use crate::error::to_js;
use crate::hold::close_before_buffers;
use crate::settle::{Resolver, Settle};

/// The most buffers of one call.
const MAX_BUFFERS: u64 = 1 << 16;

/// The largest alignment: a huge page of 1 GiB.
const MAX_ALIGNMENT: u64 = 1 << 30;

/// Which buffers are wanted.
#[napi(object)]
pub struct JsBufferRequest {
    /// How many.
    pub count: f64,
    /// Bytes in each.
    pub bytes: f64,
    /// Each begins at a multiple of this many bytes, a power of two.
    pub alignment: f64,
    /// OS index of the NUMA node that the memory is to come from.
    pub node: Option<f64>,
    /// How firmly it belongs there, and how large its pages are.
    pub memory: JsMemoryOptions,
}

/// Where a buffer lies.
#[napi(object)]
pub struct JsBufferPlace {
    /// The largest power of two that its address is a multiple of.
    pub alignment: f64,
    /// OS index of the NUMA node that its first page lies on, where the system tells.
    pub node: Option<u32>,
}

/// Memory that several buffers lie in; given back with the last of them.
struct Region {
    memory: LaneBuffer,
}

/// Maps, binds and touches the memory on a thread of its own, and makes buffers of it.
#[napi(ts_return_type = "Promise<Array<Buffer>>")]
pub fn allocate_buffers<'env>(env: &'env Env, request: JsBufferRequest) -> Result<Object<'env>> {
    let count = between("count", request.count, MAX_BUFFERS)?;
    let alignment = between("alignment", request.alignment, MAX_ALIGNMENT)?;
    if !alignment.is_power_of_two() {
        let what = format!("alignment is {alignment}");
        return Err(to_js(&Error::new(Code::InvalidArgument, what, "give a power of two from 1 to 2^30")));
    }
    let bytes = between("bytes in a buffer", request.bytes, 1 << 53)?;
    let node = request.node.map(|node| whole32("NUMA node", node)).transpose()?;
    let wish = Wish { node, options: memory_of(&request.memory)? };
    let stride = bytes.next_multiple_of(alignment);
    let (settle, promise) = Settle::<Vec<Buffer>>::new(env)?;
    let refused = settle.clone();
    let make = move || {
        // What does not fit 64 bits is refused as too much, like all that memory has no room for.
        let all = usize::try_from(stride.saturating_mul(count)).unwrap_or(usize::MAX);
        let memory = LaneBuffer::aligned(all, alignment as usize, wish);
        settle.with(memory.map(|memory| -> Resolver<Vec<Buffer>> {
            let region = Arc::new(Region { memory });
            Box::new(move |env| buffers_of(env, &region, count, stride as usize, bytes as usize))
        }));
    };
    if let Err(error) = aside("allocate", make) {
        refused.with(Err(error));
    }
    Ok(promise)
}

fn buffers_of(env: Env, region: &Arc<Region>, count: u64, stride: usize, bytes: usize) -> Result<Vec<Buffer>> {
    let start = region.memory.as_ptr();
    let buffer = |nth: u64| {
        // SAFETY: the buffers' ranges are inside the region and disjoint; only JavaScript reads and writes them from now
        // on. The region is unmapped when the last finaliser has dropped its share of it, which the end of the
        // environment calls only after lanes are joined (hold.rs).
        let slice = unsafe {
            let data = start.add(nth as usize * stride);
            BufferSlice::from_external(&env, data, bytes, Arc::clone(region), |_, region| drop(region))
        };
        slice.and_then(|slice| slice.into_buffer(&env))
    };
    let buffers = (0..count).map(buffer).collect::<Result<Vec<_>>>()?;
    close_before_buffers(&env)?;
    Ok(buffers)
}

fn between(what: &str, given: f64, most: u64) -> Result<u64> {
    match whole(what, given)? {
        valid if (1..=most).contains(&valid) => Ok(valid),
        _ => {
            let mend = format!("give {what} from 1 to {most}");
            Err(to_js(&Error::new(Code::InvalidArgument, format!("{what} is {given}"), mend)))
        }
    }
}

/// Where a buffer lies.
#[napi]
pub fn buffer_place(buffer: &[u8]) -> JsBufferPlace {
    let alignment = 1_u64 << (buffer.as_ptr() as u64).trailing_zeros();
    JsBufferPlace { alignment: alignment as f64, node: buffer.first().and_then(memory::node_of) }
}
