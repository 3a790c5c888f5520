//! OpenMetrics 1.0 as a text format: families, samples, escaping. Knows the grammar and not what
//! is measured.
//!
//! Invariant: what comes out is an exposition, whatever the names of labels hold: a family's
//! descriptors stand before its samples, and [`Page::end`] writes the `# EOF` that a scraper needs
//! to tell a whole page from a cut one.

use std::fmt::{self, Write};

/// The types that are used here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Type {
    Counter,
    Gauge,
    Histogram,
    Info,
}

impl Type {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Info => "info",
        }
    }
}

/// A metric family. The name ends with the unit, if there is one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Family {
    pub(super) name: &'static str,
    pub(super) kind: Type,
    pub(super) unit: &'static str,
    pub(super) help: &'static str,
}

/// A label and its value.
pub(super) type Label<'a> = (&'static str, &'a dyn fmt::Display);

/// An exposition that is being written.
pub(super) struct Page<'o, W> {
    out: &'o mut W,
    family: &'static str,
    suffix: &'static str,
}

impl<'o, W: Write> Page<'o, W> {
    pub(super) fn new(out: &'o mut W) -> Self {
        Self { out, family: "", suffix: "" }
    }

    /// Begins a family; its samples follow.
    pub(super) fn family(&mut self, family: &Family) -> fmt::Result {
        let Family { name, kind, unit, help } = *family;
        self.family = name;
        self.suffix = match kind {
            Type::Counter => "_total",
            Type::Info => "_info",
            Type::Gauge | Type::Histogram => "",
        };
        writeln!(self.out, "# TYPE {name} {}", kind.name())?;
        if !unit.is_empty() {
            writeln!(self.out, "# UNIT {name} {unit}")?;
        }
        write!(self.out, "# HELP {name} ")?;
        write!(Escaped(self.out), "{help}")?;
        self.out.write_char('\n')
    }

    /// A sample of the family.
    pub(super) fn sample(&mut self, labels: &[Label<'_>], value: impl fmt::Display) -> fmt::Result {
        self.sample_of(self.suffix, labels, value)
    }

    /// A sample whose name ends otherwise: a histogram's parts.
    pub(super) fn sample_of(
        &mut self,
        suffix: &str,
        labels: &[Label<'_>],
        value: impl fmt::Display,
    ) -> fmt::Result {
        write!(self.out, "{}{suffix}", self.family)?;
        for (at, (name, value)) in labels.iter().enumerate() {
            write!(self.out, "{}{name}=\"", if at == 0 { '{' } else { ',' })?;
            write!(Escaped(self.out), "{value}")?;
            self.out.write_char('"')?;
        }
        let close = if labels.is_empty() { "" } else { "}" };
        writeln!(self.out, "{close} {value}")
    }

    /// A family with one sample.
    pub(super) fn single(&mut self, family: &Family, value: impl fmt::Display) -> fmt::Result {
        self.family(family)?;
        self.sample(&[], value)
    }

    /// The page is whole.
    pub(super) fn end(self) -> fmt::Result {
        self.out.write_str("# EOF\n")
    }
}

/// Writes `\`, `"` and line feeds as help texts and values of labels must have them.
struct Escaped<'o, W>(&'o mut W);

impl<W: Write> Write for Escaped<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some(at) = rest.find(['\\', '"', '\n']) {
            self.0.write_str(&rest[..at])?;
            self.0.write_str(match rest.as_bytes()[at] {
                b'\\' => "\\\\",
                b'"' => "\\\"",
                _ => "\\n",
            })?;
            rest = &rest[at + 1..];
        }
        self.0.write_str(rest)
    }
}
