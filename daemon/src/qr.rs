//! QR codes: a text becomes squares, and these SVG for paper. What a code holds is plain text, which any
//! scanner shows.

use std::fmt::Write as _;

use qrcode::types::QrError;
use qrcode::{Color, EcLevel, QrCode};

/// The white that a scanner needs around the squares.
const MARGIN: usize = 4;

/// A QR code of which a seventh may be smeared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qr {
    width: usize,
    dark: Vec<bool>,
}

impl Qr {
    /// The code of a text.
    ///
    /// # Errors
    /// If it is longer than any code holds: some 2 000 bytes.
    pub fn of(text: &str) -> Result<Self, QrError> {
        let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
        let dark = code.to_colors().into_iter().map(|color| color == Color::Dark).collect();
        Ok(Self { width: code.width(), dark })
    }

    /// An element of SVG, as large as its place. It needs nothing from elsewhere.
    pub fn svg(&self) -> String {
        let side = self.side();
        let mut path = String::new();
        for (y, row) in self.dark.chunks(self.width).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|one, next| one == next) {
                if run.first() == Some(&true) {
                    let _ = write!(path, "M{} {}h{}v1h-{}z", x + MARGIN, y + MARGIN, run.len(), run.len());
                }
                x += run.len();
            }
        }
        format!(
            "<svg viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\" role=\"img\" \
             aria-label=\"QR\"><path d=\"{path}\"/></svg>"
        )
    }

    /// How many squares a side has, its margin included.
    pub fn side(&self) -> usize {
        self.width + 2 * MARGIN
    }

    /// Whether a square is dark, counted from the corner of the margin.
    pub fn is_dark(&self, x: usize, y: usize) -> bool {
        let inside = |at: usize| at.checked_sub(MARGIN).filter(|at| *at < self.width);
        let place = inside(x).zip(inside(y)).map(|(x, y)| y * self.width + x);
        place.and_then(|place| self.dark.get(place)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As long as a device id.
    const ID: &str = "AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA-AAAAAAA";

    #[test]
    fn a_code_on_paper_has_its_three_marks_and_its_margin() {
        let qr = Qr::of(ID).unwrap();
        let corner = |x, y| (0..7).all(|at| qr.is_dark(x + at, y) && qr.is_dark(x, y + at));
        let far = MARGIN + qr.width - 7;
        assert!(corner(MARGIN, MARGIN) && corner(far, MARGIN) && corner(MARGIN, far));
        assert!((0..qr.width + 2 * MARGIN).all(|at| !qr.is_dark(at, 3) && !qr.is_dark(3, at)));
        let svg = qr.svg();
        assert!(svg.contains(&format!("M{MARGIN} {MARGIN}h7v1h-7z")), "{svg}");
    }

    #[test]
    fn a_text_that_no_code_holds_is_an_error() {
        assert!(Qr::of(&"a".repeat(9_000)).is_err());
    }
}
