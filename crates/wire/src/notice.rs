//! What one peer tells the other about its bytes: which changes were not taken, and why the
//! session ends. Texts are for people: one line, cut at their limit, never with control characters.

use rukun_change::cbor::{Reader, Writer};

use crate::Fault;
use crate::limits::{CLOSE_TEXT_BYTES_MAX, REFUSAL_BYTES_MAX};

/// Why a change of a frame was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Exception {
    /// Something that it needs is missing. Nothing need be done.
    Waiting,
    /// It never will be, for this reason.
    Refused(String),
}

impl Exception {
    pub(crate) fn write(&self, out: &mut Writer) {
        match self {
            Self::Waiting => out.null(),
            Self::Refused(reason) => out.text(&one_line(reason, REFUSAL_BYTES_MAX)),
        };
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        if reader.null() {
            return Ok(Self::Waiting);
        }
        read_line(reader, REFUSAL_BYTES_MAX).map(Self::Refused)
    }
}

/// Why a peer ends the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseReason {
    /// The kind of reason, for the program.
    pub code: CloseCode,
    /// The reason, for people. May be empty.
    pub text: String,
}

impl CloseReason {
    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(2).uint(self.code.number()).text(&one_line(&self.text, CLOSE_TEXT_BYTES_MAX));
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        reader.tuple(2)?;
        let number = reader.uint()?;
        let code = CloseCode::from_number(number).ok_or(Fault::CloseCode { number })?;
        Ok(Self { code, text: read_line(reader, CLOSE_TEXT_BYTES_MAX)? })
    }
}

/// The kinds of reasons to end a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum CloseCode {
    /// Both have what the other can give.
    Done = 0,
    /// The peer takes part in another survey.
    WrongSurvey = 1,
    /// No version of the protocol that both speak.
    Version = 2,
    /// The peer has no grant.
    NoGrant = 3,
    /// The peer asked for what its grants do not cover.
    OutOfScope = 4,
    /// The peer sent bytes that are no message.
    Malformed = 5,
    /// The peer sent a message that has no place there.
    Violation = 6,
    /// Too much to do now. Try again later.
    Overload = 7,
    /// The program stops.
    Stopping = 8,
    /// Another session with the same peer took over.
    Replaced = 9,
}

impl CloseCode {
    /// All codes, by number.
    pub const ALL: [Self; 10] = [
        Self::Done,
        Self::WrongSurvey,
        Self::Version,
        Self::NoGrant,
        Self::OutOfScope,
        Self::Malformed,
        Self::Violation,
        Self::Overload,
        Self::Stopping,
        Self::Replaced,
    ];

    /// The code of a number as it stands on the wire.
    pub fn from_number(number: u64) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.number() == number)
    }

    /// The number that stands for it on the wire.
    pub fn number(self) -> u64 {
        self as u64
    }
}

/// The text as one line of at most `max` bytes.
pub(crate) fn one_line(text: &str, max: usize) -> String {
    let line: String = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    let end = line.floor_char_boundary(max);
    line.get(..end).unwrap_or_default().to_owned()
}

pub(crate) fn read_line(reader: &mut Reader<'_>, max: usize) -> Result<String, Fault> {
    let text = reader.text(max)?;
    if text.chars().any(char::is_control) { Err(Fault::ControlCharacter) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_letters_and_made_one_line() {
        let text = format!("{}\r\n\u{1b}[31mé", "é".repeat(254));
        let mut out = Writer::new();
        CloseReason { code: CloseCode::Malformed, text }.write(&mut out);
        let bytes = out.finish();
        let read = CloseReason::read(&mut Reader::new(&bytes)).unwrap();
        assert_eq!(read.text, format!("{}   [", "é".repeat(254)));
        assert_eq!(one_line("aé", 2), "a");
    }

    #[test]
    fn a_text_that_would_steer_a_terminal_is_refused() {
        let bytes = Writer::new().text("\u{1b}[2J").finish();
        assert_eq!(Exception::read(&mut Reader::new(&bytes)), Err(Fault::ControlCharacter));
    }

    #[test]
    fn a_code_that_there_is_not_is_refused() {
        let bytes = Writer::new().array(2).uint(10).text("").finish();
        assert_eq!(CloseReason::read(&mut Reader::new(&bytes)), Err(Fault::CloseCode { number: 10 }));
    }
}
