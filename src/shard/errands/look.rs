//! Whether a dispatch can tell something of the bot's own voice state, by a look at its text.
//!
//! Nothing is parsed and nothing allocated: the keys of `d` are stepped over, as the interest's
//! filter does. Invariant: what is in doubt (broken, escaped, doubled) is looked at closer, by the
//! parser. Called by `errands` for each GUILD_CREATE and VOICE_STATE_UPDATE.

use crate::decode::{DataScan, Doubt};

/// Whether a VOICE_STATE_UPDATE is, or may be, that of this user.
pub(super) fn is_of_user(text: &[u8], user_id: u64) -> bool {
    let found = || -> Result<bool, Doubt> {
        let mut data = DataScan::open(text)?;
        while let Some(key) = data.key()? {
            let value = data.value()?;
            if key == b"user_id" {
                return Ok(value.id() == Some(user_id));
            }
        }
        Ok(true)
    };
    found().unwrap_or(true)
}

/// Whether a GUILD_CREATE has, or may have, a voice state of this user; or is of a guild that is
/// of interest anyway.
pub(super) fn concerns_guild(text: &[u8], user_id: u64, of_interest: impl Fn(u64) -> bool) -> bool {
    let found = || -> Result<bool, Doubt> {
        let mut data = DataScan::open(text)?;
        let (mut guild_id, mut states) = (None, None);
        while guild_id.is_none() || states.is_none() {
            let Some(key) = data.key()? else { break };
            let value = data.value()?;
            match key {
                b"id" => guild_id = Some(value.id().ok_or(Doubt)?),
                b"voice_states" => states = Some(may_hold(value.raw(), user_id)),
                _ => {}
            }
        }
        Ok(states.unwrap_or(false) || guild_id.is_none_or(&of_interest))
    };
    found().unwrap_or(true)
}

/// Whether the text of a list of voice states may hold this user's.
fn may_hold(states: &[u8], user_id: u64) -> bool {
    if states.len() < STATE_LEN_MIN {
        return false;
    }
    let mut digits = [0; 20];
    let digits = decimal(user_id, &mut digits);
    // By its last digit: the first ones are when the account was made, and alike.
    let (last, head) = (digits[digits.len() - 1], &digits[..digits.len() - 1]);
    let mut at = head.len();
    while let Some(found) = states.get(at..).and_then(|rest| rest.iter().position(|b| *b == last)) {
        at += found;
        if states[..at].ends_with(head) {
            return true;
        }
        at += 1;
    }
    false
}

/// The digits of a number, without an allocation.
fn decimal(mut number: u64, digits: &mut [u8; 20]) -> &[u8] {
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[at..];
        }
    }
}

/// The text of a voice state has more bytes than this.
const STATE_LEN_MIN: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    fn guild(d: &str) -> bool {
        let text = format!(r#"{{"t":"GUILD_CREATE","s":1,"op":0,"d":{d}}}"#);
        concerns_guild(text.as_bytes(), 77, |guild_id| guild_id == 5)
    }

    #[test]
    fn only_the_bots_own_state_or_a_guild_of_interest_is_looked_at() {
        let others = r#""voice_states":[{"user_id":"78","channel_id":"9"}]"#;
        let own = r#""voice_states":[{"user_id":"77","channel_id":"9"}]"#;
        let member = r#""members":[{"user":{"id":"77"}}]"#;
        assert!(!guild(&format!(r#"{{"id":"4",{others},{member}}}"#)));
        assert!(!guild(&format!(r#"{{{member},"voice_states":[],"id":"4"}}"#)));
        assert!(guild(&format!(r#"{{"id":"4",{own}}}"#)));
        assert!(guild(&format!(r#"{{"id":"5",{others}}}"#)));
        assert!(guild(r#"{"id":"5","name":"voice_states"}"#));
        assert!(!guild(r#"{"id":"4","name":"\"voice_states\":[{\"user_id\":\"77\"}]"}"#));
    }

    #[test]
    fn what_is_in_doubt_is_looked_at() {
        assert!(guild(r#"[]"#));
        assert!(guild(r#"{"id":{},"voice_states":[]}"#));
        assert!(guild(r#"{"\u0069d":"4"}"#));
        assert!(is_of_user(b"{", 77));
        assert!(is_of_user(br#"{"t":"VOICE_STATE_UPDATE","s":1,"op":0,"d":{}}"#, 77));
    }

    #[test]
    fn a_voice_state_of_somebody_else_is_passed_over() {
        let text = |user: &str| {
            format!(
                r#"{{"t":"VOICE_STATE_UPDATE","s":1,"op":0,"d":{{"member":{{"user":{{"id":"77"}}}},
                   "user_id":{user}}}}}"#
            )
        };
        assert!(!is_of_user(text(r#""78""#).as_bytes(), 77));
        assert!(is_of_user(text(r#""77""#).as_bytes(), 77));
        assert!(is_of_user(text("77").as_bytes(), 77));
    }

    #[test]
    fn digits_are_those_of_the_number() {
        for number in [0, 7, 10, 1_216_449_876_777_209_472, u64::MAX] {
            assert_eq!(decimal(number, &mut [0; 20]), number.to_string().as_bytes());
        }
    }
}
