//! What Discord says before the first connection: `GET /gateway/bot`.
//!
//! [`Discovery`] asks; `retry` decides when to ask again and when to give up, `request` is the seam
//! to the world (`http` the real one, `simulated` the other), `info` reads the answer, `plan` joins
//! it with what the user asked for. The token goes into one header and nowhere else.
//!
//! Invariant: whatever the answer, it costs bounded time, memory and requests. The engine calls
//! [`Discovery::fetch`] before it starts a core; a user may.

#[cfg(feature = "discovery")]
mod ask;
#[cfg(feature = "discovery")]
mod http;
pub mod info;
pub mod plan;
pub mod request;
pub mod retry;
pub mod simulated;

use crate::clock::Time;
use crate::discovery::request::{HttpGet, Request};
use crate::discovery::retry::{Inquiry, Step, Trouble};
use crate::error::{Error, ErrorKind};

#[cfg(feature = "discovery")]
pub use ask::Discovery;
pub use info::{GatewayBotInfo, Oddity};
pub use plan::{Plan, PlanWarning, ShardsRequest, plan};

/// Discord's own REST base, with the version of the API.
pub const DEFAULT_REST_BASE: &str = "https://discord.com/api/v10";

/// Time as an inquiry sees it.
pub trait Clock {
    /// Now.
    fn now(&self) -> Time;
    /// Returns at `at`, or at once if it has passed.
    fn sleep_until(&self, at: Time);
}

/// A request that failed and will be sent again.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Retry {
    /// How many were sent.
    pub attempts: u32,
    /// What befell the last.
    pub trouble: Trouble,
    /// How long from now on until the next.
    pub wait: std::time::Duration,
}

/// Drives an inquiry to its end, in this world; `tell` hears of each request that will be repeated.
///
/// # Errors
/// That of [`Step::GiveUp`].
pub fn inquire(
    mut inquiry: Inquiry,
    request: &Request,
    http: &dyn HttpGet,
    clock: &dyn Clock,
    tell: &mut dyn FnMut(Retry),
) -> Result<GatewayBotInfo, Error> {
    let mut request = request.clone();
    loop {
        match inquiry.step() {
            Step::Done(info) => return Ok(info.clone()),
            Step::GiveUp(error) => return Err(error.clone()),
            Step::Send { at, timeout } => {
                if let Some(trouble) = inquiry.trouble() {
                    let (attempts, trouble) = (inquiry.attempts(), trouble.clone());
                    tell(Retry { attempts, trouble, wait: at.since(clock.now()) });
                }
                clock.sleep_until(*at);
                request.timeout = *timeout;
                inquiry.sent();
                let answer = http.get(&request);
                inquiry.answered(clock.now(), answer);
            }
            // Not with one request at a time, which this function sends and waits for.
            Step::Wait => return Err(stuck()),
        }
    }
}

/// A REST base without its last slashes, if it is one.
///
/// # Errors
/// [`ErrorKind::Config`], naming what is wrong and not repeating the text.
pub(crate) fn check_base(base: &str) -> Result<&str, Error> {
    let refuse = |why: &str| Err(Error::new(ErrorKind::Config, format!("rest_base: {why}")));
    let base = base.trim_end_matches('/');
    let Some(rest) = base.strip_prefix("https://").or_else(|| base.strip_prefix("http://")) else {
        return refuse("it must begin with https:// or http://");
    };
    // Nothing of it is repeated: a user and password may stand in there.
    if rest.contains('@') {
        return refuse("it holds a user or password, which would be sent nowhere");
    }
    if rest.is_empty() || rest.starts_with(['/', ':']) {
        return refuse("it names no host");
    }
    if rest.contains(['?', '#']) || !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
        return refuse("only a host and a path, like https://discord.com/api/v10");
    }
    Ok(base)
}

#[cold]
fn stuck() -> Error {
    Error::new(ErrorKind::CoreFailed, "discovery: waits for an answer to nothing")
}
