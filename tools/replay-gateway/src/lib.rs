//! A Discord gateway in a process: a program and a library. It plays generated or recorded
//! traffic to thousands of connections from one thread, keeps a ledger of what it numbered, and
//! commits faults on demand. Written from the protocol's documents and from RFC 6455, apart from
//! the client that it tests, so that two readings of the protocol check each other.
//!
//! ```
//! use replay_gateway::{Gateway, Target};
//!
//! let gateway = Gateway::builder().token("secret").heartbeat_interval_ms(1_000).spawn()?;
//! println!("connect to {}/?v=10&encoding=json", gateway.url());
//! gateway.dispatch(Target::All, "SOME_EVENT", r#"{"id":"1"}"#);
//! assert_eq!(gateway.stats().sessions, 0);
//! gateway.stop()?;
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Map: [`traffic`] makes events as pure functions of a seed; [`ledger`] is the book that both
//! sides write; [`Config`] and [`Builder`] set a gateway up; [`GatewayHandle`] orders it about;
//! [`Fault`] says what goes wrong; [`cli::main`] is the program.

mod capture;
pub mod cli;
mod codec;
mod config;
mod conn;
mod control;
mod core;
mod fault;
mod faults;
mod frame;
mod hosts;
mod http;
mod http_fault;
mod input;
pub mod intents;
pub mod ledger;
mod maker;
mod out;
mod outage;
mod paced;
mod payload;
mod protocol;
mod pump;
mod requests;
mod rest;
mod server;
mod session;
mod stats;
mod stream;
mod timers;
mod tls;
mod token;
pub mod traffic;
mod voice;
mod zstd;

pub use config::{
    Builder, Canary, CanaryKind, CaptureConfig, Config, Framing, LedgerTo, ResumeUrl, Start,
    TrafficConfig, UnknownSession, ZstdFrames,
};
pub use control::{GatewayHandle, Target};
pub use faults::{Action, Fault, Injection, TlsFault, When};
pub use http_fault::{HttpAnswer, HttpFault};
pub use outage::{Cut, Host, Incident, IncidentAction, Moment, Outage};
pub use stats::{CutStats, ShardStats, Stats};
pub use tls::{Certificate, TlsConfig, TlsVersions};
pub use token::Token;
pub use voice::VoiceFault;

use std::io;
use std::sync::mpsc::channel;

/// Where a gateway begins: [`Gateway::builder`] or [`Gateway::spawn`].
#[derive(Debug)]
pub struct Gateway(());

impl Gateway {
    /// Sets a gateway up, beginning with the defaults.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Starts a gateway on a thread of its own. It listens when this returns.
    ///
    /// # Errors
    /// The address cannot be bound, the ledger's file cannot be created, the capture cannot be
    /// read, or a thread cannot be started.
    pub fn spawn(config: Config) -> io::Result<GatewayHandle> {
        let (sender, receiver) = channel();
        let (addr_sender, addr_receiver) = channel();
        // The loop is made on its thread: what it shares among connections never leaves it.
        let thread = std::thread::Builder::new().name("gateway".into()).spawn(move || {
            match server::Server::bind(config, receiver) {
                Ok((mut server, waker)) => {
                    // If the caller is gone the loop ends at once for want of commands.
                    let _ = addr_sender.send(Ok((server.place(), waker)));
                    server.run()
                }
                Err(error) => {
                    let _ = addr_sender.send(Err(error));
                    Ok(Stats::default())
                }
            }
        })?;
        let ended = || io::Error::other("the gateway's thread ended at its start");
        let (place, waker) = addr_receiver.recv().map_err(|_| ended())??;
        Ok(GatewayHandle::new(place, sender, waker, thread))
    }
}

impl Builder {
    /// Starts the gateway. See [`Gateway::spawn`].
    ///
    /// # Errors
    /// As [`Gateway::spawn`].
    pub fn spawn(self) -> io::Result<GatewayHandle> {
        Gateway::spawn(self.config)
    }
}
