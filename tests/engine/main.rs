//! The engine on a real ring against the replay gateway: what a user sees, and the ledger whole.

mod acks;
mod bad_input;
mod budget;
mod commands;
mod errands;
mod faults;
mod harness;
mod life;
mod outcomes;
mod proxies;
mod reach;
mod secure;
mod states;
mod strain;
