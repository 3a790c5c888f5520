//! The wire by its behaviour: everything here goes through the public door of `shardring::wire`.

mod frames;
mod fuzz;
mod oracle;
mod pool;
mod proxy;
mod support;
#[cfg(feature = "tls")]
mod tls;
#[cfg(feature = "tls")]
mod tls_forged;
#[cfg(feature = "tls")]
mod tls_peer;
mod tunnel;
mod upgrade;
mod url;
mod zlib;
#[cfg(feature = "zstd")]
mod zstd;
