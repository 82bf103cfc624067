//! How errors cross to JavaScript: as JSON in the message, which `ts/errors.ts` turns into a SeedstormError.

use seedstorm_content::{ParameterError, RangeError};
use seedstorm_engine::error::{Code, Error};

/// The engine's error for JavaScript.
pub fn to_js(error: &Error) -> napi::Error {
    let field = |text: &str| json_string(text);
    napi::Error::from_reason(format!(
        r#"{{"code":"SEEDSTORM_E_{}","what":{},"mend":{}}}"#,
        error.code.name(),
        field(&error.what),
        field(&error.mend)
    ))
}

/// A parameter of the content function that is out of its bounds.
pub fn parameter(error: &ParameterError) -> napi::Error {
    to_js(&Error::new(
        Code::InvalidArgument,
        format!("{} is {}", error.field(), error.given()),
        format!("give {} that is {}", error.field(), error.valid()),
    ))
}

/// A range that ends beyond the stream.
pub fn range(error: &RangeError) -> napi::Error {
    to_js(&Error::new(Code::InvalidArgument, error.to_string(), "give an offset and a length that end at 2^63 at most"))
}

/// A number from JavaScript that is no whole number in its range.
pub fn number(what: &str, given: f64) -> napi::Error {
    to_js(&Error::new(
        Code::InvalidArgument,
        format!("{what} is {given}"),
        format!("give {what} as a whole number of 0 or more"),
    ))
}

/// The names of all codes that the engine may give; the other side's list must know them.
#[napi_derive::napi]
pub fn error_codes() -> Vec<String> {
    Code::ALL.iter().map(|code| format!("SEEDSTORM_E_{}", code.name())).collect()
}

/// A JSON string. Messages are short; a JSON library would be a dependency for this one line.
fn json_string(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            c if u32::from(c) < 0x20 => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
