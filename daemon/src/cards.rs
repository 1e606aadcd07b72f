//! Cards for officers: each one's code becomes a card on a page made for printing, six to a sheet of A4,
//! in one file that needs nothing from elsewhere. The cards are in Indonesian, as those who get them are;
//! what only the office sees, and never prints, is in English.

use qrcode::types::QrError;
use rukun_authority::Role;
use rukun_replica::Code;
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::qr::Qr;

const CARDS_A_SHEET: usize = 6;
/// Regions that a card has room for; the grant has them all.
const REGIONS_SHOWN: usize = 6;
const REGIONS_BY_A_LONG_NAME: usize = 4;
/// More are set smaller, in two columns.
const REGIONS_LARGE: usize = 3;
/// A longer name is set smaller.
const NAME_CHARS_LARGE: usize = 24;
const MONTHS: [&str; 12] = [
    "Januari",
    "Februari",
    "Maret",
    "April",
    "Mei",
    "Juni",
    "Juli",
    "Agustus",
    "September",
    "Oktober",
    "November",
    "Desember",
];
const STYLE: &str = include_str!("cards.css");

/// What all cards of a page have in common.
#[derive(Clone, Copy, Debug)]
pub struct Sheet<'a> {
    /// The survey's name.
    pub survey: &'a str,
    /// Where devices find the relay, `HOST:PORT`.
    pub relay: &'a str,
    /// Until when the codes are good, milliseconds since 1970: the end of a day.
    pub expires_ms: i64,
}

/// One officer's card.
#[derive(Clone, Debug)]
pub struct Card {
    /// Who gets it.
    pub name: String,
    /// In which role.
    pub role: Role,
    /// Where.
    pub regions: Vec<String>,
    /// The code.
    pub code: Code,
}

impl Card {
    /// What an officer types, in one line, and what the QR code holds.
    pub fn command(&self, relay: &str) -> Zeroizing<String> {
        Zeroizing::new(format!("rukun join {} --relay {relay}", *self.code.text()))
    }
}

/// The page, as one HTML file. It holds the codes, and nothing else does.
///
/// # Errors
/// If the relay's address is longer than any QR code holds.
pub fn page(sheet: Sheet<'_>, cards: &[Card]) -> Result<Zeroizing<String>, QrError> {
    let survey = escaped(sheet.survey);
    let mut page = Zeroizing::new(format!(
        "<!doctype html>\n<html lang=\"id\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" \
         content=\"default-src 'none'; style-src 'unsafe-inline'\">\n\
         <title>{survey}: {} kartu</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <aside lang=\"en\"><b>{} for {survey}.</b> Print this page on A4, cut along the lines, and give \
         each officer their own. The codes stand here and nowhere else: rukun cannot print them again. \
         Delete this file when the cards are printed. A card that is lost: \
         <code>rukun officers withdraw NAME</code>, then import the same file again.</aside>\n",
        cards.len(),
        if cards.len() == 1 { "1 card".into() } else { format!("{} cards", cards.len()) },
    ));
    for cards in cards.chunks(CARDS_A_SHEET) {
        page.push_str("<section>\n");
        for card in cards {
            page.push_str(&article(sheet, card)?);
        }
        page.push_str("</section>\n");
    }
    page.push_str("</body>\n</html>\n");
    Ok(page)
}

fn article(sheet: Sheet<'_>, card: &Card) -> Result<Zeroizing<String>, QrError> {
    let (code, command) = (card.code.text(), card.command(sheet.relay));
    // What is long is set smaller, so that every card keeps its size.
    let is_long = card.name.chars().count() > NAME_CHARS_LARGE;
    let shown = card.regions.len().min(if is_long { REGIONS_BY_A_LONG_NAME } else { REGIONS_SHOWN });
    let regions = card.regions.iter().take(shown).map(|region| format!("<li>{}</li>", escaped(region)));
    let of_all = match card.regions.len() {
        all if all > shown => format!(": {shown} dari {all}"),
        _ => String::new(),
    };
    Ok(Zeroizing::new(format!(
        "<article>\n<header>{survey}</header>\n\
         <div class=\"who\"><div><h2 class=\"{name_is}\">{name}</h2>\
         <p class=\"role\">{role}</p><h3>Wilayah{of_all}</h3>\
         <ul class=\"{regions_are}\">{regions}</ul></div>{qr}</div>\n\
         <h3>Kode</h3><p class=\"code\">{code}</p>\n\
         <h3>Ketik di perangkat Anda, dalam satu baris</h3>\
         <p class=\"type\">rukun join {code} <span>--relay {relay}</span></p>\
         <p>lalu: <span class=\"type\">rukun daemon</span></p>\n\
         <footer>Kode ini hanya untuk Anda dan berlaku satu kali, sampai {until}. Jangan difoto atau \
         diberikan kepada orang lain. Kartu hilang: segera lapor ke kantor. \
         <span>No. {number:.8}</span></footer>\n</article>\n",
        survey = escaped(sheet.survey),
        name = escaped(&card.name),
        role = card.role.title(),
        regions = regions.collect::<String>(),
        name_is = if is_long { "long" } else { "short" },
        regions_are = if shown > REGIONS_LARGE { "many" } else { "few" },
        qr = Qr::of(&command)?.svg(),
        code = *code,
        relay = escaped(sheet.relay),
        until = last_day(sheet.expires_ms),
        number = card.code.invitation().to_string(),
    )))
}

/// The last whole day before this time, as Indonesian writes it.
fn last_day(end_ms: i64) -> String {
    let day = OffsetDateTime::from_unix_timestamp(end_ms.saturating_sub(1).div_euclid(1000));
    let day = day.unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let month = MONTHS.get(usize::from(u8::from(day.month())) - 1).copied().unwrap_or_default();
    format!("{} {month} {}", day.day(), day.year())
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            control if control.is_control() => escaped.push('\u{fffd}'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn card(name: &str, regions: usize, code: u8) -> Card {
        let regions = (0..regions).map(|at| format!("181101000500{at:02}")).collect();
        Card { name: name.into(), role: Role::Enumerator, regions, code: Code::from_random(&[code; 20]) }
    }

    fn sheet() -> Sheet<'static> {
        // The first moment of 26 December 2026, UTC.
        Sheet { survey: "Regsosek <2022>", relay: "kantor.example.id:7811", expires_ms: 1_798_243_200_000 }
    }

    #[test]
    fn a_card_says_who_where_and_what_to_type_and_nothing_comes_from_elsewhere() {
        let page = page(sheet(), &[card("Siti 'Ani' <b>", 2, 1)]).unwrap();
        let code = Code::from_random(&[1; 20]).text();
        for said in [
            "Siti &#39;Ani&#39; &lt;b&gt;",
            ">PPL<",
            "18110100050001",
            code.as_str(),
            &format!("rukun join {} <span>--relay kantor.example.id:7811<", *code),
            "sampai 25 Desember 2026",
            "Regsosek &lt;2022&gt;",
            "<svg ",
        ] {
            assert!(page.contains(said), "{said} is not on the page");
        }
        assert!(!page.contains("http") || page.matches("http").count() == 1, "one: http-equiv");
        assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("url("));
    }

    #[test]
    fn six_cards_stand_on_a_sheet_and_no_two_have_one_code() {
        let cards: Vec<Card> = (0..13).map(|at| card("Budi", 1, at)).collect();
        let page = page(sheet(), &cards).unwrap();
        assert_eq!((page.matches("<section>").count(), page.matches("<article>").count()), (3, 13));
        for card in &cards {
            assert_eq!(page.matches(card.code.text().as_str()).count(), 2, "in groups, and in what to type");
        }
    }

    #[test]
    fn more_regions_than_a_card_has_room_for_are_counted() {
        let page = page(sheet(), &[card("Wayan", 9, 1)]).unwrap();
        assert!(page.contains(": 6 dari 9") && !page.contains("18110100050006"), "{}", *page);
    }
}
