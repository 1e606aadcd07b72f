//! QR codes on a terminal: blocks, two rows of squares in each line.

use super::Paint;
use crate::qr::Qr;

/// Black on white where the terminal has colours, else for one that writes bright on dark.
pub(super) fn blocks(qr: &Qr, paint: Paint) -> String {
    let inks_dark = paint != Paint::PLAIN;
    let inked = |x: usize, y: usize| qr.is_dark(x, y) == inks_dark;
    let mut lines = String::new();
    for y in (0..qr.side()).step_by(2) {
        let block = |x| match (inked(x, y), inked(x, y + 1)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        lines.push_str(&paint.paper(&(0..qr.side()).map(block).collect::<String>()));
        lines.push('\n');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_s_code_fits_a_terminal_of_80_by_24_with_and_without_colours() {
        let id = rukun_change::DeviceKey::from_bytes([7; 32]).to_string();
        let qr = Qr::of(&id).unwrap();
        let plain = blocks(&qr, Paint::PLAIN);
        let width = plain.lines().next().unwrap().chars().count();
        assert!(width <= 80 && plain.lines().count() <= 23, "{width} by {}", plain.lines().count());
        assert!(plain.lines().all(|line| line.chars().count() == width));
        let coloured = blocks(&qr, Paint::COLOURED);
        let codes = ["\u{1b}[30m", "\u{1b}[107m", "\u{1b}[0m"];
        assert!(codes.iter().all(|code| coloured.contains(code)), "{coloured:?}");
        let stripped = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
        let swapped = |letter| match letter {
            '█' => ' ',
            ' ' => '█',
            '▀' => '▄',
            '▄' => '▀',
            other => other,
        };
        assert_eq!(stripped, plain.chars().map(swapped).collect::<String>());
    }
}
