//! A Discord gateway in a process.
pub mod intents;
pub mod traffic;
pub mod ledger;
