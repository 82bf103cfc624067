//! Seedstorm's content function.
