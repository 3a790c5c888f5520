//! [`Discovery`]: what a user sets, and the real world behind it.
//!
//! Blocks its thread; starts none of its own but the resolver's. Invariant: a secret of the
//! settings (token, a proxy's password) never reaches `Debug` or an error. The engine and users
//! call it.

use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::thread;
use std::time::{Duration, Instant};

use crate::clock::Time;
use crate::discovery::http::Client;
use crate::discovery::request::Request;
use crate::discovery::retry::{Inquiry, RetryLimits};
use crate::discovery::{Clock, DEFAULT_REST_BASE, GatewayBotInfo, Retry, check_base, inquire};
use crate::error::Error;
use crate::shard::token::Token;
use crate::trust::Roots;
use crate::wire::USER_AGENT;

/// Asks Discord where its gateway is, how many shards it recommends, and how many sessions may be
/// started: `GET /gateway/bot`.
///
/// The engine asks by itself at its start; this is for whoever wants to know before, or asks once
/// for many processes. Failures that may pass (no network, 5xx, 429) are tried again with jitter
/// for up to a minute.
///
/// ```no_run
/// use shardring::{Discovery, Token};
///
/// # fn main() -> Result<(), shardring::Error> {
/// let info = Discovery::new(Token::from_env("DISCORD_TOKEN")?).fetch()?;
/// println!("{} shards at {}", info.shard_count, info.url);
/// println!("{} session starts left", info.session_start_limit.remaining);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
#[must_use = "nothing is asked before `fetch`"]
pub struct Discovery {
    token: Token,
    rest_base: String,
    roots: Roots,
    proxy: Option<String>,
    user_agent: String,
    limits: RetryLimits,
    seed: Option<u64>,
}

impl Discovery {
    /// Asks `https://discord.com/api/v10`, with the machine's own roots and without a proxy
    /// (whatever the environment says).
    pub fn new(token: Token) -> Self {
        Self {
            token,
            rest_base: DEFAULT_REST_BASE.to_owned(),
            roots: Roots::platform(),
            proxy: None,
            user_agent: USER_AGENT.to_owned(),
            limits: RetryLimits::default(),
            seed: None,
        }
    }

    /// Another base than [`DEFAULT_REST_BASE`]: a REST proxy of your own, a test server. Over
    /// `http://` the token travels in the clear: only where nobody listens.
    pub fn rest_base(mut self, base: impl Into<String>) -> Self {
        self.rest_base = base.into();
        self
    }

    /// Whose certificates are believed. Default [`Roots::platform`].
    pub fn roots(mut self, roots: Roots) -> Self {
        self.roots = roots;
        self
    }

    /// A proxy: `http://[user:password@]host:port` (CONNECT), `socks5://…` (names are resolved
    /// here) or `socks5h://…` (names are resolved there).
    pub fn proxy(mut self, proxy: impl Into<String>) -> Self {
        self.proxy = Some(proxy.into());
        self
    }

    /// Another `User-Agent` than the library's. Discord demands the form
    /// `DiscordBot (URL, VERSION)`.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// How long one request may take, all in all. Default 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.limits.request = timeout;
        self
    }

    /// How long [`fetch`](Self::fetch) may take with all its requests and waits. Default 60 s.
    pub fn within(mut self, within: Duration) -> Self {
        self.limits.within = within;
        self
    }

    /// The seed of the jitter, so that a run can be repeated. Default: random.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Asks, and blocks for at most [`within`](Self::within). Not for a core's thread: there it
    /// would hold up every shard; use [`Context::spawn_blocking`](crate::Context::spawn_blocking).
    ///
    /// # Errors
    /// - [`ErrorKind::Token`](crate::ErrorKind::Token): Discord refused the token (401). Not tried
    ///   again.
    /// - [`ErrorKind::Discovery`](crate::ErrorKind::Discovery): another refusal, no usable answer,
    ///   or none in time.
    /// - [`ErrorKind::Config`](crate::ErrorKind::Config): an address or a proxy that cannot be
    ///   used. Nothing was sent.
    /// - [`ErrorKind::Tls`](crate::ErrorKind::Tls): not one certificate to believe in. Nothing was
    ///   sent.
    pub fn fetch(&self) -> Result<GatewayBotInfo, Error> {
        self.fetch_telling(|_| ())
    }

    /// The same, and `tell` hears of each request that failed and will be sent again.
    ///
    /// # Errors
    /// As [`fetch`](Self::fetch).
    pub fn fetch_telling(&self, mut tell: impl FnMut(Retry)) -> Result<GatewayBotInfo, Error> {
        let base = self.checked_base()?;
        let client = Client::new(&self.roots, self.proxy.as_deref())?;
        let request = Request {
            url: format!("{base}/gateway/bot"),
            token: self.token.clone(),
            user_agent: self.user_agent.clone(),
            timeout: self.limits.request,
        };
        let seed = self.seed.unwrap_or_else(|| RandomState::new().hash_one(0));
        let inquiry = Inquiry::new(base, self.limits, seed, Time::ZERO);
        inquire(inquiry, &request, &client, &RealClock(Instant::now()), &mut tell)
    }

    fn checked_base(&self) -> Result<&str, Error> {
        check_base(&self.rest_base)
    }
}

impl fmt::Debug for Discovery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Discovery")
            .field("token", &self.token)
            .field("rest_base", &self.checked_base().unwrap_or("(not usable)"))
            .field("roots", &self.roots)
            .field("proxy", &self.proxy.as_ref().map(|_| "(set)"))
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

struct RealClock(Instant);

impl Clock for RealClock {
    fn now(&self) -> Time {
        Time::ZERO + self.0.elapsed()
    }

    fn sleep_until(&self, at: Time) {
        thread::sleep(at.since(self.now()));
    }
}
