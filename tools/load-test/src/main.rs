//! Drives shardring against a gateway and reports what it saw.
fn main() {}
