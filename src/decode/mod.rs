//! Payload text to values.
