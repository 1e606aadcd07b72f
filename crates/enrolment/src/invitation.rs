//! An invitation as the node keeps it that made it: who is invited to what, what proves its code, how
//! long, and what became of it. The code is not in it. Bytes become an [`Invitation`] and back.

use rukun_authority::Role;
use rukun_change::cbor::{CborError, Reader, Writer};
use rukun_change::{DeviceKey, Region, StatementId};

use crate::proof::ProofKey;

/// The longest name or number.
const TEXT_BYTES_MAX: usize = 256;
const REGIONS_MAX: usize = 1_024;

/// Who is invited, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Officer {
    /// The person's name.
    pub name: String,
    /// The person's number, by which the office knows two of one name apart. It stays at the office.
    pub phone: String,
    /// In which role.
    pub role: Role,
    /// Where, ascending, none inside another.
    pub regions: Vec<Region>,
}

/// An invitation. It names a person, so it is kept sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Who is invited.
    pub officer: Officer,
    /// What proves its code.
    pub proof_key: ProofKey,
    /// When it was made, milliseconds since 1970.
    pub made_ms: i64,
    /// Until when it can be used.
    pub expires_ms: i64,
    /// What became of it.
    pub fate: Fate,
}

/// What became of an invitation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Nothing yet.
    Open,
    /// A device was enrolled by it.
    Used {
        /// Which.
        device: DeviceKey,
        /// What it was granted.
        grant: StatementId,
        /// When.
        at_ms: i64,
    },
    /// It was taken back before anyone used it.
    Withdrawn {
        /// When.
        at_ms: i64,
    },
}

/// How an invitation is at some time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// It can be used.
    Open,
    /// It was.
    Used,
    /// It no longer can be: its time is over.
    Expired,
    /// It no longer can be: it was taken back.
    Withdrawn,
}

impl Officer {
    /// By what the person is known again: name, role, regions and the digits of the number.
    pub fn person(&self) -> Vec<u8> {
        let mut person = Writer::new();
        let name = self.name.to_lowercase().split_whitespace().collect::<Vec<_>>().join(" ");
        let digits: String = self.phone.chars().filter(char::is_ascii_digit).collect();
        person.array(4).text(&name).uint(self.role.number());
        write_regions(&mut person, &self.regions);
        person.text(&digits);
        person.finish()
    }
}

impl Invitation {
    /// How it is at this time, by this device's clock.
    pub fn state(&self, wall_ms: i64) -> InvitationState {
        match self.fate {
            Fate::Used { .. } => InvitationState::Used,
            Fate::Withdrawn { .. } => InvitationState::Withdrawn,
            Fate::Open if wall_ms >= self.expires_ms => InvitationState::Expired,
            Fate::Open => InvitationState::Open,
        }
    }

    /// The invitation as it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Writer::new();
        let Officer { name, phone, role, regions } = &self.officer;
        out.array(8).text(name).text(phone).uint(role.number());
        write_regions(&mut out, regions);
        out.bytes(self.proof_key.as_bytes()).int(self.made_ms).int(self.expires_ms);
        match &self.fate {
            Fate::Open => out.array(0),
            Fate::Withdrawn { at_ms } => out.array(1).int(*at_ms),
            Fate::Used { device, grant, at_ms } => {
                out.array(3).int(*at_ms).bytes(device.as_bytes()).bytes(grant.as_bytes())
            }
        };
        out.finish()
    }

    /// The invitation in these bytes.
    ///
    /// # Errors
    /// If they are not the one encoding of an invitation.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CborError> {
        let mut reader = Reader::new(bytes);
        reader.tuple(8)?;
        let (name, phone) = (reader.text(TEXT_BYTES_MAX)?.into(), reader.text(TEXT_BYTES_MAX)?.into());
        let role = Role::from_number(reader.uint()?).ok_or(CborError::Unexpected("a role"))?;
        let mut regions = Vec::new();
        for _ in 0..reader.array(REGIONS_MAX)? {
            let region = reader.text(16)?.parse();
            regions.push(region.map_err(|_| CborError::Unexpected("a region"))?);
        }
        let proof_key = ProofKey::from_bytes(reader.array_of()?);
        let (made_ms, expires_ms) = (reader.int()?, reader.int()?);
        let fate = match reader.array(3)? {
            0 => Fate::Open,
            1 => Fate::Withdrawn { at_ms: reader.int()? },
            3 => Fate::Used {
                at_ms: reader.int()?,
                device: DeviceKey::from_bytes(reader.array_of()?),
                grant: StatementId::from_bytes(reader.array_of()?),
            },
            _ => return Err(CborError::Unexpected("what became of an invitation")),
        };
        reader.end()?;
        let officer = Officer { name, phone, role, regions };
        Ok(Self { officer, proof_key, made_ms, expires_ms, fate })
    }
}

fn write_regions(to: &mut Writer, regions: &[Region]) {
    to.array(regions.len());
    for region in regions {
        to.text(region.as_str());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Code;

    fn officer() -> Officer {
        Officer {
            name: "Siti Aminah".into(),
            phone: "0812-3456".into(),
            role: Role::Enumerator,
            regions: vec!["18110100050003".parse().unwrap()],
        }
    }

    fn invitation() -> Invitation {
        let proof_key = Code::from_random(&[7; 20]).proof_key();
        Invitation { officer: officer(), proof_key, made_ms: 1_000, expires_ms: 2_000, fate: Fate::Open }
    }

    #[test]
    fn an_invitation_comes_back_from_its_bytes_whatever_became_of_it() {
        let used = Fate::Used {
            device: DeviceKey::from_bytes([1; 32]),
            grant: StatementId::from_bytes([2; 32]),
            at_ms: 1_500,
        };
        for fate in [Fate::Open, used, Fate::Withdrawn { at_ms: 1_200 }] {
            let invitation = Invitation { fate, ..invitation() };
            let bytes = invitation.to_bytes();
            assert_eq!(Invitation::from_bytes(&bytes), Ok(invitation));
            for cut in 0..bytes.len() {
                assert!(Invitation::from_bytes(&bytes[..cut]).is_err());
            }
        }
    }

    #[test]
    fn a_person_is_known_again_by_name_role_regions_and_number_however_spelt() {
        let one = officer();
        let respelt = Officer { name: " siti  AMINAH".into(), phone: "08123456".into(), ..officer() };
        assert_eq!(respelt.person(), one.person());
        let others = [
            Officer { name: "Siti Amina".into(), ..officer() },
            Officer { phone: "0812-3457".into(), ..officer() },
            Officer { role: Role::Supervisor, ..officer() },
            Officer { regions: vec!["18110100050004".parse().unwrap()], ..officer() },
        ];
        assert!(others.iter().all(|other| other.person() != one.person()));
    }

    #[test]
    fn what_was_used_does_not_expire_and_what_is_open_does() {
        let open = invitation();
        assert_eq!((open.state(1_999), open.state(2_000)), (InvitationState::Open, InvitationState::Expired));
        let withdrawn = Invitation { fate: Fate::Withdrawn { at_ms: 1_200 }, ..open };
        assert_eq!(withdrawn.state(9_000), InvitationState::Withdrawn);
    }
}
