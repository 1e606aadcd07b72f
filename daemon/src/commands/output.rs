//! The terminal, or the script that reads us.

use std::io::{BufRead, ErrorKind, IsTerminal, Write};

use serde::Serialize;

use crate::render::{self, Paint};
use crate::verbs::VerbError;

/// How answers are given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    paint: Paint,
}

impl Output {
    pub(super) fn new(json: bool) -> Self {
        Self { json, paint: Paint::of_stdout() }
    }

    pub(super) fn is_json(self) -> bool {
        self.json
    }

    /// Shows an answer: as JSON, one line of it unless a person is looking, or as text.
    ///
    /// # Errors
    /// If it can't be written, as into a file on a full disk.
    pub(super) fn show<T: Serialize>(
        self,
        answer: &T,
        text: impl FnOnce(&T, Paint) -> String,
    ) -> Result<(), VerbError> {
        let shown = match (self.json, std::io::stdout().is_terminal()) {
            (false, _) => text(answer, self.paint),
            (true, true) => {
                escaped(serde_json::to_string_pretty(answer).expect("an answer is plain JSON")) + "\n"
            }
            (true, false) => escaped(serde_json::to_string(answer).expect("an answer is plain JSON")) + "\n",
        };
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(shown.as_bytes()).and_then(|()| stdout.flush()) {
            // Whoever reads us may have stopped: `rukun log ... | head`.
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            Err(error) => {
                let remedy = "what was asked for is done; what was shown of it is not whole";
                Err(VerbError::new(format!("the answer can't be written: {error}"), remedy))
            }
            Ok(()) => Ok(()),
        }
    }

    /// Says why nothing was done, and what to do next.
    pub(super) fn fail(self, error: &VerbError) {
        if self.json {
            say_aside(&escaped(serde_json::to_string(error).expect("an error is plain JSON")));
        } else {
            say_aside(&format!("rukun: {error}"));
        }
    }
}

/// Says something beside the answer, on standard error. Whoever reads it may have stopped, and that ends nothing.
pub(super) fn say_aside(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(text));
}

/// Lines without what a terminal would obey: errors repeat what others have typed.
fn harmless(text: &str) -> String {
    text.split('\n').map(render::clean).collect::<Vec<_>>().join("\n")
}

/// The same JSON with the control characters escaped that JSON lets stand.
fn escaped(json: String) -> String {
    let stands = |letter: char| ('\u{7f}'..='\u{9f}').contains(&letter);
    if !json.contains(stands) {
        return json;
    }
    let escape = |letter: char| match letter {
        letter if stands(letter) => format!("\\u{:04x}", u32::from(letter)),
        letter => letter.into(),
    };
    json.chars().map(escape).collect()
}

/// Asks whoever sits there before something is done that nothing takes back; a script must say --yes.
pub(super) fn confirm(shown: &str, question: &str, noun: &str, done: &str) -> Result<(), VerbError> {
    let remedy = "nothing was written; to do it without being asked, add --yes";
    if !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
        return Err(VerbError::new(format!("{noun} can't be taken back, and nobody is here to ask"), remedy));
    }
    let _ = write!(std::io::stderr(), "{shown}{question} It can't be taken back. [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().lock().read_line(&mut answer);
    match read.map(|_| answer.trim().to_ascii_lowercase()) {
        Ok(answer) if ["y", "yes", "ya"].contains(&answer.as_str()) => Ok(()),
        _ => Err(VerbError::new(format!("not {done}"), "nothing was written")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_control_character_of_an_error_reaches_the_terminal() {
        let error = VerbError::new("Siti\u{1b}]0;x\u{7}\u{9b}2J is unknown", "type\nanother");
        let said = harmless(&error.to_string());
        assert_eq!(said, "Siti\u{fffd}]0;x\u{fffd}\u{fffd}2J is unknown\n  type\nanother");
        let json = escaped(serde_json::to_string(&error).unwrap());
        assert!(!json.chars().any(char::is_control), "{json}");
        let read: VerbError = serde_json::from_str(&json).unwrap();
        assert_eq!(read, error, "what a script reads is what was said");
    }
}
