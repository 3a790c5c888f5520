//! Bytes to payload text and back, without sockets.
