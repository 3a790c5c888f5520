//! When to ask again, and when to stop asking: the machine behind `GET /gateway/bot`.
//!
//! Sans-io: moments and answers go in, [`Step`]s come out; the seed is an argument. It never sees
//! the token and never quotes an answer. Invariants: at most [`ATTEMPTS_MAX`] requests; none is
//! sent after [`RetryLimits::within`]; a finished inquiry stays finished. `discovery` drives it, a
//! simulation may.

use std::fmt;
use std::time::Duration;

use crate::clock::{Rng, Time};
use crate::discovery::info::{GatewayBotInfo, InfoError, with_json};
use crate::discovery::request::{HttpError, Response};
use crate::error::{Error, ErrorKind};

/// One question to Discord, asked until it is answered or given up.
#[derive(Debug)]
pub struct Inquiry {
    /// Who is asked, for the error's text.
    place: String,
    limits: RetryLimits,
    started: Time,
    rng: Rng,
    attempts: u32,
    malformed: u32,
    step: Step,
    trouble: Option<Trouble>,
}

/// How long an inquiry may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryLimits {
    /// From the first request to the end of the last. Default [`WITHIN`].
    pub within: Duration,
    /// One request, from the name's resolution to the last byte. Default [`REQUEST_TIMEOUT`].
    pub request: Duration,
}

impl Default for RetryLimits {
    fn default() -> Self {
        Self { within: WITHIN, request: REQUEST_TIMEOUT }
    }
}

/// What to do next.
#[derive(Clone, Debug)]
pub enum Step {
    /// Send the request at this moment, call [`Inquiry::sent`], and give its end to
    /// [`Inquiry::answered`].
    Send {
        /// When.
        at: Time,
        /// After how long it counts as failed.
        timeout: Duration,
    },
    /// A request is on its way: nothing.
    Wait,
    /// Answered.
    Done(GatewayBotInfo),
    /// No use. [`ErrorKind::Token`] if the token was refused, else [`ErrorKind::Discovery`].
    GiveUp(Error),
}

/// Why a request brought nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Trouble {
    /// No answer.
    Http(HttpError),
    /// An answer with another status than 200.
    Status {
        /// The status, for example 503.
        status: u16,
        /// `code` of Discord's error object, where there was one.
        code: Option<u64>,
    },
    /// 429.
    RateLimited {
        /// How long to wait, by the answer; zero if it did not say.
        told: Duration,
    },
    /// A 200 that cannot be used.
    Malformed(InfoError),
}

impl Inquiry {
    /// A question to `place` (an address without secrets, for error texts), to be asked at `now`.
    pub fn new(place: impl Into<String>, limits: RetryLimits, seed: u64, now: Time) -> Self {
        Self {
            place: place.into(),
            limits,
            started: now,
            rng: Rng::new(seed),
            attempts: 0,
            malformed: 0,
            step: Step::Send { at: now, timeout: limits.request.min(limits.within) },
            trouble: None,
        }
    }

    /// What to do next. Changes only by [`sent`](Self::sent) and [`answered`](Self::answered).
    pub fn step(&self) -> &Step {
        &self.step
    }

    /// The request is on its way.
    pub fn sent(&mut self) {
        if matches!(self.step, Step::Send { .. }) {
            self.attempts += 1;
            self.step = Step::Wait;
        }
    }

    /// The request's end. Without a request on its way it does nothing.
    pub fn answered(&mut self, now: Time, answer: Result<Response, HttpError>) {
        if !matches!(self.step, Step::Wait) {
            return;
        }
        let (trouble, told) = match answer {
            Ok(response) => match read(&response) {
                Ok(info) => {
                    self.step = Step::Done(info);
                    return;
                }
                Err(trouble) => {
                    let told = told_to_wait(&response);
                    (trouble, told)
                }
            },
            Err(error) => (Trouble::Http(error), Duration::ZERO),
        };
        self.malformed += u32::from(trouble.is_nonsense());
        self.step = self.after(now, &trouble, told);
        self.trouble = Some(trouble);
    }

    /// Requests sent so far.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// What befell the last request, if it failed.
    pub fn trouble(&self) -> Option<&Trouble> {
        self.trouble.as_ref()
    }

    fn after(&mut self, now: Time, trouble: &Trouble, told: Duration) -> Step {
        let is_spent = self.attempts >= ATTEMPTS_MAX || self.malformed >= MALFORMED_MAX;
        if trouble.is_lasting() || is_spent {
            return self.give_up(now, trouble);
        }
        let growth = 1u32.checked_shl(self.attempts.saturating_sub(1)).unwrap_or(u32::MAX);
        let cap = BACKOFF_FIRST.saturating_mul(growth).min(BACKOFF_MAX);
        let mut wait = self.rng.jitter(cap);
        if !told.is_zero() {
            // Not earlier than told, and not all at once.
            wait = wait.max(told.saturating_add(self.rng.jitter(TOLD_JITTER)));
        }
        let (at, end) = (now + wait, self.started + self.limits.within);
        let left = end.since(at);
        if left < REQUEST_MIN {
            return self.give_up(now, trouble);
        }
        Step::Send { at, timeout: self.limits.request.min(left) }
    }

    #[cold]
    fn give_up(&self, now: Time, trouble: &Trouble) -> Step {
        let kind = match trouble {
            Trouble::Status { status: 401, .. } => ErrorKind::Token,
            _ => ErrorKind::Discovery,
        };
        let mut detail = format!("GET /gateway/bot at {}: {trouble}", self.place);
        if let Some(advice) = trouble.advice() {
            detail.push_str("; ");
            detail.push_str(advice);
        }
        if self.attempts > 1 {
            let seconds = now.since(self.started).as_secs_f64();
            let attempts = self.attempts;
            detail.push_str(&format!(" (given up after {attempts} requests in {seconds:.1} s)"));
        }
        Step::GiveUp(Error::new(kind, detail))
    }
}

impl Trouble {
    /// Whether asking again within a minute can not help.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Http(error) => error.is_lasting(),
            Self::Status { status, .. } => !(*status >= 500 || *status == 408),
            Self::RateLimited { .. } | Self::Malformed(_) => false,
        }
    }

    /// Whether something answered that is not what was asked.
    fn is_nonsense(&self) -> bool {
        let is_nonsense = |error: &_| matches!(error, HttpError::TooLong | HttpError::NotHttp);
        matches!(self, Self::Malformed(_)) || matches!(self, Self::Http(e) if is_nonsense(e))
    }

    fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Status { status: 401, .. } => Some(
                "the token is wrong or was reset: copy a new one from the bot's page of the \
                 developer portal",
            ),
            Self::Status { status: 403, .. } => {
                Some("this address or this User-Agent may be blocked")
            }
            Self::Status { status: 404, .. } => {
                Some("is the REST base right? Discord's is https://discord.com/api/v10")
            }
            Self::Status { status: 300..=399, .. } => {
                Some("redirects are not followed, since they would carry the token elsewhere")
            }
            Self::RateLimited { .. } => {
                Some("something else asks with this token or from this address, too often")
            }
            _ => None,
        }
    }
}

fn read(response: &Response) -> Result<GatewayBotInfo, Trouble> {
    match response.status {
        200 => GatewayBotInfo::parse(&response.body).map_err(Trouble::Malformed),
        429 => Err(Trouble::RateLimited { told: told_to_wait(response) }),
        status => {
            let code = with_json(&response.body, |root| root.get("code")?.as_u64()).flatten();
            Err(Trouble::Status { status, code })
        }
    }
}

/// The longest of the waits that an answer asks for: by header, and by Discord's own field, which
/// has the fractions.
fn told_to_wait(response: &Response) -> Duration {
    let header = response.retry_after.as_deref().and_then(|text| text.trim().parse().ok());
    let field = match response.status {
        429 => with_json(&response.body, |root| root.get("retry_after")?.as_f64()).flatten(),
        _ => None,
    };
    let longest = header.unwrap_or(0.0f64).max(field.unwrap_or(0.0));
    // What is absurdly long does not fit either, and ends the inquiry as well as a day does.
    Duration::try_from_secs_f64(longest.clamp(0.0, TOLD_MAX.as_secs_f64())).unwrap_or(TOLD_MAX)
}

/// The longest that an inquiry takes, unless told otherwise.
pub const WITHIN: Duration = Duration::from_secs(60);
/// The longest that one request takes, unless told otherwise.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A request that would have less time than this is not sent.
pub const REQUEST_MIN: Duration = Duration::from_secs(1);
/// The most requests of one inquiry.
pub const ATTEMPTS_MAX: u32 = 12;
/// The most answers that cannot be used.
pub const MALFORMED_MAX: u32 = 3;
/// The first wait is drawn from zero to this; each failure doubles it.
pub const BACKOFF_FIRST: Duration = Duration::from_millis(500);
/// No wait is drawn longer.
pub const BACKOFF_MAX: Duration = Duration::from_secs(8);
/// On top of a wait that the answer asked for.
const TOLD_JITTER: Duration = Duration::from_millis(500);
/// No answer's wait is believed to be longer.
const TOLD_MAX: Duration = Duration::from_secs(24 * 60 * 60);

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(error) => error.fmt(f),
            Self::Status { status: 401, .. } => f.write_str("token refused (401)"),
            Self::Status { status, code: Some(code) } => {
                write!(f, "refused with status {status} (Discord's code {code})")
            }
            Self::Status { status, code: None } => write!(f, "refused with status {status}"),
            Self::RateLimited { told } if told.is_zero() => f.write_str("rate limited (429)"),
            Self::RateLimited { told } => {
                write!(f, "rate limited (429), for {:.1} s", told.as_secs_f64())
            }
            Self::Malformed(error) => error.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discovery::request::Request;
    use crate::discovery::simulated::Simulated;
    use crate::discovery::{Clock as _, inquire};
    use crate::shard::token::Token;
    use std::io;

    const GOOD: &[u8] = br#"{"url":"wss://g","shards":2,"session_start_limit":{"total":9,
        "remaining":8,"reset_after":7,"max_concurrency":6}}"#;
    const SOON: Duration = Duration::from_millis(20);

    fn response(status: u16, retry_after: Option<&str>, body: &[u8]) -> Response {
        Response { status, retry_after: retry_after.map(str::to_owned), body: body.to_vec() }
    }

    fn ask(world: &Simulated, seed: u64) -> Result<GatewayBotInfo, Error> {
        let inquiry = Inquiry::new("http://base", RetryLimits::default(), seed, world.now());
        let request = Request {
            url: "http://base/gateway/bot".into(),
            token: Token::new("se.cret").unwrap(),
            user_agent: "DiscordBot (x, 1)".into(),
            timeout: Duration::ZERO,
        };
        assert!(!format!("{request:?}").contains("cret"));
        inquire(inquiry, &request, world, world, &mut |_| ())
    }

    #[test]
    fn a_good_answer_ends_it_at_the_first_request() {
        let world = Simulated::new();
        world.answer(SOON, Ok(response(200, None, GOOD)));
        assert_eq!(ask(&world, 1).unwrap().shard_count, 2);
        assert_eq!(world.asked(), [(Time::ZERO, REQUEST_TIMEOUT)]);
    }

    #[test]
    fn what_may_pass_is_asked_again_with_full_jitter_under_growing_caps() {
        let mut widest = [0.0f64; 4];
        for seed in 0..500 {
            let world = Simulated::new();
            world
                .answer(SOON, Ok(response(500, None, b"")))
                .answer(SOON, Ok(response(503, None, b"<html>")))
                .answer(SOON, Err(HttpError::Io(io::ErrorKind::ConnectionRefused)))
                .answer(Duration::from_secs(11), Ok(response(200, None, GOOD)))
                .answer(SOON, Ok(response(200, None, GOOD)));
            assert_eq!(ask(&world, seed).unwrap().shard_count, 2);
            let asked = world.asked();
            assert_eq!(asked.len(), 5);
            for (at, widest) in widest.iter_mut().enumerate() {
                let took = if at == 3 { REQUEST_TIMEOUT } else { SOON };
                let wait = asked[at + 1].0.since(asked[at].0 + took);
                let cap = (BACKOFF_FIRST * (1 << at)).min(BACKOFF_MAX);
                assert!(wait < cap, "{at}: {wait:?}");
                *widest = widest.max(wait.as_secs_f64() / cap.as_secs_f64());
            }
        }
        assert!(widest.iter().all(|part| *part > 0.9), "the whole range is drawn: {widest:?}");
    }

    #[test]
    fn it_ends_within_its_bounds_whatever_comes() {
        for seed in 0..300 {
            for after in [Duration::ZERO, Duration::from_secs(4), Duration::MAX] {
                let world = Simulated::new();
                for _ in 0..100 {
                    world.answer(after, Err(HttpError::Io(io::ErrorKind::NetworkUnreachable)));
                }
                let error = ask(&world, seed).unwrap_err();
                assert_eq!(error.kind(), ErrorKind::Discovery);
                let asked = world.asked();
                assert!((2..=ATTEMPTS_MAX as usize).contains(&asked.len()), "{}", asked.len());
                assert!(world.now() <= Time::ZERO + WITHIN, "{:?}", world.now());
                assert!(asked.iter().all(|(_, timeout)| *timeout >= REQUEST_MIN));
                let text = error.to_string();
                let count = format!("given up after {} requests", asked.len());
                assert!(text.contains(&count), "{text}");
            }
        }
    }

    #[test]
    fn a_seed_repeats_a_run() {
        let run = |seed| {
            let world = Simulated::new();
            for _ in 0..20 {
                world.answer(SOON, Ok(response(502, None, b"")));
            }
            ask(&world, seed).unwrap_err();
            world.asked()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn a_rate_limit_is_waited_out_as_long_as_the_longer_of_its_two_numbers() {
        let cases: &[(Option<&str>, &[u8], f64)] = &[
            (Some("2"), b"", 2.0),
            (None, br#"{"retry_after":3.5,"global":true}"#, 3.5),
            (Some("4"), br#"{"retry_after":3.25}"#, 4.0),
            (Some("1"), br#"{"retry_after":"x"}"#, 1.0),
            (Some("Wed, 21 Oct 2026 07:28:00 GMT"), b"<html>", 0.0),
            (Some("-5"), br#"{"retry_after":-1e300}"#, 0.0),
            (Some("NaN"), b"", 0.0),
        ];
        for (header, body, told_s) in cases {
            for seed in 0..50 {
                let world = Simulated::new();
                world.answer(SOON, Ok(response(429, *header, body)));
                world.answer(SOON, Ok(response(200, None, GOOD)));
                assert!(ask(&world, seed).is_ok());
                let wait = world.asked()[1].0.since(Time::ZERO + SOON).as_secs_f64();
                assert!((*told_s..*told_s + 0.5).contains(&wait), "{header:?}: {wait}");
            }
        }
    }

    #[test]
    fn a_rate_limit_longer_than_the_bound_ends_it_at_once_and_says_how_long() {
        for (header, text) in [("3600", "3600.0 s"), ("inf", "86400.0 s"), ("1e300", "86400.0 s")] {
            let world = Simulated::new();
            world.answer(SOON, Ok(response(429, Some(header), b"error code: 1015")));
            let error = ask(&world, 1).unwrap_err();
            assert_eq!((error.kind(), world.asked().len()), (ErrorKind::Discovery, 1));
            assert_eq!(world.now(), Time::ZERO + SOON);
            assert!(error.to_string().contains(text), "{error}");
        }
    }

    #[test]
    fn a_refusal_is_final_and_names_its_status() {
        let body = br#"{"message":"no se.cret","code":40001}"#;
        for (status, kind, text) in [
            (401, ErrorKind::Token, "token refused (401)"),
            (403, ErrorKind::Discovery, "403 (Discord's code 40001)"),
            (404, ErrorKind::Discovery, "is the REST base right"),
            (301, ErrorKind::Discovery, "redirects are not followed"),
            (418, ErrorKind::Discovery, "status 418"),
            (204, ErrorKind::Discovery, "status 204"),
        ] {
            let world = Simulated::new();
            world.answer(SOON, Ok(response(status, None, body)));
            let error = ask(&world, 1).unwrap_err();
            assert_eq!((error.kind(), world.asked().len()), (kind, 1), "{status}");
            let shown = format!("{error} {error:?}");
            assert!(shown.contains(text) && !shown.contains("cret"), "{shown}");
        }
    }

    #[test]
    fn lasting_errors_of_the_way_there_are_final_and_passing_ones_are_not() {
        let proxy = |status| HttpError::Proxy { status, why: "general SOCKS server failure" };
        for (error, is_final) in [
            (HttpError::Certificate("expired".into()), true),
            (HttpError::Request("no host".into()), true),
            (proxy(Some(407)), true),
            (proxy(Some(502)), false),
            (proxy(None), false),
            (HttpError::NoSuchHost, false),
            (HttpError::Tls("alert".into()), false),
        ] {
            let world = Simulated::new();
            world.answer(SOON, Err(error.clone())).answer(SOON, Ok(response(200, None, GOOD)));
            assert_eq!(ask(&world, 1).is_err(), is_final, "{error:?}");
            assert_eq!(world.asked().len(), if is_final { 1 } else { 2 });
        }
    }

    #[test]
    fn nonsense_is_asked_again_a_few_times_only() {
        let nonsense: [Result<Response, HttpError>; 4] = [
            Ok(response(200, None, b"<html>")),
            Ok(response(200, None, br#"{"url":"wss://g"}"#)),
            Err(HttpError::TooLong),
            Err(HttpError::NotHttp),
        ];
        for answer in nonsense {
            let world = Simulated::new();
            world.answer(SOON, answer.clone()).answer(SOON, Ok(response(200, None, GOOD)));
            assert!(ask(&world, 1).is_ok());
            let world = Simulated::new();
            for _ in 0..20 {
                world.answer(SOON, answer.clone());
            }
            assert_eq!(ask(&world, 1).unwrap_err().kind(), ErrorKind::Discovery);
            assert_eq!(world.asked().len(), MALFORMED_MAX as usize);
        }
    }

    #[test]
    fn an_end_is_an_end() {
        let mut inquiry = Inquiry::new("x", RetryLimits::default(), 1, Time::ZERO);
        inquiry.answered(Time::ZERO, Ok(response(401, None, b"")));
        assert!(matches!(inquiry.step(), Step::Send { .. }), "nothing was on its way");
        inquiry.sent();
        inquiry.answered(Time::ZERO, Ok(response(401, None, b"")));
        inquiry.sent();
        inquiry.answered(Time::ZERO, Ok(response(200, None, GOOD)));
        assert!(matches!(inquiry.step(), Step::GiveUp(_)));
        assert_eq!(inquiry.attempts(), 1);
    }
}
