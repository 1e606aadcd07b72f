//! Colours, or none: text becomes text with the terminal's codes around it.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};

/// Whether and how to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Paint {
    colours: bool,
}

impl Paint {
    /// No colours.
    pub const PLAIN: Self = Self { colours: false };
    /// Colours, whatever the terminal.
    pub const COLOURED: Self = Self { colours: true };

    /// Colours if standard output is a terminal that has them, and nobody set `NO_COLOR`.
    pub fn of_stdout() -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_none_or(|term| term == "dumb");
        Self { colours: std::io::stdout().is_terminal() && !dumb && set("NO_COLOR").is_none() }
    }

    /// Text in the colour of an ink, by its word.
    pub fn ink(self, ink: &str, text: &str) -> String {
        let style = match ink {
            "printed" => Style::new().dimmed(),
            "red" => AnsiColor::Red.on_default(),
            "green" => AnsiColor::Green.on_default(),
            "black" => Style::new().bold(),
            // Pencil is what nearly everything is written in.
            _ => Style::new(),
        };
        self.styled(style, text)
    }

    /// Text that a reader looks for first.
    pub fn strong(self, text: &str) -> String {
        self.styled(Style::new().bold(), text)
    }

    /// Text that stands back.
    pub fn faint(self, text: &str) -> String {
        self.styled(Style::new().dimmed(), text)
    }

    /// Text about what wants a person's attention.
    pub fn alert(self, text: &str) -> String {
        self.styled(AnsiColor::Yellow.on_default().bold(), text)
    }

    /// Text about what is as it should be.
    pub fn good(self, text: &str) -> String {
        self.styled(AnsiColor::Green.on_default().bold(), text)
    }

    /// Black on white, as paper is.
    pub fn paper(self, text: &str) -> String {
        self.styled(AnsiColor::Black.on(AnsiColor::BrightWhite), text)
    }

    fn styled(self, style: Style, text: &str) -> String {
        if !self.colours || style.is_plain() || text.is_empty() {
            return text.into();
        }
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_colours_text_is_left_as_it_is() {
        assert_eq!(Paint::PLAIN.ink("red", "3"), "3");
        assert_eq!(Paint::PLAIN.alert("stale"), "stale");
    }

    #[test]
    fn each_ink_but_pencil_is_told_from_the_others() {
        let shown: Vec<String> =
            ["printed", "pencil", "red", "green", "black"].map(|ink| Paint::COLOURED.ink(ink, "3")).into();
        assert_eq!(shown[1], "3");
        for (at, one) in shown.iter().enumerate() {
            assert!(shown.iter().skip(at + 1).all(|other| other != one), "{one:?}");
        }
        assert_eq!(shown[2], "\u{1b}[31m3\u{1b}[0m");
    }
}
