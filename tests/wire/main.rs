//! The wire by its behaviour: everything here goes through the public door of `shardring::wire`.

mod frames;
mod fuzz;
mod oracle;
mod pool;
mod support;
mod upgrade;
mod url;
mod zlib;
