//! Lists of the corpus's own elements, many of them, are read whole by used buffers as by new ones.

mod payload;

use payload::{corpus, read};
use serde_json::Value;
use shardring::decode::Scratch;

#[test]
fn a_guild_with_many_threads_keeps_them_whatever_was_read_before() {
    let (mut lost, mut tried) = (Vec::new(), 0);
    for (name, text) in corpus() {
        let whole: Value = serde_json::from_str(&text).unwrap();
        let Some(thread) =
            whole["d"]["threads"].get(0).filter(|_| name.starts_with("GUILD_CREATE"))
        else {
            continue;
        };
        let with = |len: usize| {
            let mut copy = whole.clone();
            copy["d"]["threads"] = Value::Array(vec![thread.clone(); len]);
            copy.to_string()
        };
        for len in [300, 1000] {
            for percent in [0, 30, 50, 70, 90] {
                let mut scratch = Scratch::new();
                read(&mut scratch, &with(len * percent / 100), |_| ()).unwrap();
                let kept = read(&mut scratch, &with(len), |event| {
                    serde_json::to_value(event).unwrap()["threads"].as_array().map_or(0, Vec::len)
                });
                tried += 1;
                if kept != Ok(len) {
                    lost.push(format!("{name}: {kept:?} of {len} threads after {percent} %"));
                }
            }
        }
    }
    assert!(tried > 0);
    assert!(lost.is_empty(), "{} of {tried}: {lost:#?}", lost.len());
}
