//! The ways to lie.

/// A way to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lie {
    /// A change whose signature was changed, beside a good one.
    ForgedSignature,
    /// Changes of which something was changed after they were signed: the record, the number, the ink.
    ChangedField,
    /// A change in another's name and under its number, signed by the liar.
    OthersNumber,
    /// A change of its own around another's Automerge change.
    OthersActor,
    /// One Automerge change signed for two records.
    TwoRecords,
    /// One Automerge change signed under two numbers.
    TwoNumbers,
    /// Two changes under one number, in two records.
    Fork,
    /// Two changes with one sequence number in one document.
    ForkInRecord,
    /// A change in an ink that none of its roles writes.
    OthersInk,
    /// A sequence number without its predecessor.
    Gap,
    /// A write to a member whose map nobody made.
    Dangling,
    /// Causes that there are not.
    NoCause,
    /// Heads seen that there are not.
    NoHead,
    /// Heads seen in an ink that names none.
    SeenInPencil,
    /// What would be left of a change if its record were erased, which it was not.
    StubUnasked,
    /// The highest number that there is.
    HugeNumber,
    /// The number 0.
    NumberZero,
    /// A change where the author was never granted anything.
    OutOfScope,
    /// A change signed for another survey.
    OtherSurveysChange,
    /// A compressed chunk.
    Compressed,
    /// A chunk with broken contents under a right checksum and a good signature.
    Malformed,
    /// Counts and lengths of 2^63 in the chunks of signed changes.
    HugeCountInChange,
    /// What the victim has, over again and twice in a frame.
    Replay,
    /// A grant wider than the issuer's own.
    WidenedGrant,
    /// A grant in another's name.
    ForgedGrant,
    /// The charter of another survey, as if it were this one's.
    OtherCharter,
    /// A statement of a kind that has no rules yet, against an honest device.
    FutureStatement,
    /// A decision about work that did not come down through who decides.
    FalseDecision,
    /// An erasure by who is no district.
    FalseErasure,
    /// Many statements that rest on nothing.
    StatementFlood,
    /// Bytes that are no statement.
    MalformedStatement,
    /// A message before the greeting.
    BeforeGreeting,
    /// A message in the wrong state.
    WrongState,
    /// A greeting for another survey.
    WrongSurvey,
    /// A greeting by one who was never granted anything.
    StrangerHello,
    /// A version that there is not.
    WrongVersion,
    /// A greeting that says the victim's log is longer than it is.
    FalseCursor,
    /// An acknowledgement of what was not sent.
    FalseAck,
    /// An acknowledgement of whatever was sent, none of which is kept.
    BlindAck,
    /// A summary of what it does not hold.
    FalseFingerprint,
    /// A difference where nothing was summarised, or in another place than was.
    FalseDiffer,
    /// Ids without end after a false summary.
    EndlessIds,
    /// Ids that nobody asked for.
    UnwantedIds,
    /// A want of what was not listed.
    UnwantedWant,
    /// An answer to a sketch, or symbols of one, where none waits.
    UnaskedSketch,
    /// A sketch of no set that there ever was.
    WildSketch,
    /// A frame of changes out of turn.
    FrameOrder,
    /// A log that is sent up to the highest place that there is.
    HugeLog,
    /// A piece of the questionnaire that is none.
    FalseBlob,
    /// A bundle for the victim that is none, one for others to carry, and the end of what it never carried.
    FalseParcel,
    /// A text that would steer a terminal.
    ControlText,
    /// Counts and lengths of 2^63 in every kind of message.
    HugeCount,
    /// A frame whose length is none.
    HugeFrame,
    /// Compressed content that claims 2^63 bytes.
    Bomb,
    /// Bytes without meaning.
    GarbageBytes,
    /// A frame that ends before its end.
    TruncatedFrame,
    /// A receipt by who gives none, on another's grant, or for what nobody holds.
    FalseReceipt,
}

impl Lie {
    /// All.
    pub const ALL: &'static [Self] = &[
        Self::ForgedSignature,
        Self::ChangedField,
        Self::OthersNumber,
        Self::OthersActor,
        Self::TwoRecords,
        Self::TwoNumbers,
        Self::Fork,
        Self::ForkInRecord,
        Self::OthersInk,
        Self::Gap,
        Self::Dangling,
        Self::NoCause,
        Self::NoHead,
        Self::SeenInPencil,
        Self::StubUnasked,
        Self::HugeNumber,
        Self::NumberZero,
        Self::OutOfScope,
        Self::OtherSurveysChange,
        Self::Compressed,
        Self::Malformed,
        Self::HugeCountInChange,
        Self::Replay,
        Self::WidenedGrant,
        Self::ForgedGrant,
        Self::OtherCharter,
        Self::FutureStatement,
        Self::FalseDecision,
        Self::FalseErasure,
        Self::StatementFlood,
        Self::MalformedStatement,
        Self::BeforeGreeting,
        Self::WrongState,
        Self::WrongSurvey,
        Self::StrangerHello,
        Self::WrongVersion,
        Self::FalseCursor,
        Self::FalseAck,
        Self::BlindAck,
        Self::FalseFingerprint,
        Self::FalseDiffer,
        Self::EndlessIds,
        Self::UnwantedIds,
        Self::UnwantedWant,
        Self::UnaskedSketch,
        Self::WildSketch,
        Self::FrameOrder,
        Self::HugeLog,
        Self::FalseBlob,
        Self::FalseParcel,
        Self::ControlText,
        Self::HugeCount,
        Self::HugeFrame,
        Self::Bomb,
        Self::GarbageBytes,
        Self::TruncatedFrame,
        Self::FalseReceipt,
    ];

    /// Its name.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}
