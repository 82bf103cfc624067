//! The thin napi layer.
