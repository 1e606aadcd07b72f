//! What is said of a statement, and why it is refused.

use rukun_change::{Region, StatementId};

use crate::encoding::StatementError;
use crate::role::Role;

/// What the gate says of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StatementVerdict {
    /// It is held.
    Admit(StatementId),
    /// The statement that it rests on must come first.
    Wait(StatementId),
    /// Never.
    Refuse(StatementRefusal),
}

/// Why a statement can never be admitted: its issuer's fault, or that of whoever forged it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StatementRefusal {
    /// Not its issuer's signature, or made for another survey.
    #[error("signature does not hold for this issuer and survey")]
    Signature,
    /// The charter of another survey.
    #[error("it is the charter of another survey")]
    OtherSurvey,
    /// A kind that this version keeps no rules for.
    #[error("this version has no rules for statements of this kind; update rukun")]
    NotYet,
    /// Nobody else could read it: its issuer's program let it pass.
    #[error(transparent)]
    Spelling(StatementError),
    /// A grant resting on somebody else's.
    #[error("it rests on a grant that is not its issuer's")]
    NotIssuers,
    /// A role that the issuer's may not grant.
    #[error("the role {issuer} may not grant the role {role}")]
    Role {
        /// The issuer's role.
        issuer: String,
        /// The role granted.
        role: Role,
    },
    /// A word about others' work by who stands above nobody.
    #[error("an enumerator stands above nobody, so it can neither revoke nor decide")]
    AboveNobody,
    /// An erasure, a transfer or a redrawing by who is no district.
    #[error(
        "the district alone erases and moves records and redraws sub-SLS, and its issuer is no district by the grant that it names"
    )]
    NotTheDistrict,
    /// A receipt by who keeps nobody's work.
    #[error("it is a receipt, and its issuer is no supervisor or above by the grant that it names")]
    NoReceipts,
    /// A list that no revocation of this issuer names.
    #[error("it is not the list that its revocation names there")]
    NotTheList,
    /// A superior's key, through which others were granted what they have.
    #[error(
        "the key of a {role} is not followed by another; its superior grants the new key and revokes the old"
    )]
    StandsAbove {
        /// The role.
        role: Role,
    },
    /// A key that would follow too many others.
    #[error("the key that it names would follow {max} others on one grant; its superior grants it anew")]
    FollowsTooMany {
        /// As many as may be.
        max: usize,
    },
    /// Another root made by who is none.
    #[error("it names another root key, and its issuer is not the root by what it rests on")]
    NotTheRoot,
    /// A key that did not agree to follow.
    #[error("the key that it names has not consented to follow its issuer")]
    NoConsent,
    /// A record that goes on in itself.
    #[error("it moves a record to where it is")]
    NotMoved,
    /// Branches that prove no fork.
    #[error("it proves no fork: two changes under one number, each signed by the same device")]
    NoProof,
    /// A region outside the issuer's.
    #[error("it covers {region}, which its issuer's grant does not")]
    Wider {
        /// The region.
        region: Region,
    },
}

/// Why a statement founds no trust.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// Another kind of statement.
    #[error("not a charter")]
    NoCharter,
    /// Not signed by the root it names.
    #[error("the charter's signature does not hold")]
    Signature,
    /// Nobody else could read it.
    #[error(transparent)]
    Spelling(#[from] StatementError),
}
