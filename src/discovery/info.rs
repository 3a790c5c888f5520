//! The answer of `GET /gateway/bot`, read with forgiveness and within bounds.
//!
//! No I/O. What is missing or absurd is replaced by what cannot hurt, and each replacement is told
//! in [`GatewayBotInfo::oddities`]; an answer without an address or a number of shards is no
//! answer. No byte of the answer but numbers and the checked address gets out of here. `retry`
//! calls it; `config` and the engine read what comes out.

use std::fmt;
use std::time::Duration;

use crate::decode::{Json, PADDING, Scratch};
use crate::shard::budget::SessionStartLimit;
use crate::wire::GatewayUrl;

/// What `GET /gateway/bot` said (protocol section 7.1). Do not keep it for long: it changes as the
/// bot joins and leaves guilds.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct GatewayBotInfo {
    /// The gateway's address: a valid `ws://` or `wss://` URL.
    pub url: String,
    /// The number of shards that Discord recommends: 1 to [`SHARD_COUNT_MAX`].
    pub shard_count: u32,
    /// How many sessions may be started, and how fast.
    pub session_start_limit: SessionStartLimit,
    /// What was missing or absurd in the answer, and what was taken instead. Empty as a rule.
    pub oddities: Vec<Oddity>,
}

/// A field of the answer that was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Oddity {
    /// Its name in Discord's documentation.
    pub field: &'static str,
    /// What came; `None` if it was missing or no number.
    pub came: Option<u64>,
    /// What was taken; milliseconds for `reset_after`.
    pub taken: u64,
}

/// Why an answer is none. Never quotes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InfoError {
    /// Not JSON, or not an object.
    NotJson,
    /// `url` is missing, or no `ws://` or `wss://` address.
    Url,
    /// `shards` is missing, or no number from 1 to [`SHARD_COUNT_MAX`]. It is not guessed: a wrong
    /// number of shards wastes the day's session starts.
    Shards,
}

impl GatewayBotInfo {
    /// What a user knows without asking; for tests, and for fleets that ask once for many.
    pub fn new(url: impl Into<String>, shard_count: u32, limit: SessionStartLimit) -> Self {
        Self { url: url.into(), shard_count, session_start_limit: limit, oddities: Vec::new() }
    }

    /// Reads the body of a 200.
    ///
    /// Keys that are not known are passed over, numbers may stand in strings. What is missing in
    /// `session_start_limit` is taken as Discord's documented default (1000 a day, one at a time)
    /// and what is absurd as the slowest that is safe; see [`oddities`](Self::oddities).
    ///
    /// # Errors
    /// [`InfoError`], without a byte of `body` in it.
    pub fn parse(body: &[u8]) -> Result<Self, InfoError> {
        with_json(body, Self::read).unwrap_or(Err(InfoError::NotJson))
    }

    fn read(root: Json<'_>) -> Result<Self, InfoError> {
        let url = root.get("url").and_then(|url| url.as_str()).ok_or(InfoError::Url)?;
        GatewayUrl::parse(url).map_err(|_| InfoError::Url)?;
        let shards = root.get("shards").and_then(whole).ok_or(InfoError::Shards)?;
        let shard_count = u32::try_from(shards)
            .ok()
            .filter(|count| (1..=SHARD_COUNT_MAX).contains(count))
            .ok_or(InfoError::Shards)?;
        let mut oddities = Vec::new();
        let limit = root.get("session_start_limit").unwrap_or(Json::NULL);
        let session_start_limit = read_limit(limit, &mut oddities);
        Ok(Self { url: url.to_owned(), shard_count, session_start_limit, oddities })
    }
}

fn read_limit(limit: Json<'_>, oddities: &mut Vec<Oddity>) -> SessionStartLimit {
    let mut take = |field, absent: u64, check: &dyn Fn(u64) -> u64| {
        let came = limit.get(field).and_then(whole);
        let taken = came.map_or(absent, check);
        if came != Some(taken) {
            oddities.push(Oddity { field, came, taken });
        }
        taken
    };
    let bounded = |came: u64| if came == 0 { STARTS_DEFAULT } else { came.min(STARTS_MAX) };
    let total = take("total", STARTS_DEFAULT, &bounded);
    let remaining = take("remaining", total, &|came| came.min(total));
    let reset_after = take("reset_after", WINDOW_MS, &|came| came.min(WINDOW_MS));
    // An absurd number is one at a time: each pair of shards then keeps its distance, whatever
    // the true number of keys.
    let is_sane = |came: &u64| (1..=MAX_CONCURRENCY_MAX).contains(came);
    let max_concurrency =
        take("max_concurrency", 1, &|came| Some(came).filter(is_sane).unwrap_or(1));
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    SessionStartLimit {
        total: small(total),
        remaining: small(remaining),
        reset_after: Duration::from_millis(reset_after),
        max_concurrency: small(max_concurrency),
    }
}

/// Reads a whole text, which may be any JSON value: decoding's door wants an envelope round it.
pub(super) fn with_json<T>(body: &[u8], read: impl FnOnce(Json<'_>) -> T) -> Option<T> {
    let (before, after): (&[u8], &[u8]) = (br#"{"d":"#, b"}");
    let mut text = Vec::with_capacity(before.len() + body.len() + after.len() + PADDING);
    text.extend_from_slice(before);
    text.extend_from_slice(body);
    text.extend_from_slice(after);
    let len = text.len();
    text.resize(len + PADDING, 0);
    Scratch::new().read(&mut text, len, |root| read(root.json())).ok()
}

/// A number, as such or as a string; what lies below zero is zero, fractions are cut off.
fn whole(value: Json<'_>) -> Option<u64> {
    if let Some(text) = value.as_str() {
        return text.trim().parse().ok();
    }
    // `as` saturates, and what is no number is zero.
    value.as_u64().or_else(|| value.as_f64().map(|number| number as u64))
}

/// The largest recommended number of shards believed: 160 million guilds.
pub const SHARD_COUNT_MAX: u32 = 65_536;

/// Session starts a day of a bot that is not large (protocol section 4), taken where none are told.
pub const STARTS_DEFAULT: u64 = 1000;

/// The largest number of session starts a day believed.
pub const STARTS_MAX: u64 = 1 << 24;

/// The largest `max_concurrency` believed.
pub const MAX_CONCURRENCY_MAX: u64 = 4096;

/// The window of session starts, milliseconds: no reset is further away.
pub const WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, came, taken } = self;
        match came {
            Some(came) => write!(f, "GET /gateway/bot: {field} is {came}; {taken} is taken"),
            None => write!(f, "GET /gateway/bot: {field} is missing; {taken} is taken"),
        }
    }
}

impl fmt::Display for InfoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotJson => "the answer is no JSON object",
            Self::Url => "the answer has no usable `url`",
            Self::Shards => "the answer has no usable `shards`",
        })
    }
}

impl std::error::Error for InfoError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(limit: &str) -> GatewayBotInfo {
        let body = format!(r#"{{"url":"wss://g/","shards":9,"session_start_limit":{limit}}}"#);
        GatewayBotInfo::parse(body.as_bytes()).unwrap()
    }

    #[test]
    fn the_documented_answer_is_read_whole() {
        let body = br#"{
            "url": "wss://gateway.discord.gg/", "shards": 9,
            "session_start_limit": {
                "total": 1000, "remaining": 999, "reset_after": 14400000, "max_concurrency": 16
            }
        }"#;
        let info = GatewayBotInfo::parse(body).unwrap();
        assert_eq!((info.url.as_str(), info.shard_count), ("wss://gateway.discord.gg/", 9));
        let limit = info.session_start_limit;
        assert_eq!((limit.total, limit.remaining, limit.max_concurrency), (1000, 999, 16));
        assert_eq!((limit.reset_after, limit.used()), (Duration::from_secs(14_400), 1));
        assert!(info.oddities.is_empty());
    }

    #[test]
    fn order_strings_fractions_and_unknown_keys_do_not_matter() {
        let body = br#"{"new":[{"url":1}],"session_start_limit":{"x":null,"max_concurrency":"2",
            "reset_after":1.0,"remaining":" 5 ","total":10},"shards":"3","url":"ws:\/\/h:1"}"#;
        let info = GatewayBotInfo::parse(body).unwrap();
        assert_eq!((info.url.as_str(), info.shard_count), ("ws://h:1", 3));
        let limit = info.session_start_limit;
        assert_eq!((limit.total, limit.remaining, limit.max_concurrency), (10, 5, 2));
        assert_eq!(limit.reset_after, Duration::from_millis(1));
        assert!(info.oddities.is_empty(), "{:?}", info.oddities);
    }

    #[test]
    fn what_is_missing_is_the_documented_default_and_is_told() {
        let fallback = SessionStartLimit {
            total: 1000,
            remaining: 1000,
            reset_after: Duration::from_secs(86_400),
            max_concurrency: 1,
        };
        for limit in ["null", "{}", "[]", "7", r#"{"total":"many","remaining":null}"#] {
            let info = parse(limit);
            assert_eq!(info.session_start_limit, fallback, "{limit}");
            let fields: Vec<_> = info.oddities.iter().map(|oddity| oddity.field).collect();
            assert_eq!(fields, ["total", "remaining", "reset_after", "max_concurrency"]);
        }
        let bare = GatewayBotInfo::parse(br#"{"url":"wss://g","shards":1}"#).unwrap();
        assert_eq!((bare.session_start_limit, bare.oddities.len()), (fallback, 4));
        assert!(bare.oddities[0].to_string().contains("total is missing; 1000 is taken"));
    }

    #[test]
    fn what_is_absurd_becomes_the_slow_and_safe_and_is_told() {
        let limit = r#"{"total":5,"remaining":6,"reset_after":-3,"max_concurrency":0}"#;
        let info = parse(limit);
        let SessionStartLimit { total, remaining, reset_after, max_concurrency } =
            info.session_start_limit;
        assert_eq!((total, remaining, max_concurrency), (5, 5, 1));
        assert_eq!(reset_after, Duration::ZERO);
        let fields: Vec<_> = info.oddities.iter().map(|oddity| oddity.field).collect();
        assert_eq!(fields, ["remaining", "max_concurrency"]);

        let huge = parse(
            r#"{"total":1e30,"remaining":18446744073709551615,"reset_after":1e18,
                "max_concurrency":4294967297}"#,
        );
        let limit = huge.session_start_limit;
        assert_eq!(u64::from(limit.total), STARTS_MAX);
        assert_eq!(limit.remaining, limit.total);
        assert_eq!(limit.reset_after, Duration::from_secs(86_400));
        assert_eq!(limit.max_concurrency, 1);
        assert_eq!(huge.oddities.len(), 4);
        assert_eq!(parse(r#"{"total":0,"remaining":0}"#).session_start_limit.total, 1000);
    }

    #[test]
    fn an_answer_without_address_or_shards_is_none() {
        let cases: &[(&[u8], InfoError)] = &[
            (b"", InfoError::NotJson),
            (b"<html>", InfoError::NotJson),
            (b"{\"url\":\"wss://g\",\"shards\":1", InfoError::NotJson),
            (b"\xff\xfe", InfoError::NotJson),
            (b"[]", InfoError::Url),
            (b"null", InfoError::Url),
            (br#"{"shards":1}"#, InfoError::Url),
            (br#"{"url":"https://g","shards":1}"#, InfoError::Url),
            (br#"{"url":"wss://g\u000aX: y","shards":1}"#, InfoError::Url),
            (br#"{"url":"wss://g"}"#, InfoError::Shards),
            (br#"{"url":"wss://g","shards":0}"#, InfoError::Shards),
            (br#"{"url":"wss://g","shards":-1}"#, InfoError::Shards),
            (br#"{"url":"wss://g","shards":65537}"#, InfoError::Shards),
            (br#"{"url":"wss://g","shards":1e99}"#, InfoError::Shards),
        ];
        for (body, error) in cases {
            let text = String::from_utf8_lossy(body);
            assert_eq!(GatewayBotInfo::parse(body), Err(*error), "{text}");
        }
        let deep = "[".repeat(100_000);
        assert_eq!(GatewayBotInfo::parse(deep.as_bytes()), Err(InfoError::NotJson));
    }
}
