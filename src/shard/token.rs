//! The bot's token, which nothing here ever shows.
//!
//! Invariant: a [`Token`] is not empty, at most [`TOKEN_LEN_MAX`] bytes of printable ASCII without
//! spaces, quotes or backslashes, so it can stand in JSON and in a header as it is. `Debug` and
//! `Display` redact it; only `shard::payload` (and the HTTP request for `/gateway/bot`) read it.

use std::fmt;
use std::sync::Arc;

/// A bot token. `Debug` and `Display` show `Token(redacted)`.
#[derive(Clone)]
pub struct Token(Arc<str>);

impl Token {
    /// A token from text. Spaces round it and a leading `Bot ` are taken off, as IDENTIFY wants the
    /// bare token (protocol section 4).
    ///
    /// # Errors
    /// [`TokenError`] if nothing is left, if it is too long, or if it holds what no token holds.
    /// The error never quotes the text.
    pub fn new(text: &str) -> Result<Self, TokenError> {
        let text = text.trim();
        let text = text.strip_prefix("Bot ").unwrap_or(text).trim_start();
        if text.is_empty() || text == "Bot" {
            return Err(TokenError::Empty);
        }
        if text.len() > TOKEN_LEN_MAX {
            return Err(TokenError::TooLong { len: text.len() });
        }
        let bad = |byte: u8| !byte.is_ascii_graphic() || byte == b'"' || byte == b'\\';
        if let Some(at) = text.bytes().position(bad) {
            return Err(TokenError::BadCharacter { at });
        }
        Ok(Self(text.into()))
    }

    /// A token from an environment variable.
    ///
    /// # Errors
    /// [`TokenError::NotSet`] if there is no such variable (or it is not UTF-8), else as [`new`].
    ///
    /// [`new`]: Token::new
    pub fn from_env(name: &str) -> Result<Self, TokenError> {
        let text = std::env::var(name).map_err(|_| TokenError::NotSet { name: name.into() })?;
        Self::new(&text)
    }

    /// The token itself. For the two places that send it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(redacted)")
    }
}

/// The longest token taken, in bytes. Discord's have about 72; IDENTIFY must stay under 4096.
pub const TOKEN_LEN_MAX: usize = 256;

/// Why a text is no token. The caller's fault. Never quotes the text.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TokenError {
    /// The environment variable is not set, or not UTF-8.
    NotSet {
        /// Its name.
        name: Box<str>,
    },
    /// Nothing, or nothing but `Bot`.
    Empty,
    /// Longer than [`TOKEN_LEN_MAX`].
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
    /// A space, a control character, a quote, a backslash or something outside of ASCII.
    BadCharacter {
        /// The byte at which it stands.
        at: usize,
    },
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotSet { name } => {
                write!(f, "the environment variable {name} is not set: put the bot token in it")
            }
            Self::Empty => f.write_str("the bot token is empty"),
            Self::TooLong { len } => {
                write!(f, "the bot token has {len} bytes, more than {TOKEN_LEN_MAX}")
            }
            Self::BadCharacter { at } => {
                write!(f, "the bot token holds a character at byte {at} that no token holds")
            }
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_taken_bare_or_with_its_prefix_and_never_shown() {
        for text in ["abc.DEF-_1", "Bot abc.DEF-_1", "  Bot  abc.DEF-_1\n"] {
            let token = Token::new(text).unwrap();
            assert_eq!(token.expose(), "abc.DEF-_1");
            assert!(!format!("{token:?} {token}").contains("abc"));
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_being_quoted() {
        let bad =
            ["", " ", "Bot ", "se cret", "se\u{0}cret", "se\"cret", "secrét", "Bearer secret"];
        for text in bad {
            let error = Token::new(text).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("cret"), "{error}");
        }
        assert_eq!(Token::new(&"x".repeat(257)).unwrap_err(), TokenError::TooLong { len: 257 });
        let unset = Token::from_env("SHARDRING_NO_SUCH_VARIABLE").unwrap_err();
        assert!(unset.to_string().contains("SHARDRING_NO_SUCH_VARIABLE"));
    }
}
