//! The bytes of version 1, for ever: each message as a literal and as a file that docs cite.
//! The two compressed messages have as many spellings as zstd has versions: of these the content
//! is compared, and the file decoded.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use rukun_change::{
    ActorId, Author, CauseHash, Cell, Change, ChangeId, DeviceKey, Digest, Fingerprint, Header, Incarnation,
    Ink, Layout, MemberId, RecordId, Section, SectionMap, SignedChange, SignedHeader, StatementId, SubSls,
    SurveyId,
};
use rukun_wire::limits::UNPACKED_BYTES_MAX;
use rukun_wire::{
    Changes, CloseCode, CloseReason, Cursor, Deframer, Effort, Exception, Framer, Hello, Message, Parcel,
    Short, Sketch, Stubs, Symbol,
};

/// Length and type in front of the fields.
const HEAD_BYTES: usize = 5;

fn from_hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// That this message is spelled like this, in the literal and in the file.
fn check(message: &Message, literal: &str, file: &str) {
    let frame = message.encode();
    assert_eq!(to_hex(&frame), to_hex(&from_hex(literal)), "{}", message.name());
    assert_eq!(file.trim_end(), to_hex(&frame), "{}", message.name());
    assert_eq!(Message::decode(&frame[4..]).as_ref(), Ok(message));
}

/// The same for a compressed message, whose literal is length-free: type and content.
fn check_packed(message: &Message, literal: &str, file: &str) {
    let file = from_hex(file);
    for frame in [&message.encode(), &file] {
        assert_eq!(frame[..4], u32::try_from(frame.len() - 4).unwrap().to_be_bytes());
        let content = zstd::bulk::decompress(&frame[HEAD_BYTES..], UNPACKED_BYTES_MAX).unwrap();
        let opened = [&frame[4..HEAD_BYTES], &content].concat();
        assert_eq!(to_hex(&opened), to_hex(&from_hex(literal)), "{}", message.name());
        assert_eq!(Message::decode(&frame[4..]).as_ref(), Ok(message));
    }
}

fn sub_sls(code: &str) -> SubSls {
    code.parse().unwrap()
}

fn fingerprint(bytes: &[u8]) -> Fingerprint {
    bytes.iter().map(|byte| [*byte; 32]).collect::<Vec<_>>().iter().collect()
}

fn statement(text: &str) -> Vec<u8> {
    text.as_bytes().to_vec()
}

/// A chunk: the magic, the checksum of the rest, the rest.
fn chunk(rest: &[u8]) -> Vec<u8> {
    [&[0x85, 0x6f, 0x4a, 0x83], &Digest::of(rest).as_bytes()[..4], rest].concat()
}

fn change(device: u8, n: u64, ink: Ink, seen: &[u8]) -> SignedChange {
    let author = Author {
        device: DeviceKey::from_bytes([device; 32]),
        incarnation: Incarnation::from_bytes([0xa0; 4]),
    };
    let record = RecordId::new(sub_sls("1811010005000300"), [n as u8; 8]);
    let seen = seen.iter().map(|byte| CauseHash::from_bytes([*byte; 32])).collect();
    SignedChange {
        change: Change { author, n, record, ink, seen, body: chunk(&[1, 2, n as u8]) },
        signature: [0xe0 | device; 64],
    }
}

#[test]
fn bytes_of_hello() {
    let message = Message::Hello(Hello {
        versions: (1, 2),
        survey: Some(SurveyId::from_bytes([0x11; 32])),
        epoch: Incarnation::from_bytes([0x22; 4]),
        received: Some(Cursor { epoch: Incarnation::from_bytes([0x33; 4]), seq: 1_000 }),
        held: 70_000,
        statements: Some(fingerprint(&[1])),
        chain: vec![statement("charter"), statement("grant")],
    });
    let literal = "00000072018801025820111111111111111111111111111111111111111111111111111111111111111144222222 \
         228244333333331903e81a00011170582800000000000000012ef2c6ee9e0e267588b3242fd306ce2676b5ce65af \
         1bf70b1bc9bc616bec2d24824763686172746572456772616e74";
    check(&message, literal, include_str!("../golden/v1/hello.hex"));
}

#[test]
fn bytes_of_hello_of_a_stranger() {
    let message = Message::Hello(Hello {
        versions: (1, 1),
        survey: Some(SurveyId::from_bytes([0x11; 32])),
        epoch: Incarnation::from_bytes([0x22; 4]),
        received: None,
        held: 0,
        statements: Some(Fingerprint::default()),
        chain: Vec::new(),
    });
    let literal = "00000058018801015820111111111111111111111111111111111111111111111111111111111111111144222222 \
         22f60058280000000000000000000000000000000000000000000000000000000000000000000000000000000080";
    check(&message, literal, include_str!("../golden/v1/hello-of-a-stranger.hex"));
}

#[test]
fn bytes_of_hello_that_answers() {
    let message = Message::Hello(Hello {
        versions: (1, 1),
        survey: None,
        epoch: Incarnation::from_bytes([0x22; 4]),
        received: Some(Cursor { epoch: Incarnation::from_bytes([0x33; 4]), seq: 1_000 }),
        held: 70_000,
        statements: None,
        chain: Vec::new(),
    });
    let literal = "0000001a01880101f6442222222282443333333319 03e81a00011170f680";
    check(&message, literal, include_str!("../golden/v1/hello-of-an-answer.hex"));
}

#[test]
fn bytes_of_statement_ids() {
    let message =
        Message::StatementIds(vec![StatementId::from_bytes([1; 32]), StatementId::from_bytes([2; 32])]);
    let literal = "00000043025840010101010101010101010101010101010101010101010101010101010101010102020202020202 \
         02020202020202020202020202020202020202020202020202";
    check(&message, literal, include_str!("../golden/v1/statement-ids.hex"));
}

#[test]
fn bytes_of_statements() {
    let message = Message::Statements { items: vec![statement("charter"), statement("grant")], last: true };
    let literal = "0382824763686172746572456772616e7401";
    check_packed(&message, literal, include_str!("../golden/v1/statements.hex"));
}

#[test]
fn bytes_of_blob_want() {
    let message = Message::BlobWant { digest: Digest::from_bytes([0x44; 32]), offset: 65_536 };
    let literal =
        "000000290482582044444444444444444444444444444444444444444444444444444444444444441a00010000";
    check(&message, literal, include_str!("../golden/v1/blob-want.hex"));
}

#[test]
fn bytes_of_blob() {
    let message = Message::Blob {
        digest: Digest::from_bytes([0x44; 32]),
        offset: 65_536,
        total: 65_544,
        bytes: statement("question"),
    };
    let literal = "0584582044444444444444444444444444444444444444444444444444444444444444441a000100001a \
         00010008487175657374696f6e";
    check_packed(&message, literal, include_str!("../golden/v1/blob.hex"));
}

#[test]
fn bytes_of_changes_that_refer_back_to_changes() {
    let messages = [1, 2].map(|frame| {
        let items = vec![change(5, 300 + frame, Ink::Pencil, &[]), change(6, 12, Ink::Red, &[0x71, 0x72])];
        Message::Changes(Changes { frame, upto: Some(900), items })
    });
    let file = from_hex(include_str!("../golden/v1/changes-after-changes.hex"));
    let mut framer = Framer::new();
    let now: Vec<u8> = messages.iter().flat_map(|message| framer.frame(message, Effort::Quick)).collect();
    for stream in [&file, &now] {
        let mut deframer = Deframer::new();
        deframer.push(stream);
        for message in &messages {
            assert_eq!(Message::of(&deframer.next_frame().unwrap().unwrap()).as_ref(), Ok(message));
        }
        assert_eq!(deframer.next_frame(), Ok(None), "{}", to_hex(stream));
        let first = 4 + u32::from_be_bytes(*stream.first_chunk().unwrap()) as usize;
        assert!(Message::decode(&stream[first + 4..]).is_err(), "the second is not understood alone");
    }
}

#[test]
fn what_every_link_refers_back_to_at_first_stays_as_it_is_and_is_needed() {
    let prime = include_bytes!("../prime.bin");
    let formats = include_str!("../../../docs/formats.md");
    assert!(formats.contains(&Digest::of(prime).to_string()), "docs/formats.md tells of another");
    let message = Message::Statements { items: vec![prime[5_000..5_600].to_vec()], last: true };
    let now = Framer::new().frame(&message, Effort::Quick);
    for frame in [&from_hex(include_str!("../golden/v1/statements-of-a-link.hex")), &now] {
        let mut deframer = Deframer::new();
        deframer.push(frame);
        let body = deframer.next_frame().unwrap().expect("it is a whole frame");
        assert_eq!(Message::of(&body).as_ref(), Ok(&message), "{}", to_hex(frame));
        assert!(frame.len() < 60 && Message::decode(&frame[4..]).is_err(), "it is not understood alone");
    }
}

#[test]
fn bytes_of_changes() {
    let message = Message::Changes(Changes {
        frame: 7,
        upto: Some(900),
        items: vec![
            change(5, 300, Ink::Pencil, &[]),
            change(6, 12, Ink::Red, &[0x71, 0x72]),
            change(5, 301, Ink::Pencil, &[]),
        ],
    });
    let literal = "06981b0719038482825820050505050505050505050505050505050505050505050505050505050505050544 \
         a0a0a0a0825820060606060606060606060606060606060606060606060606060606060606060644a0a0a0a083 \
         0001008319012c0c01830102018380825820717171717171717171717171717171717171717171717171717171 \
         71717171715820727272727272727272727272727272727272727272727272727272727272727280834301022c \
         4301020c4301022d8080808080808080808080808040408040583018110100050003002c2c2c2c2c2c2c2c1811 \
         0100050003000c0c0c0c0c0c0c0c18110100050003002d2d2d2d2d2d2d2d58c0e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6 \
         e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";
    check_packed(&message, literal, include_str!("../golden/v1/changes.hex"));
}

/// The head of a family and one member more, and a year later one answer of each.
fn interview() -> [Layout<'static>; 2] {
    let cell = |field, kind, value| Cell { field, kind, value };
    let code = |field, value| cell(field, 4, value);
    let siti = MemberId::from_bytes([0x51; 8]);
    let first = Layout {
        deps: vec![],
        actor: ActorId::from_bytes([0x0a; 16]),
        others: vec![],
        seq: 1,
        start_op: 1,
        time_ms: 1_666_000_000_000,
        message: "",
        makes: vec![siti],
        sections: vec![
            Section {
                map: SectionMap::Root,
                cells: vec![cell("r108", 6, b"SITI"), code("r302", &[0x99, 1])],
            },
            Section {
                map: SectionMap::Own(0),
                cells: vec![cell("r402", 6, b"SITI"), code("r405", &[2]), cell("r407", 0, &[])],
            },
        ],
        replaced: None,
    };
    let later = Layout {
        deps: vec![CauseHash::from_bytes([0x71; 32])],
        actor: ActorId::from_bytes([0x0b; 16]),
        others: vec![ActorId::from_bytes([0x0a; 16])],
        start_op: 7,
        time_ms: 1_697_000_000_000,
        message: "resolve",
        makes: vec![],
        sections: vec![
            Section { map: SectionMap::Other(1, 1), cells: vec![code("r405", &[1])] },
            Section { map: SectionMap::Root, cells: vec![code("r302", &[60])] },
        ],
        replaced: Some([&[2, 1], &[2, 1], &[0x7e, 5, 0x7e]]),
        ..first.clone()
    };
    [first, later]
}

#[test]
fn bytes_of_changes_that_are_laid_out() {
    let items = interview().into_iter().zip(300..).map(|(layout, n)| {
        let mut item = change(5, n, Ink::Pencil, &[]);
        let rest = layout.chunk().unwrap();
        item.change.body = [&[0x85, 0x6f, 0x4a, 0x83], &Digest::of(&rest).as_bytes()[..4], &rest].concat();
        item
    });
    let message = Message::Changes(Changes { frame: 7, upto: None, items: items.collect() });
    let literal = "06981b07f681825820050505050505050505050505050505050505050505050505050505050505050544a0a0 \
         a0a08200008219012c0182010182808082f6f68280815820717171717171717171717171717171717171717171 \
         71717171717171717171718281500a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a82500b0b0b0b0b0b0b0b0b0b0b0b0b \
         0b0b0b500a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a8201018201078260677265736f6c7665820100828200018202 \
         00810182f683420201420201437e057e8264723130386472333032841846f61824148364723430326472343035 \
         6472343037861846f6141400f64599013c0201485349544953495449821b00000183e55694001b0000000737be \
         7600485151515151515151582018110100050003002c2c2c2c2c2c2c2c18110100050003002d2d2d2d2d2d2d2d \
         5880e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5";
    check_packed(&message, literal, include_str!("../golden/v1/changes-laid-out.hex"));
}

#[test]
fn bytes_of_changes_of_a_repair() {
    let message = Message::Changes(Changes { frame: 8, upto: None, items: Vec::new() });
    let literal = "06981b08f680808080808080808080808080808080808080404080404040";
    check_packed(&message, literal, include_str!("../golden/v1/changes-of-a-repair.hex"));
}

#[test]
fn bytes_of_stubs() {
    let header = |device, n, ink, seen: &[u8]| {
        let SignedChange { change, signature } = change(device, n, ink, seen);
        let Change { author, n, record, ink, seen, .. } = change;
        let cause = CauseHash::from_bytes([0x90; 32]);
        SignedHeader { header: Header { author, n, record, ink, cause, seen }, signature }
    };
    let items = vec![header(5, 300, Ink::Pencil, &[]), header(6, 12, Ink::Red, &[0x71, 0x72])];
    let message = Message::Stubs(Stubs { frame: 7, upto: Some(900), items });
    let literal = "0d83071903848258a2885820050505050505050505050505050505050505050505050505050505050505050544a0 \
         a0a0a019012c5018110100050003002c2c2c2c2c2c2c2c0158209090909090909090909090909090909090909090 \
         909090909090909090909090805840e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5 \
         e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e558e48858200606060606060606 \
         06060606060606060606060606060606060606060606060644a0a0a0a00c5018110100050003000c0c0c0c0c0c0c \
         0c025820909090909090909090909090909090909090909090909090909090909090909082582071717171717171 \
         71717171717171717171717171717171717171717171717171582072727272727272727272727272727272727272 \
         727272727272727272727272725840e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6 \
         e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6e6";
    check_packed(&message, literal, include_str!("../golden/v1/stubs.hex"));
}

#[test]
fn bytes_of_ack() {
    let message = Message::Ack {
        frame: 7,
        exceptions: vec![
            (ChangeId::from_bytes([0x55; 32]), Exception::Waiting),
            (ChangeId::from_bytes([0x56; 32]), Exception::Refused("bad signature".into())),
        ],
    };
    let literal = "00000059078207828258205555555555555555555555555555555555555555555555555555555555555555f68258 \
         2056565656565656565656565656565656565656565656565656565656565656566d626164207369676e61747572 \
         65";
    check(&message, literal, include_str!("../golden/v1/ack.hex"));
}

#[test]
fn bytes_of_summary() {
    let message = Message::Summary(vec![
        (sub_sls("1811010005000300"), fingerprint(&[1])),
        (sub_sls("1811010005000400"), fingerprint(&[1, 2])),
    ]);
    let literal = "00000063085860181101000500030000000000000000012ef2c6ee9e0e267588b3242fd306ce2676b5ce65af1bf7 \
         0b1bc9bc616bec2d24181101000500040000000000000000022899b02c8b240869da7a5306e00baccecf70291b4c \
         dccc4047517a45dee3647f";
    check(&message, literal, include_str!("../golden/v1/summary.hex"));
}

#[test]
fn bytes_of_differ() {
    let message = Message::Differ(vec![sub_sls("1811010005000300"), sub_sls("1811010005000400")]);
    let literal = "00000012095018110100050003001811010005000400";
    check(&message, literal, include_str!("../golden/v1/differ.hex"));
}

#[test]
fn bytes_of_ids() {
    let message = Message::Ids {
        sub_sls: sub_sls("1811010005000300"),
        ids: vec![ChangeId::from_bytes([0x56; 32]), ChangeId::from_bytes([0x55; 32])],
        last: false,
    };
    let literal = "0000004e0a8348181101000500030058405656565656565656565656565656565656565656565656565656565656 \
         565656555555555555555555555555555555555555555555555555555555555555555500";
    check(&message, literal, include_str!("../golden/v1/ids.hex"));
}

#[test]
fn bytes_of_want() {
    let message = Message::Want(vec![ChangeId::from_bytes([0x55; 32])]);
    let literal = "000000230b58205555555555555555555555555555555555555555555555555555555555555555";
    check(&message, literal, include_str!("../golden/v1/want.hex"));
}

#[test]
fn bytes_of_sketch() {
    let message = Message::Sketch(Sketch {
        regions: vec!["1811010".parse().unwrap(), "18110400030001".parse().unwrap()],
        fingerprint: fingerprint(&[1]),
        salt: 0,
        symbols: vec![Symbol { sum: 0x0102_0304_0506_0708, check: 0x090a_0b0c, count: -2 }],
    });
    let literal = "000000530e848267313831313031306e3138313130343030303330303031582800000000000000012ef2c6ee9e0e \
         267588b3242fd306ce2676b5ce65af1bf70b1bc9bc616bec2d24004d0102030405060708090a0b0cfe";
    check(&message, literal, include_str!("../golden/v1/sketch.hex"));
}

#[test]
fn bytes_of_more() {
    check(&Message::More(300), "000000040f19012c", include_str!("../golden/v1/more.hex"));
}

#[test]
fn bytes_of_symbols() {
    let message = Message::Symbols(vec![Symbol { sum: 1, check: 2, count: 3 }, Symbol::default()]);
    let literal = "0000001d10581a0000000000000001000000020300000000000000000000000000";
    check(&message, literal, include_str!("../golden/v1/symbols.hex"));
}

#[test]
fn bytes_of_lack() {
    let message = Message::Lack(vec![Short(1), Short(0xff00)]);
    check(&message, "0000001211500000000000000001000000000000ff00", include_str!("../golden/v1/lack.hex"));
}

#[test]
fn bytes_of_unclear() {
    check(&Message::Unclear { again: true }, "000000021201", include_str!("../golden/v1/unclear.hex"));
}

#[test]
fn bytes_of_parcels() {
    let (sender, recipient) = (DeviceKey::from_bytes([2; 32]), DeviceKey::from_bytes([3; 32]));
    let parcel =
        Parcel { digest: Digest::from_bytes([1; 32]), sender, recipient, bytes: 900, is_answer: true };
    let literal = "0000006d1381855820010101010101010101010101010101010101010101010101010101010101010158200202020202020202\
                   02020202020202020202020202020202020202020202020258200303030303030303030303030303030303030303030303\
                   03030303030303030319038401";
    check(&Message::Parcels(vec![parcel]), literal, include_str!("../golden/v1/parcels.hex"));
}

#[test]
fn bytes_of_parcel_end() {
    let digest = Digest::from_bytes([1; 32]);
    let literal =
        "0000002a14825820010101010101010101010101010101010101010101010101010101010101010165626172752e";
    let message = Message::ParcelEnd { digest, refused: Some("baru.".into()) };
    check(&message, literal, include_str!("../golden/v1/parcel-end.hex"));
}

#[test]
fn bytes_of_close() {
    let message = Message::Close(CloseReason { code: CloseCode::Malformed, text: "blob of 17 MiB".into() });
    let literal = "000000120c82056e626c6f62206f66203137204d6942";
    check(&message, literal, include_str!("../golden/v1/close.hex"));
}

#[test]
fn close_codes_keep_their_numbers() {
    let names = CloseCode::ALL.map(|code| format!("{}={code:?}", code.number()));
    let expected = "0=Done 1=WrongSurvey 2=Version 3=NoGrant 4=OutOfScope 5=Malformed 6=Violation \
         7=Overload 8=Stopping 9=Replaced";
    assert_eq!(names.join(" "), expected);
}
