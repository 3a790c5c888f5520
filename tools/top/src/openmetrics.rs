//! A strict, bounded reading of OpenMetrics 1.0 text. Knows the grammar and not what is measured;
//! never fetches, never panics on what the peer sent.
//!
//! Samples are handed out one by one and borrow the text. Families of other programs that stand in
//! the same exposition are read by the same grammar, so all types of the format are known, and
//! timestamps and exemplars are read and dropped. Invariant: what is handed out came from a whole
//! exposition only if [`read`] ends without an error. Called by `snapshot`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

/// The longest exposition, bytes. An engine's own is below 600 KB.
pub(crate) const BODY_LEN_MAX: usize = 8 << 20;
/// The most lines of an exposition.
pub(crate) const LINES_MAX: usize = 100_000;
/// The longest line, bytes.
pub(crate) const LINE_LEN_MAX: usize = 4 << 10;
/// The most labels of a sample.
pub(crate) const LABELS_MAX: usize = 16;

/// One sample of a family.
#[derive(Debug)]
pub(crate) struct Sample<'a> {
    /// The family's name.
    pub(crate) family: &'a str,
    /// What the sample's name has behind the family's: `_total`, `_bucket`, nothing.
    pub(crate) suffix: &'a str,
    pub(crate) labels: Vec<(&'a str, Cow<'a, str>)>,
    pub(crate) value: f64,
}

impl Sample<'_> {
    pub(crate) fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}

/// What a text is no exposition for: the endpoint's fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// More than [`BODY_LEN_MAX`] bytes.
    TooLong,
    /// More than [`LINES_MAX`] lines.
    TooManyLines,
    /// `# EOF` is not its end: cut off, or no OpenMetrics.
    NoEof,
    /// A line that the format does not allow.
    Line { number: usize, what: &'static str },
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "the exposition is longer than {BODY_LEN_MAX} bytes"),
            Self::TooManyLines => write!(f, "the exposition has more than {LINES_MAX} lines"),
            Self::NoEof => f.write_str("no OpenMetrics, or cut off: it does not end with # EOF"),
            Self::Line { number, what } => write!(f, "no OpenMetrics: line {number}: {what}"),
        }
    }
}

/// Hands each sample to `see`, in order.
///
/// # Errors
/// What the format forbids, and what goes beyond the bounds; samples before it have been seen.
pub(crate) fn read<'a>(text: &'a str, mut see: impl FnMut(Sample<'a>)) -> Result<(), Broken> {
    if text.len() > BODY_LEN_MAX {
        return Err(Broken::TooLong);
    }
    let body = text.strip_suffix("# EOF\n").or_else(|| text.strip_suffix("# EOF"));
    let body = body.filter(|body| body.is_empty() || body.ends_with('\n')).ok_or(Broken::NoEof)?;
    let mut reader = Reader::default();
    for (at, line) in body.split_terminator('\n').enumerate() {
        if at >= LINES_MAX {
            return Err(Broken::TooManyLines);
        }
        let wrong = |what| Broken::Line { number: at + 1, what };
        if line.len() > LINE_LEN_MAX {
            return Err(wrong("too long"));
        }
        match line.strip_prefix('#') {
            Some(descriptor) => reader.describe(descriptor).map_err(wrong)?,
            None => see(reader.sample(line).map_err(wrong)?),
        }
    }
    Ok(())
}

/// What has been read of the family at hand, and the names of those before it.
#[derive(Default)]
struct Reader<'a> {
    family: Option<Family<'a>>,
    families: HashSet<&'a str>,
    /// Names with labels of the family at hand.
    series: HashSet<&'a str>,
}

struct Family<'a> {
    name: &'a str,
    suffixes: &'static [&'static str],
    /// Its values are counts: not negative, not NaN.
    counts: bool,
    described: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// A line that begins with `#`.
    fn describe(&mut self, line: &'a str) -> Result<(), &'static str> {
        let mut words = line.strip_prefix(' ').ok_or("no descriptor")?.splitn(3, ' ');
        let (word, name) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        let rest = words.next().ok_or("a descriptor has three parts")?;
        if !is_name(name, true) {
            return Err("no metric name");
        }
        if self.family.as_ref().is_none_or(|family| family.name != name) {
            self.begin(name)?;
        }
        let Some(family) = &mut self.family else { return Err("no family") };
        if !self.series.is_empty() {
            return Err("a descriptor behind samples");
        }
        if family.described.contains(&word) {
            return Err("described twice");
        }
        family.described.push(word);
        match word {
            "TYPE" => {
                (family.suffixes, family.counts) = suffixes(rest).ok_or("no type of the format")?;
                Ok(())
            }
            "UNIT" => {
                let above = name.strip_suffix(rest).and_then(|name| name.strip_suffix('_'));
                if rest.is_empty() || above.is_some() { Ok(()) } else { Err("no unit of the name") }
            }
            "HELP" => unescape(rest).map(|_| ()),
            _ => Err("no descriptor"),
        }
    }

    fn begin(&mut self, name: &'a str) -> Result<(), &'static str> {
        if !self.families.insert(name) {
            return Err("a family in two places");
        }
        self.series.clear();
        let (suffixes, counts) = (&[""][..], false);
        self.family = Some(Family { name, suffixes, counts, described: Vec::new() });
        Ok(())
    }

    /// `name{label="value",…} value [timestamp] [# exemplar]`.
    fn sample(&mut self, line: &'a str) -> Result<Sample<'a>, &'static str> {
        let end = line.find(['{', ' ']).ok_or("no value")?;
        let (name, rest) = line.split_at(end);
        if !is_name(name, true) {
            return Err("no metric name");
        }
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inner) => read_labels(inner)?,
            None => (Vec::new(), rest),
        };
        let series = &line[..line.len() - rest.len()];
        let value = read_value(rest)?;
        let belongs = |family: &Family<'a>| {
            let suffix = name.strip_prefix(family.name)?;
            family.suffixes.contains(&suffix).then_some(suffix)
        };
        if self.family.as_ref().is_none_or(|family| belongs(family).is_none()) {
            // Without descriptors it is of the type `unknown`, and its name is the family's.
            match &self.family {
                Some(family) if name.strip_prefix(family.name).is_some_and(is_suffix) => {
                    return Err("no sample of the family's type");
                }
                _ => self.begin(name)?,
            }
        }
        let Some(family) = &self.family else { return Err("no family") };
        let suffix = belongs(family).ok_or("no sample of the family")?;
        if family.counts && (value.is_nan() || value < 0.0) {
            return Err("a count that is negative or no number");
        }
        if !self.series.insert(series) {
            return Err("a sample twice");
        }
        Ok(Sample { family: family.name, suffix, labels, value })
    }
}

type Labels<'a> = Vec<(&'a str, Cow<'a, str>)>;

/// Labels up to the closing brace, and what follows it.
fn read_labels(mut rest: &str) -> Result<(Labels<'_>, &str), &'static str> {
    let mut labels: Labels<'_> = Vec::new();
    if let Some(rest) = rest.strip_prefix('}') {
        return Ok((labels, rest));
    }
    loop {
        let (name, quoted) = rest.split_once("=\"").ok_or("no label")?;
        let end = end_of_quoted(quoted).ok_or("no end of a label's value")?;
        if !is_name(name, false) || labels.iter().any(|(known, _)| *known == name) {
            return Err("a label's name");
        }
        if labels.len() == LABELS_MAX {
            return Err("too many labels");
        }
        labels.push((name, unescape(&quoted[..end])?));
        rest = &quoted[end + 1..];
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => break,
        }
    }
    Ok((labels, rest.strip_prefix('}').ok_or("no end of the labels")?))
}

fn end_of_quoted(text: &str) -> Option<usize> {
    let mut escaped = false;
    text.bytes().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => byte == b'"',
    })
}

/// ` value`, perhaps with a timestamp, perhaps with an exemplar.
fn read_value(rest: &str) -> Result<f64, &'static str> {
    let rest = rest.strip_prefix(' ').ok_or("no blank before the value")?;
    let (numbers, exemplar) = match rest.split_once(" # ") {
        Some((numbers, exemplar)) => (numbers, Some(exemplar)),
        None => (rest, None),
    };
    let mut words = numbers.split(' ');
    let value = read_number(words.next().unwrap_or(""))?;
    if let Some(timestamp) = words.next() {
        read_number(timestamp)?;
    }
    if words.next().is_some() {
        return Err("more than a value and its time");
    }
    if let Some(exemplar) = exemplar {
        let inner = exemplar.strip_prefix('{').ok_or("no exemplar")?;
        let (_, rest) = read_labels(inner)?;
        let numbers = rest.strip_prefix(' ').ok_or("no value of an exemplar")?;
        let mut words = numbers.split(' ');
        words.by_ref().take(2).try_for_each(|word| read_number(word).map(|_| ()))?;
        if words.next().is_some() {
            return Err("more than an exemplar");
        }
    }
    Ok(value)
}

fn read_number(text: &str) -> Result<f64, &'static str> {
    let plain = text.bytes().all(|byte| b"0123456789+-.eE".contains(&byte));
    let named = ["+Inf", "-Inf", "Inf", "NaN"].contains(&text);
    text.parse().ok().filter(|_| plain || named).ok_or("no number")
}

/// The suffixes of a type's samples, and whether their values are counts.
fn suffixes(kind: &str) -> Option<(&'static [&'static str], bool)> {
    Some(match kind {
        "counter" => (&["_total", "_created"], true),
        "gauge" | "unknown" | "stateset" => (&[""], false),
        "info" => (&["_info"], true),
        "histogram" => (&["_bucket", "_count", "_sum", "_created"], true),
        "gaugehistogram" => (&["_bucket", "_gcount", "_gsum"], false),
        "summary" => (&["", "_count", "_sum", "_created"], false),
        _ => return None,
    })
}

fn is_suffix(text: &str) -> bool {
    let known = ["", "_total", "_created", "_info", "_bucket", "_count", "_sum"];
    known.contains(&text)
}

fn is_name(text: &str, colons: bool) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':');
    text.chars().all(is_part) && text.starts_with(|c: char| is_part(c) && !c.is_ascii_digit())
}

fn unescape(text: &str) -> Result<Cow<'_, str>, &'static str> {
    if !text.contains(['\\', '"']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => match chars.next() {
                Some('n') => plain.push('\n'),
                Some(c @ ('\\' | '"')) => plain.push(c),
                _ => return Err("an escape that the format does not have"),
            },
            '"' => return Err("a quote that is not escaped"),
            c => plain.push(c),
        }
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(text: &str) -> Result<Vec<(String, Vec<String>, f64)>, Broken> {
        let mut found = Vec::new();
        read(text, |sample| {
            let labels = sample.labels.iter().map(|(name, value)| format!("{name}={value}"));
            let name = format!("{}|{}", sample.family, sample.suffix);
            found.push((name, labels.collect(), sample.value));
        })?;
        Ok(found)
    }

    #[test]
    fn samples_come_with_family_suffix_labels_and_value() {
        let text = "# TYPE a counter\n# HELP a A \\\"thing\\\".\n\
                    a_total{x=\"1\",y=\"q\\\"\\\\\\n\"} 7\n\
                    # TYPE b gauge\nb NaN\n# TYPE c histogram\nc_bucket{le=\"+Inf\"} 2\nc_count 2\n\
                    c_sum 0.5\n# EOF\n";
        let found = samples(text).unwrap();
        assert_eq!(found[0], ("a|_total".into(), vec!["x=1".into(), "y=q\"\\\n".into()], 7.0));
        assert!(found[1].2.is_nan());
        let names: Vec<&str> = found[2..].iter().map(|sample| sample.0.as_str()).collect();
        assert_eq!(names, ["c|_bucket", "c|_count", "c|_sum"]);
        assert_eq!(samples("# EOF\n").unwrap(), []);
    }

    #[test]
    fn other_programs_families_with_times_and_exemplars_are_read_by_the_same_grammar() {
        let text = "undescribed{a=\"b\"} 1\nanother 2 1700000000.5\n# TYPE h histogram\n\
                    h_bucket{le=\"+Inf\"} 2 # {trace=\"x # y\"} 0.5 1.5\n# TYPE s summary\n\
                    s{quantile=\"0.5\"} -1\ns_count 3\n# TYPE i info\ni_info{} 1\n# EOF";
        let values: Vec<f64> = samples(text).unwrap().iter().map(|sample| sample.2).collect();
        assert_eq!(values, [1.0, 2.0, 2.0, -1.0, 3.0, 1.0]);
    }

    #[test]
    fn what_the_format_forbids_is_refused() {
        let gauge = "# TYPE a gauge\na 1\n";
        for (text, why) in [
            (gauge.to_owned(), "no EOF"),
            ("a 1# EOF\n".to_owned(), "EOF in a line"),
            (format!("{gauge}# EOF\na 1\n"), "behind EOF"),
            (format!("{gauge}a 2\n# EOF\n"), "twice"),
            (format!("{gauge}# TYPE b gauge\nb 1\n# TYPE a gauge\n# EOF\n"), "in two places"),
            (format!("{gauge}# TYPE b gauge\nb 1\na{{x=\"1\"}} 1\n# EOF\n"), "interleaved"),
            (format!("{gauge}# TYPE a gauge\n# EOF\n"), "descriptor behind samples"),
            ("# TYPE a gauge\n# TYPE a gauge\n# EOF\n".to_owned(), "described twice"),
            ("# TYPE a thing\n# EOF\n".to_owned(), "no type"),
            ("# comment\n# EOF\n".to_owned(), "comment"),
            ("#\n# EOF\n".to_owned(), "empty comment"),
            ("\n# EOF\n".to_owned(), "empty line"),
            ("# TYPE a counter\na 1\n# EOF\n".to_owned(), "no _total"),
            ("# TYPE a counter\na_total -1\n# EOF\n".to_owned(), "negative"),
            ("# TYPE a counter\na_total NaN\n# EOF\n".to_owned(), "counter NaN"),
            ("# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n".to_owned(), "unit"),
            ("# TYPE a gauge\na{x=\"\\t\"} 1\n# EOF\n".to_owned(), "escape"),
            ("# TYPE a gauge\na{x=\"1\",x=\"2\"} 1\n# EOF\n".to_owned(), "label twice"),
            ("# TYPE a gauge\na{0=\"1\"} 1\n# EOF\n".to_owned(), "label's name"),
            ("# TYPE a gauge\na{x=\"1\" 1\n# EOF\n".to_owned(), "brace"),
            ("# TYPE a gauge\na{x=\"1\n# EOF\n".to_owned(), "quote"),
            ("# TYPE a gauge\na  1\n# EOF\n".to_owned(), "two blanks"),
            ("# TYPE a gauge\na 1s\n# EOF\n".to_owned(), "no number"),
            ("# TYPE a gauge\na infinity\n# EOF\n".to_owned(), "no number of the format"),
            ("# TYPE a gauge\na 1 2 3\n# EOF\n".to_owned(), "too many numbers"),
            ("<html># EOF\n".to_owned(), "a page"),
        ] {
            assert!(samples(&text).is_err(), "{why}: {text}");
        }
    }

    #[test]
    fn each_bound_holds() {
        let long = format!("# TYPE a gauge\na{{x=\"{}\"}} 1\n# EOF\n", "x".repeat(LINE_LEN_MAX));
        assert_eq!(samples(&long), Err(Broken::Line { number: 2, what: "too long" }));
        let lines: String = (0..=LINES_MAX).map(|at| format!("a{at} 1\n")).collect();
        assert_eq!(samples(&(lines + "# EOF\n")), Err(Broken::TooManyLines));
        assert_eq!(samples(&" ".repeat(BODY_LEN_MAX + 1)), Err(Broken::TooLong));
        let labels: Vec<String> = (0..=LABELS_MAX).map(|at| format!("l{at}=\"\"")).collect();
        let fits = format!("a{{{}}} 1\n# EOF\n", labels[1..].join(","));
        assert_eq!(samples(&fits).unwrap().len(), 1);
        let many = format!("a{{{}}} 1\n# EOF\n", labels.join(","));
        assert_eq!(samples(&many), Err(Broken::Line { number: 1, what: "too many labels" }));
    }

    #[test]
    fn a_text_cut_anywhere_is_an_error_and_never_a_panic() {
        let text =
            "# TYPE a counter\na_total{x=\"ä\\n\"} 7 # {y=\"z\"} 1 2\n# TYPE b gauge\nb 1\n# EOF\n";
        for end in (0..text.len() - 1).filter(|end| text.is_char_boundary(*end)) {
            assert_eq!(samples(&text[..end]), Err(Broken::NoEof), "{end}");
            let _ = samples(&format!("{}\n# EOF\n", &text[..end]));
        }
    }
}
