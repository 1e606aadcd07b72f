//! The types of messages: the number that a body begins with, and the name in logs and counters.

/// The types of messages by the number that a body begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    Hello = 1,
    StatementIds = 2,
    Statements = 3,
    BlobWant = 4,
    Blob = 5,
    Changes = 6,
    Ack = 7,
    Summary = 8,
    Differ = 9,
    Ids = 10,
    Want = 11,
    Close = 12,
    Stubs = 13,
    Sketch = 14,
    More = 15,
    Symbols = 16,
    Lack = 17,
    Unclear = 18,
    Parcels = 19,
    ParcelEnd = 20,
}

impl Kind {
    const ALL: [Self; 20] = [
        Self::Hello,
        Self::StatementIds,
        Self::Statements,
        Self::BlobWant,
        Self::Blob,
        Self::Changes,
        Self::Ack,
        Self::Summary,
        Self::Differ,
        Self::Ids,
        Self::Want,
        Self::Close,
        Self::Stubs,
        Self::Sketch,
        Self::More,
        Self::Symbols,
        Self::Lack,
        Self::Unclear,
        Self::Parcels,
        Self::ParcelEnd,
    ];

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == number)
    }

    /// Whether its fields are compressed.
    pub(crate) fn is_packed(self) -> bool {
        matches!(self, Self::Statements | Self::Blob | Self::Changes | Self::Stubs)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Hello => "hello",
            Self::StatementIds => "statement-ids",
            Self::Statements => "statements",
            Self::BlobWant => "blob-want",
            Self::Blob => "blob",
            Self::Changes => "changes",
            Self::Ack => "ack",
            Self::Summary => "summary",
            Self::Differ => "differ",
            Self::Ids => "ids",
            Self::Want => "want",
            Self::Close => "close",
            Self::Stubs => "stubs",
            Self::Sketch => "sketch",
            Self::More => "more",
            Self::Symbols => "symbols",
            Self::Lack => "lack",
            Self::Unclear => "unclear",
            Self::Parcels => "parcels",
            Self::ParcelEnd => "parcel-end",
        }
    }
}
