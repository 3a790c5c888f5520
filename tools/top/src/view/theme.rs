//! How tones look: with colours, or without as `NO_COLOR` asks. Never reads the environment.

use ratatui::style::{Color, Modifier, Style};

use crate::tables::Tone;

/// A choice of styles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Theme {
    /// Whether there are colours at all.
    pub(crate) colour: bool,
}

impl Theme {
    pub(super) fn tone(self, tone: Tone) -> Style {
        let plain = Style::new();
        match (tone, self.colour) {
            (Tone::Plain, _) | (Tone::Good, false) => plain,
            (Tone::Quiet, true) => plain.fg(Color::DarkGray),
            (Tone::Quiet, false) => plain.add_modifier(Modifier::DIM),
            (Tone::Good, true) => plain.fg(Color::Green),
            (Tone::Warn, true) => plain.fg(Color::Yellow),
            (Tone::Warn, false) => plain.add_modifier(Modifier::BOLD),
            (Tone::Bad, true) => plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            (Tone::Bad, false) => plain.add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        }
    }

    /// Titles.
    pub(super) fn title(self) -> Style {
        let bold = Style::new().add_modifier(Modifier::BOLD);
        if self.colour { bold.fg(Color::Cyan) } else { bold }
    }

    /// Names of columns and facts.
    pub(super) fn label(self) -> Style {
        self.tone(Tone::Quiet)
    }

    /// The curve and the bars.
    pub(super) fn curve(self) -> Style {
        if self.colour { Style::new().fg(Color::Cyan) } else { Style::new() }
    }

    /// The pane that is shown.
    pub(super) fn chosen(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
