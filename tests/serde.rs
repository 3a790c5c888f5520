//! Events out again by serde: read as other types, written as JSON, and what the errors tell.

mod payload;

use payload::{Random, corpus, read, with_data};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Value, json};
use shardring::decode::{DEPTH_MAX, MESSAGE_LEN_MAX, Scratch};
use shardring::{DecodeError, DeserializeError, Event, EventKind};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

#[test]
fn random_values_come_out_as_they_went_in() {
    let mut random = Random(0x5EED);
    for round in 0..3_000 {
        let value = random.value(round % 7);
        let mut text = String::new();
        random.write(&value, &mut text);
        with_data(&text, |event| {
            let json = event.json().unwrap();
            // As text: it tells -0.0 from 0.0 and 1.0 from 1.
            let same = |other: &Value| assert_eq!(other.to_string(), value.to_string(), "{text}");
            same(&event.deserialize().unwrap());
            same(&serde_json::to_value(json).unwrap());
            same(&serde_json::to_value(event).unwrap());
            with_data(&json.to_string(), |again| same(&again.deserialize().unwrap()));
            json.deserialize::<IgnoredAny>().unwrap();
        });
    }
}

#[test]
fn every_event_of_the_corpus_is_read_as_it_came_any_number_of_times() {
    let mut scratch = Scratch::new();
    for (name, text) in corpus() {
        let want = serde_json::from_str::<Value>(&text).unwrap()["d"].take();
        read(&mut scratch, &text, |event| {
            let before = format!("{event:?}");
            for _ in 0..3 {
                assert_eq!(event.deserialize::<Value>().unwrap(), want, "{name}");
                assert_eq!(format!("{event:?}"), before, "{name} is as it was");
            }
        })
        .unwrap();
    }
}

#[test]
fn strings_are_borrowed_from_the_payload() {
    #[derive(Deserialize)]
    struct Borrowed<'a> {
        plain: &'a str,
        escaped: &'a str,
        bytes: &'a [u8],
        #[serde(borrow)]
        cow: Cow<'a, str>,
        #[serde(borrow)]
        map: BTreeMap<&'a str, &'a str>,
    }
    let text = r#"{"plain":"a","escaped":"\u00e4\n","bytes":"b","cow":"c\"","map":{"k\t":"v"}}"#;
    with_data(text, |event| {
        let value: Borrowed<'_> = event.deserialize().unwrap();
        assert_eq!((value.plain, value.escaped, value.bytes), ("a", "ä\n", &b"b"[..]));
        assert!(matches!(value.cow, Cow::Borrowed("c\"")));
        assert_eq!(value.map["k\t"], "v");
        let own = event.json().unwrap().get("escaped").unwrap().as_str().unwrap();
        assert_eq!(own.as_ptr(), value.escaped.as_ptr());
    });
}

/// Shapes of types, each tried on every text below.
mod shapes {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) struct Unit;

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) struct Newtype(pub(super) u32);

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) struct Pair(pub(super) i8, pub(super) String);

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) struct Plain {
        pub(super) a: u8,
        pub(super) b: Option<String>,
        #[serde(default)]
        pub(super) c: Vec<f64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    pub(super) struct Strict {
        pub(super) a: i64,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) struct Flat {
        pub(super) a: u64,
        #[serde(flatten)]
        pub(super) rest: BTreeMap<String, Value>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    pub(super) enum External {
        Unit,
        Newtype(u64),
        Tuple(u8, String),
        Struct { a: u8 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "t")]
    pub(super) enum Internal {
        Unit,
        Newtype(Plain),
        Struct { a: i32 },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(tag = "t", content = "c")]
    pub(super) enum Adjacent {
        Unit,
        Newtype(f32),
        Tuple(u8, u8),
        Struct { a: bool },
    }

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(untagged)]
    pub(super) enum Untagged {
        Plain(Plain),
        Number(i32),
        List(Vec<Untagged>),
        Text(String),
        Nothing,
    }

    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
    pub(super) struct Key(pub(super) u64);

    #[derive(Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
    pub(super) enum Word {
        Unit,
        #[serde(other)]
        Other,
    }
}

const TEXTS: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "1",
    "255",
    "256",
    "-1",
    "-128",
    "-129",
    "4294967296",
    "1.5",
    "-0.0",
    "1e300",
    "18446744073709551615",
    "-9223372036854775808",
    r#""""#,
    r#""x""#,
    r#""Unit""#,
    r#""Tuple""#,
    r#""two words \u0000 \ud83d\ude00""#,
    "[]",
    "[1]",
    "[1,2]",
    r#"[1,"x"]"#,
    r#"[1,"x",2]"#,
    "[null]",
    "[[1],[2,[3]]]",
    "{}",
    r#"{"a":1}"#,
    r#"{"a":1.0}"#,
    r#"{"a":null}"#,
    r#"{"a":300}"#,
    r#"{"a":7,"b":"s","c":[1,2.5]}"#,
    r#"{"a":7,"b":null,"z":[]}"#,
    r#"{"a":1,"a":2}"#,
    r#"{"b":"x"}"#,
    r#"{"Unit":null}"#,
    r#"{"Unit":1}"#,
    r#"{"Newtype":9}"#,
    r#"{"Newtype":"9"}"#,
    r#"{"Tuple":[1,"x"]}"#,
    r#"{"Tuple":[1]}"#,
    r#"{"Tuple":[1,"x",3]}"#,
    r#"{"Struct":{"a":4}}"#,
    r#"{"Struct":[4]}"#,
    r#"{"Struct":{}}"#,
    r#"{"Nobody":1}"#,
    r#"{"Unit":null,"Newtype":1}"#,
    r#"{"t":"Unit"}"#,
    r#"{"t":"Unit","c":null}"#,
    r#"{"t":"Newtype","a":1,"b":"y"}"#,
    r#"{"a":1,"t":"Struct"}"#,
    r#"{"t":"Struct","c":{"a":true}}"#,
    r#"{"c":2.5,"t":"Newtype"}"#,
    r#"{"t":"Tuple","c":[1,2]}"#,
    r#"{"t":"Tuple","c":[1,2,3]}"#,
    r#"{"t":5}"#,
    r#"{"1":1,"18446744073709551615":2}"#,
    r#"{"-1":1}"#,
    r#"{"01":1}"#,
    r#"{"+1":1}"#,
    r#"{"300":1}"#,
    r#"{"true":1,"false":0}"#,
    r#"{"1.5":1,"2":2}"#,
    r#"{"Other":1,"Unit":2}"#,
    r#"[{"a":1},{"a":2,"b":"x"}]"#,
    r#"[[1,2],[3,4]]"#,
];

/// `T` from each text, by us and by `serde_json`: the same value, or an error from both.
fn same<T: DeserializeOwned + PartialEq + Debug>(read: &mut usize) {
    for text in TEXTS {
        let want = serde_json::from_str::<T>(text);
        with_data(text, |event| match (event.deserialize::<T>(), want) {
            (Ok(value), Ok(want)) => {
                assert_eq!(value, want, "{text}");
                *read += 1;
            }
            (Err(_), Err(_)) => {}
            (value, want) => {
                panic!("{} from {text}: {value:?}, serde_json {want:?}", std::any::type_name::<T>())
            }
        });
    }
}

#[test]
fn types_of_every_shape_are_read_as_serde_json_reads_them() {
    use shapes::*;
    let mut read = 0;
    macro_rules! same_for_all {
        ($($ty:ty),* $(,)?) => { $(same::<$ty>(&mut read);)* };
    }
    same_for_all!(
        (), bool, u8, i8, u16, i16, u32, i32, u64, i64, u128, i128, f32, f64, char, String,
        Option<u8>, Option<Option<String>>, Option<Plain>, Vec<u8>, Vec<Value>, Vec<Option<u8>>,
        (u8,), (u8, String), [u8; 2], Vec<(u8, u8)>, Box<str>, Cow<'static, str>, Value,
        Unit, Newtype, Pair, Plain, Strict, Flat, External, Internal, Adjacent, Untagged, Word,
        Vec<Plain>, Vec<External>, HashMap<String, Value>, BTreeMap<u64, u8>, BTreeMap<i8, u8>,
        BTreeMap<u8, Value>, BTreeMap<bool, u8>, BTreeMap<Key, u8>, BTreeMap<Word, u8>,
        BTreeMap<Option<u64>, u8>, BTreeMap<char, Value>, BTreeMap<i128, u8>,
    );
    assert!(read > 350, "{read} values were read");
    for text in TEXTS {
        with_data(text, |event| event.deserialize::<IgnoredAny>().map(|_| ()).unwrap());
    }
}

#[test]
fn errors_say_where_and_never_quote_the_payload() {
    use shapes::*;
    #[derive(Debug, Deserialize)]
    struct Outer {
        #[expect(dead_code, reason = "it is never read in full")]
        inner: Vec<Plain>,
    }
    let message =
        |text: &str| with_data(text, |event| event.deserialize::<Outer>().unwrap_err().to_string());
    assert_eq!(
        message(r#"{"inner":[{"a":1},{"a":"hush"}]}"#),
        "Plain.a: invalid type: string, expected u8"
    );
    assert_eq!(
        message(r#"{"inner":"hush"}"#),
        "Outer.inner: invalid type: string, expected a sequence"
    );
    assert_eq!(message("{}"), "missing field `inner`");

    let secrets = [
        json!("hush"),
        json!(31337),
        json!(-31337),
        json!(31337.5),
        json!(["hush"]),
        json!({"hush": "hush"}),
        json!({"a": "hush", "t": "hush", "hush": 31337}),
        json!({"a": 31337, "t": "hush"}),
        json!({"hush": 1, "hush2": 1}),
        json!([31337, 31337]),
    ];
    fn tell<T: DeserializeOwned>(value: &Value, told: &mut usize) {
        with_data(&value.to_string(), |event| {
            let Err(error) = event.deserialize::<T>() else { return };
            let said = format!("{error} {error:?}");
            assert!(!said.contains("hush") && !said.contains("31337"), "{said}");
            *told += 1;
        });
    }
    let mut told = 0;
    for value in &secrets {
        tell::<u8>(value, &mut told);
        tell::<bool>(value, &mut told);
        tell::<char>(value, &mut told);
        tell::<Plain>(value, &mut told);
        tell::<Strict>(value, &mut told);
        tell::<External>(value, &mut told);
        tell::<Internal>(value, &mut told);
        tell::<Adjacent>(value, &mut told);
        tell::<Untagged>(value, &mut told);
        tell::<BTreeMap<u8, u8>>(value, &mut told);
        tell::<std::net::Ipv4Addr>(value, &mut told);
        tell::<twilight_model::gateway::payload::incoming::MessageCreate>(value, &mut told);
    }
    assert!(told > 90, "{told} errors");
}

#[test]
fn what_a_type_says_itself_is_cut() {
    #[derive(Debug)]
    struct Talker;
    impl<'de> Deserialize<'de> for Talker {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("ä".repeat(5_000)))
        }
    }
    with_data("1", |event| match event.deserialize::<Talker>().unwrap_err() {
        DeserializeError::Mismatch(mismatch) => {
            assert_eq!(mismatch.message().len(), MESSAGE_LEN_MAX);
            assert_eq!((mismatch.object(), mismatch.field()), ("", ""));
        }
        other => panic!("{other:?}"),
    });
}

#[test]
fn an_event_that_was_not_parsed_says_so() {
    let text = br#"{"op":0,"s":1,"t":"TYPING_START","d":{"user_id":"7"}}"#;
    let raw = Event::raw(EventKind::TypingStart, "TYPING_START", text);
    assert_eq!(raw.deserialize::<Value>(), Err(DeserializeError::Raw));
    assert!(raw.json().is_none() && serde_json::to_value(raw).is_err());
    let Event::Raw(inner) = raw else { panic!("{raw:?}") };
    assert_eq!(serde_json::from_str::<Value>(inner.data().unwrap()).unwrap()["user_id"], "7");

    let error = DecodeError::Json { at: 3 };
    let undecoded = Event::undecoded(EventKind::TypingStart, "TYPING_START", error);
    assert_eq!(undecoded.deserialize::<Value>(), Err(DeserializeError::Undecoded(error)));
    assert!(undecoded.json().is_none() && serde_json::to_value(undecoded).is_err());
}

#[test]
fn a_typed_event_that_lacks_its_own_key_is_read_all_the_same() {
    let text = r#"{"op":0,"s":1,"t":"MESSAGE_CREATE","d":{"content":"no id"}}"#;
    read(&mut Scratch::new(), text, |event| {
        assert!(matches!(event, Event::Untyped(_)));
        assert_eq!(event.deserialize::<Value>().unwrap(), json!({"content": "no id"}));
    })
    .unwrap();
}

/// What the typed form writes is what came: no key with another value, and no key that had none,
/// but for the empty values that stand for keys that are always there.
#[test]
fn the_typed_form_of_the_corpus_is_written_as_it_came() {
    let mut scratch = Scratch::new();
    let mut typed = 0;
    for (name, text) in corpus() {
        let came = serde_json::from_str::<Value>(&text).unwrap()["d"].take();
        read(&mut scratch, &text, |event| {
            let written = serde_json::to_value(event).unwrap();
            if event.kind().is_typed() {
                typed += 1;
                compare(&written, &came, &name);
            } else {
                assert_eq!(written, came, "{name}");
            }
        })
        .unwrap();
    }
    assert!(typed >= 79, "{typed} typed events");
}

fn compare(written: &Value, came: &Value, place: &str) {
    match (written, came) {
        (Value::Object(written), Value::Object(came)) => {
            for (key, value) in written {
                let place = format!("{place}.{key}");
                match came.get(key) {
                    Some(came) => compare(value, came, &place),
                    None => assert!(is_empty(value), "{place} never came: {value}"),
                }
            }
        }
        (Value::Array(written), Value::Array(came)) => {
            assert_eq!(written.len(), came.len(), "{place}");
            for (at, pair) in written.iter().zip(came).enumerate() {
                compare(pair.0, pair.1, &format!("{place}[{at}]"));
            }
        }
        // A field of fractions writes 1 as 1.0.
        (Value::Number(_), Value::Number(_)) => {
            assert_eq!(written.as_f64(), came.as_f64(), "{place}");
        }
        _ => assert_eq!(written, came, "{place}"),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(value) => !value,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty() || text == "0",
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.values().all(is_empty),
    }
}

#[test]
fn nests_are_bounded_so_that_a_small_stack_is_enough() {
    let work = || {
        let nest = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        // The envelope is one level.
        let deepest = nest(DEPTH_MAX - 1);
        with_data(&deepest, |event| {
            assert_eq!(serde_json::to_string(&event).unwrap(), deepest);
            assert_eq!(event.deserialize::<Value>().unwrap().to_string(), deepest);
            assert!(format!("{event:?}").contains(&deepest));
            let kept = event.to_owned();
            kept.visit(|event| assert_eq!(serde_json::to_string(&event).unwrap(), deepest));
        });
        for levels in [DEPTH_MAX, 100_000] {
            let text = format!(r#"{{"op":0,"t":"X","d":{}}}"#, nest(levels));
            let error = read(&mut Scratch::new(), &text, |_| ()).unwrap_err();
            assert!(matches!(error, DecodeError::Depth { .. }), "{error}");
            let event = Event::undecoded(EventKind::Unknown, "X", error);
            assert!(matches!(event.deserialize::<Value>(), Err(DeserializeError::Undecoded(_))));
            event.to_owned().visit(|event| assert!(matches!(event, Event::Undecoded(_))));
        }
    };
    std::thread::Builder::new().stack_size(256 << 10).spawn(work).unwrap().join().unwrap();
}
