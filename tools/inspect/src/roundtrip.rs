//! The comparison of what came with what was written out again.
//!
//! What the types do not tell apart is no difference: a missing key, null, an empty list, and the
//! empty value of a scalar; an id as a string or as a number.

use crate::drift::{Drift, push};
use serde_json::Value;
use std::collections::BTreeMap;

/// The differences of all events: by kind and path, so often.
#[derive(Debug, Default)]
pub(crate) struct Differences {
    /// Keys that came, that the model does not know, and that were not written.
    pub(crate) unknown: BTreeMap<(String, String), u64>,
    /// Keys that came, that the model knows, and that were not written.
    pub(crate) lost: BTreeMap<(String, String), u64>,
    /// Values that were written otherwise, and keys that were written though they never came.
    pub(crate) changed: BTreeMap<(String, String), u64>,
    /// Events that were compared.
    pub(crate) compared: u64,
}

impl Differences {
    /// Compares one event.
    pub(crate) fn see(&mut self, kind: &str, came: &Value, written: &Value, drift: &Drift) {
        self.compared += 1;
        let mut found = Vec::new();
        compare(came, Some(written), &mut String::new(), &mut found);
        for (path, is_lost) in found {
            let key = (kind.to_owned(), path);
            if !is_lost {
                *self.changed.entry(key).or_default() += 1;
            } else if drift.is_unknown(&key.1) {
                *self.unknown.entry(key).or_default() += 1;
            } else if !drift.is_omitted(&key.1) {
                *self.lost.entry(key).or_default() += 1;
            }
        }
    }
}

/// Appends the paths of what differs, and whether it is lost.
fn compare(
    came: &Value,
    written: Option<&Value>,
    path: &mut String,
    out: &mut Vec<(String, bool)>,
) {
    let Some(written) = written else {
        if !is_empty(came) {
            out.push((path.clone(), true));
        }
        return;
    };
    match (came, written) {
        (Value::Object(came), Value::Object(written)) => {
            for (key, value) in came {
                within(path, key, |path| compare(value, written.get(key), path, out));
            }
            for (key, value) in written.iter().filter(|(key, _)| !came.contains_key(*key)) {
                if !is_empty(value) {
                    within(path, key, |path| out.push((path.clone(), false)));
                }
            }
        }
        (Value::Array(came), Value::Array(written)) => {
            let len = path.len();
            path.push_str("[]");
            for (index, value) in came.iter().enumerate() {
                compare(value, written.get(index), path, out);
            }
            if written.len() > came.len() {
                out.push((path.clone(), false));
            }
            path.truncate(len);
        }
        _ if is_same(came, written) => {}
        _ => out.push((path.clone(), false)),
    }
}

fn within(path: &mut String, key: &str, then: impl FnOnce(&mut String)) {
    let len = path.len();
    push(path, key);
    then(path);
    path.truncate(len);
}

fn is_same(came: &Value, written: &Value) -> bool {
    match (came, written) {
        (Value::Number(number), Value::String(text))
        | (Value::String(text), Value::Number(number)) => number.to_string() == *text,
        (Value::Number(one), Value::Number(other)) => {
            one == other || one.as_f64() == other.as_f64()
        }
        _ => came == written || is_empty(came) && is_empty(written),
    }
}

/// A value that stands for a missing one as well.
fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(list) => list.is_empty(),
        Value::Object(object) => object.values().all(is_empty),
        Value::Bool(true) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differences(came: &Value, written: &Value) -> Vec<(String, bool)> {
        let mut out = Vec::new();
        compare(came, Some(written), &mut String::new(), &mut out);
        out
    }

    #[test]
    fn what_the_types_do_not_tell_apart_is_no_difference() {
        let came = json!({"id": 7, "nick": null, "roles": [], "flags": 0, "pos": 1.0});
        let written = json!({"id": "7", "name": "", "pos": 1});
        assert_eq!(differences(&came, &written), []);
    }

    #[test]
    fn lost_and_changed_values_are_named_by_their_path() {
        let came = json!({"a": {"b": [{"c": 1}, {"c": 2}]}, "d": "x", "e": "y"});
        let written = json!({"a": {"b": [{"c": 1}, {}]}, "d": "z", "f": 5});
        let found = differences(&came, &written);
        let expected = [("a.b[].c", true), ("d", false), ("e", true), ("f", false)];
        assert_eq!(found, expected.map(|(path, lost)| (path.to_owned(), lost)));
    }
}
