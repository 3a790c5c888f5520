//! The session machine under a virtual clock, against scripted peers.
//!
//! `world` is the harness: sessions, links and a queue of things to come, with `invariants()` after
//! each input. The other files are the tests, by theme. No sockets, no sleeping; a seed reproduces
//! every run.

mod admission;
mod budget;
mod commands;
mod errands;
mod fleet;
mod gateway;
mod heartbeat;
mod identify;
mod life;
mod limits;
mod member_requests;
mod members;
mod pledges;
mod processes;
mod storm;
mod table;
mod voice;
mod world;
