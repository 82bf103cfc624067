//! The one call whose own cost counts: filling a small buffer, which takes less time than napi-rs needs to call a method
//! (measured at 64 bytes). So it is a function of Node-API itself: it carries the stream in its data pointer and takes
//! the buffer alone.

use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::rc::Rc;
use std::slice;
use std::sync::Arc;

use napi::bindgen_prelude::{FromNapiValue, Unknown};
use napi::{Env, Result, check_status, sys};
use seedstorm_content::Content;
use seedstorm_engine::fill::fill_alone;

/// What a stream's object and its function share.
pub struct Cursor {
    /// What the bytes are of.
    pub content: Arc<Content>,
    /// Where the next bytes come from; at most `end`.
    pub position: Cell<u64>,
    /// Where the stream ends; at most 2^63.
    pub end: u64,
}

/// `(destination: Uint8Array) => number`: fills with the next bytes on JavaScript's thread, and gives their number.
pub fn function(env: &Env, cursor: Rc<Cursor>) -> Result<Unknown<'_>> {
    let mut made = null_mut();
    let data = Rc::into_raw(cursor).cast_mut().cast::<c_void>();
    let name = c"fillNext";
    // SAFETY: the name has the length that is told; `fill_next` expects the data that it gets; on success the data is
    // given up by `release` when the function is collected, and nowhere else.
    let status = unsafe {
        let (env, length) = (env.raw(), name.count_bytes() as isize);
        match sys::napi_create_function(env, name.as_ptr(), length, Some(fill_next), data, &mut made) {
            sys::Status::napi_ok => sys::napi_add_finalizer(env, made, data, Some(release), null_mut(), null_mut()),
            failed => failed,
        }
    };
    if status != sys::Status::napi_ok {
        // SAFETY: nobody has taken the data over: without a finaliser the function is dropped before it is ever called.
        drop(unsafe { Rc::from_raw(data.cast::<Cursor>()) });
    }
    check_status!(status, "a function could not be made")?;
    // SAFETY: a value of this environment, made just now.
    unsafe { Unknown::from_napi_value(env.raw(), made) }
}

unsafe extern "C" fn release(_: sys::napi_env, data: *mut c_void, _: *mut c_void) {
    // SAFETY: the data of `function`, which its finaliser gets once.
    drop(unsafe { Rc::from_raw(data.cast::<Cursor>()) });
}

unsafe extern "C" fn fill_next(env: sys::napi_env, info: sys::napi_callback_info) -> sys::napi_value {
    let (mut count, mut arguments, mut data) = (1, [null_mut()], null_mut());
    let (mut kind, mut length, mut start) = (0, 0, null_mut());
    // SAFETY: Node-API writes one argument (`undefined` where there is none) and the data; then what the argument is.
    // It refuses what is no typed array.
    let status = unsafe {
        sys::napi_get_cb_info(env, info, &mut count, arguments.as_mut_ptr(), null_mut(), &mut data);
        sys::napi_get_typedarray_info(env, arguments[0], &mut kind, &mut length, &mut start, null_mut(), null_mut())
    };
    if status != sys::Status::napi_ok || kind != sys::TypedarrayType::uint8_array {
        let (code, what) = (c"InvalidArg", c"the destination must be a Uint8Array or a Buffer");
        // SAFETY: two texts that end in 0. The error is thrown when this function returns.
        unsafe { sys::napi_throw_type_error(env, code.as_ptr(), what.as_ptr()) };
        return null_mut();
    }
    // SAFETY: the function's own data, which lives as long as the function that is being called.
    let cursor = unsafe { &*data.cast_const().cast::<Cursor>() };
    let position = cursor.position.get();
    let filled = length.min(usize::try_from(cursor.end - position).unwrap_or(usize::MAX));
    if filled > 0 {
        // SAFETY: the array has `length` bytes at `start`, alive while the caller has it. Nothing else on this thread runs
        // meanwhile; memory that other threads share is theirs to keep out of.
        let destination = unsafe { slice::from_raw_parts_mut(start.cast::<u8>(), filled) };
        let done = fill_alone(&cursor.content, 0, position, destination);
        done.expect("the end of the stream is in it");
        cursor.position.set(position + filled as u64);
    }
    let mut number = null_mut();
    // SAFETY: writes one value. A small integer costs no memory, where a double does.
    unsafe {
        match u32::try_from(filled) {
            Ok(filled) => sys::napi_create_uint32(env, filled, &mut number),
            Err(_) => sys::napi_create_double(env, filled as f64, &mut number),
        }
    };
    number
}
