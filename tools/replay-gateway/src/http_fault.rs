//! Faults of the HTTP endpoints: which requests are answered wrongly, how often and how. Plain data
//! with its JSON form; `rest` commits them.

use serde::Deserialize;

/// A fault of an endpoint. In JSON:
///
/// ```
/// use replay_gateway::{HttpAnswer, HttpFault};
/// let text = r#"{"path": "/gateway/bot", "times": 3, "do": {"status": 503}}"#;
/// let fault: HttpFault = serde_json::from_str(text)?;
/// assert_eq!(fault.answer, HttpAnswer::Status(503));
/// let text = r#"{"do": {"rate_limited": {"retry_after_ms": 1500}}}"#;
/// let _: HttpFault = serde_json::from_str(text)?;
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpFault {
    /// The path without `/api` and version, such as `/gateway/bot`; absent: `/gateway/bot`.
    #[serde(default = "gateway_bot")]
    pub path: String,
    /// How many requests are answered so; absent: all.
    #[serde(default)]
    pub times: Option<u32>,
    /// The answer.
    #[serde(rename = "do")]
    pub answer: HttpAnswer,
}

/// What such a request gets.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HttpAnswer {
    /// 429 with `Retry-After` (whole seconds, rounded up) and `retry_after` in the body.
    RateLimited {
        /// The wait, ms.
        retry_after_ms: u64,
        /// Of all endpoints (`X-RateLimit-Global`).
        #[serde(default)]
        global: bool,
    },
    /// This status, with Discord's shape of an error.
    Status(u16),
    /// 200 with a body that is cut in the middle of its JSON.
    Malformed,
    /// 200 with a body of valid JSON that is no such object.
    Unexpected,
    /// The right answer, so many ms late.
    Slow(u64),
    /// No answer at all; the connection stays open.
    Never,
    /// TCP RST in place of an answer.
    Reset,
}

impl HttpFault {
    /// A fault of `GET /gateway/bot`.
    pub fn gateway_bot(times: Option<u32>, answer: HttpAnswer) -> Self {
        Self { path: gateway_bot(), times, answer }
    }
}

fn gateway_bot() -> String {
    "/gateway/bot".to_owned()
}
