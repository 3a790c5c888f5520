//! Capture files: one JSON object a line, `{"time_ms": 12.5, "payload": {"t": …, "d": …}}`. Read
//! whole at the start, kept as text, never re-serialised: `d` goes out byte for byte as it came.
//! A capture may well hold one id many times (edits of a message, a user's presences), so the
//! ledger knows its events by number, not by id.

use crate::config::CaptureConfig;
use crate::ledger;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::io::{self, BufRead, BufReader};

/// A capture in memory.
#[derive(Debug)]
pub(crate) struct Capture {
    events: Vec<CapturedEvent>,
}

/// A dispatch of a capture.
#[derive(Debug)]
pub(crate) struct CapturedEvent {
    /// Ns after the first event's time, at the speed asked for; 0 flat out.
    pub(crate) due_ns: u64,
    pub(crate) name: String,
    pub(crate) d: String,
    pub(crate) hash: u64,
}

#[derive(Deserialize)]
struct Line<'a> {
    #[serde(default)]
    time_ms: f64,
    #[serde(borrow)]
    payload: Payload<'a>,
}

#[derive(Deserialize)]
struct Payload<'a> {
    #[serde(default)]
    op: u64,
    #[serde(default)]
    t: Option<String>,
    #[serde(borrow, default)]
    d: Option<&'a RawValue>,
}

impl Capture {
    /// Reads a file. Payloads other than dispatches, and READY and RESUMED (which belong to the
    /// session that was captured), are left out.
    ///
    /// # Errors
    /// The file cannot be read, or a line is not of the format (`InvalidData`, with its number).
    pub(crate) fn read(config: &CaptureConfig) -> io::Result<Self> {
        let mut events = Vec::new();
        let file = BufReader::new(std::fs::File::open(&config.path)?);
        let mut first_ms = None;
        for (number, line) in file.lines().enumerate() {
            let line = line?;
            if line.trim().is_empty() {
                continue;
            }
            let Line { time_ms, payload } = serde_json::from_str(&line).map_err(|error| {
                let text = format!("capture, line {}: {error}", number + 1);
                io::Error::new(io::ErrorKind::InvalidData, text)
            })?;
            let (Some(name), 0) = (payload.t, payload.op) else { continue };
            if matches!(name.as_str(), "READY" | "RESUMED") {
                continue;
            }
            let since_ms = time_ms - *first_ms.get_or_insert(time_ms);
            let due_ns = config.speed.map_or(0.0, |speed| since_ms * 1e6 / speed.max(1e-6));
            let d = payload.d.map_or("null", RawValue::get).to_owned();
            let hash = ledger::hash(d.as_bytes());
            events.push(CapturedEvent { due_ns: due_ns as u64, name, d, hash });
        }
        Ok(Self { events })
    }

    /// Event `index`, from 0.
    pub(crate) fn event(&self, index: u64) -> Option<&CapturedEvent> {
        self.events.get(index as usize)
    }
}
