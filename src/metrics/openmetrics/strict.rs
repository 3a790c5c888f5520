//! A strict reading of OpenMetrics 1.0, for the tests: its grammar, and what it asks beyond the
//! grammar of descriptors, counters, histograms, names and label sets. What it forbids is an error.

use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct ReadFamily {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) unit: String,
    pub(super) help: String,
    pub(super) samples: Vec<Sample>,
}

#[derive(Debug)]
pub(super) struct Sample {
    pub(super) name: String,
    pub(super) labels: Vec<(String, String)>,
    pub(super) value: f64,
}

pub(super) fn find<'f>(families: &'f [ReadFamily], name: &str) -> &'f ReadFamily {
    families.iter().find(|family| family.name == name).unwrap_or_else(|| panic!("no {name}"))
}

pub(super) fn value(families: &[ReadFamily], name: &str, labels: &[(&str, &str)]) -> f64 {
    let is_it = |sample: &&Sample| {
        sample.labels.len() == labels.len()
            && sample.labels.iter().zip(labels).all(|(a, b)| (&*a.0, &*a.1) == *b)
    };
    let found = find(families, name).samples.iter().find(is_it);
    found.unwrap_or_else(|| panic!("no {name} {labels:?}")).value
}

/// Takes an exposition apart; what OpenMetrics 1.0 forbids is an error.
pub(super) fn read(text: &str) -> Result<Vec<ReadFamily>, String> {
    let body = text.strip_suffix("# EOF\n").ok_or("it does not end with # EOF")?;
    let mut families: Vec<ReadFamily> = Vec::new();
    for line in body.split_terminator('\n') {
        let wrong = |what: &str| format!("{what}: {line}");
        let Some(descriptor) = line.strip_prefix("# ") else {
            let sample = read_sample(line).map_err(|what| wrong(&what))?;
            let family = families.last_mut().ok_or_else(|| wrong("before any family"))?;
            check_sample(family, &sample).map_err(|what| wrong(&what))?;
            family.samples.push(sample);
            continue;
        };
        let mut words = descriptor.splitn(3, ' ');
        let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let rest = words.next().ok_or_else(|| wrong("a descriptor has three parts"))?;
        if !is_name(name, true) {
            return Err(wrong("no metric name"));
        }
        if families.last().is_none_or(|family| family.name != name) {
            let empty = String::new;
            let (kind, unit, help) = (empty(), empty(), empty());
            let samples = Vec::new();
            families.push(ReadFamily { name: name.to_owned(), kind, unit, help, samples });
        }
        let family = families.last_mut().expect("it was just pushed");
        if !family.samples.is_empty() {
            return Err(wrong("a descriptor after samples"));
        }
        let (place, value) = match word {
            "TYPE" => (&mut family.kind, rest.to_owned()),
            "UNIT" if name.ends_with(&format!("_{rest}")) => (&mut family.unit, rest.to_owned()),
            "HELP" => (&mut family.help, unescape(rest).map_err(|what| wrong(&what))?),
            _ => return Err(wrong("no descriptor")),
        };
        if !place.is_empty() {
            return Err(wrong("described twice"));
        }
        *place = value;
    }
    check_names(&families)?;
    families.iter().try_for_each(check_family)?;
    Ok(families)
}

/// `name{label="value",…} number`, each blank where it belongs.
fn read_sample(line: &str) -> Result<Sample, String> {
    let end = line.find(['{', ' ']).ok_or("no value")?;
    let (name, mut rest) = line.split_at(end);
    if !is_name(name, true) {
        return Err("no metric name".to_owned());
    }
    let mut labels: Vec<(String, String)> = Vec::new();
    if let Some(inner) = rest.strip_prefix('{') {
        rest = inner;
        loop {
            let (label, quoted) = rest.split_once("=\"").ok_or("no label")?;
            let is_escape = |at: usize| {
                quoted.as_bytes()[..at].iter().rev().take_while(|byte| **byte == b'\\').count() % 2
                    == 1
            };
            let end = quoted.match_indices('"').map(|(at, _)| at).find(|at| !is_escape(*at));
            let end = end.ok_or("no end of a label's value")?;
            if !is_name(label, false) || labels.iter().any(|(known, _)| known == label) {
                return Err(format!("label {label}"));
            }
            labels.push((label.to_owned(), unescape(&quoted[..end])?));
            rest = &quoted[end + 1..];
            match rest.strip_prefix(',') {
                Some(more) => rest = more,
                None => break,
            }
        }
        rest = rest.strip_prefix('}').ok_or("no end of the labels")?;
    }
    let number = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    Ok(Sample { name: name.to_owned(), labels, value: read_number(number)? })
}

fn read_number(text: &str) -> Result<f64, String> {
    let plain = text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
    let named = ["+Inf", "-Inf", "NaN"].contains(&text);
    match text.parse() {
        Ok(number) if plain || named => Ok(number),
        _ => Err(format!("`{text}` is no number")),
    }
}

fn check_sample(family: &ReadFamily, sample: &Sample) -> Result<(), String> {
    let suffix = sample.name.strip_prefix(&family.name).ok_or("it belongs to another family")?;
    let suffixes: &[&str] = match family.kind.as_str() {
        "counter" => &["_total"],
        "gauge" => &[""],
        "info" => &["_info"],
        "histogram" => &["_bucket", "_count", "_sum"],
        kind => return Err(format!("type `{kind}`")),
    };
    if !suffixes.contains(&suffix) {
        return Err(format!("suffix `{suffix}`"));
    }
    if family.kind != "gauge" && (sample.value < 0.0 || sample.value.is_nan()) {
        return Err("negative".to_owned());
    }
    let same = |other: &Sample| other.name == sample.name && other.labels == sample.labels;
    if family.samples.iter().rev().take(2_000).any(same) {
        return Err("twice".to_owned());
    }
    Ok(())
}

fn check_family(family: &ReadFamily) -> Result<(), String> {
    let wrong = |what: &str| Err(format!("{what}: {}", family.name));
    if family.kind.is_empty() {
        return wrong("no type");
    }
    if family.kind != "histogram" || family.samples.is_empty() {
        return Ok(());
    }
    let of = |suffix: &str| {
        let name = format!("{}{suffix}", family.name);
        family.samples.iter().filter(move |sample| sample.name == name)
    };
    let mut last = (f64::NEG_INFINITY, 0.0);
    for bucket in of("_bucket") {
        let [(name, le)] = &bucket.labels[..] else { return wrong("labels of a bucket") };
        let le: f64 = read_number(le)?;
        if name != "le" || le <= last.0 || bucket.value < last.1 {
            return wrong("buckets do not ascend");
        }
        last = (le, bucket.value);
    }
    let count = of("_count").next().map(|sample| sample.value);
    if last.0 != f64::INFINITY || count != Some(last.1) || of("_sum").count() != 1 {
        return wrong("the last bucket, count and sum");
    }
    Ok(())
}

/// No family twice, and none that could be taken for a sample of another.
fn check_names(families: &[ReadFamily]) -> Result<(), String> {
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for family in families {
        for suffix in ["", "_total", "_created", "_bucket", "_count", "_sum", "_info"] {
            let applies = match (family.kind.as_str(), suffix) {
                (_, "") | ("counter", "_total" | "_created") | ("info", "_info") => true,
                ("histogram", suffix) => !["_total", "_info"].contains(&suffix),
                _ => false,
            };
            let name = format!("{}{suffix}", family.name);
            if applies && let Some(other) = names.insert(name, &family.name) {
                return Err(format!("{} and {other} clash", family.name));
            }
        }
    }
    Ok(())
}

fn is_name(text: &str, colons: bool) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.chars().all(is_part) && text.starts_with(|c: char| is_part(c) && !c.is_ascii_digit())
}

fn unescape(text: &str) -> Result<String, String> {
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(c @ ('\\' | '"')) => plain.push(c),
                other => return Err(format!("escape {other:?}")),
            },
            '"' | '\n' => return Err("a quote or line feed that is not escaped".to_owned()),
            c => plain.push(c),
        }
    }
    Ok(plain)
}
