//! People: they found the survey, register its first families, and grant each other regions, each on the device
//! at hand and as far as the keyboard lets them.

use rukun_authority::{Charter, Keypair, Role};
use rukun_change::{ChangeId, DeviceKey, Digest, RecordId, Region, SubSls};
use rukun_document::Place;
use rukun_replica::{ActionError, NewGrant};
use serde_json::json;

use super::meant::{Meant, int, text};
use super::outcome::is_granted;
use super::sim::{Checked, World};
use super::{Chance, ENUMERATORS, OFFICE};

/// A questionnaire short enough to be asked a million times.
pub(super) const QUESTIONNAIRE: &[u8] = b"variable,block,level,label_id,label_en,kind,min,max,required_when
r108,I,family,Nama kepala keluarga,Name of family head,text,,,always
r112,I,family,Jumlah anggota keluarga,Number of family members,integer,1,,always
r114,I,family,Nomor kartu keluarga,Family card number,digits16,,,optional
r302,III,family,Luas lantai (m2),Floor area (m2),integer,1,997,always
r304,III,family,Jenis dinding terluas,Wall material,integer,1,7,always
r305,III,family,Jenis atap terluas,Roof material,integer,1,8,optional
r402,IV,member,Nama,Name,text,,,always
r403,IV,member,NIK,National identity number,digits16,,,optional
r407,IV,member,Umur,Age,integer,0,98,always
k_members,IV,family,Jumlah anggota tidak sama,Members differ from r112,rule,,,count of members = r112
";
pub(super) const HOMES: [&str; 5] =
    ["1811010005000300", "1811010005000301", "1811010005000400", "1811040003000100", "1811040003000200"];
const FIRST_FAMILIES: usize = 56;
/// More writes than frames may be in flight.
const BURST: usize = 10;

impl World {
    /// Enumerators have registered some families before anything goes wrong.
    pub(super) fn write_the_first(&mut self) -> Checked {
        for at in 0..FIRST_FAMILIES {
            let node = ENUMERATORS[at % ENUMERATORS.len()];
            let homes: Vec<SubSls> =
                HOMES.iter().map(|home| home.parse().expect("a sub-SLS of this world")).collect();
            let now = self.nodes[node].clock(self.now_ms);
            let Some(replica) = self.nodes[node].replica.as_mut() else { continue };
            let key = replica.device();
            let Some(trust) = replica.trust() else { continue };
            let own: Vec<SubSls> = homes.into_iter().filter(|home| trust.may_read(&key, home)).collect();
            let Some(at) = self.chance.place(own.len()) else { continue };
            let area = self.chance.between(1, 90);
            let writes = [("r108", text("Keluarga")), ("r302", int(area))];
            let writes = writes.map(|(field, value)| (Place::family(field), value)).into();
            let meant = Meant { home: Some(own[at]), writes, ..Meant::default() };
            match replica.add_record(now, own[at], None, &json!({"r108": "Keluarga", "r302": area})) {
                Ok((record, _)) => self.is_as_meant(node, now, &record, &meant)?,
                Err(error) => return Err(format!("{node} can't register a family: {error}")),
            }
        }
        ENUMERATORS.iter().try_for_each(|node| self.commit(*node))
    }

    /// What a node has written in a record becomes known to the world.
    pub(super) fn made(&mut self, node: usize, record: &RecordId) -> Result<Vec<ChangeId>, String> {
        let Some(replica) = self.nodes[node].replica.as_ref() else { return Ok(Vec::new()) };
        let changes = replica.changes_of(record).map_err(|error| error.to_string())?;
        let mut made = Vec::new();
        for change in changes {
            if !self.truth.facts.contains_key(&change.id()) {
                self.truth.made(change.id(), change.signed(), true)?;
                self.tally.written += 1;
                made.push(change.id());
            }
        }
        Ok(made)
    }

    /// One node grants a device a role, as itself or under the root key.
    pub(super) fn grant(
        &mut self,
        granter: usize,
        as_root: bool,
        subject: DeviceKey,
        role: Role,
        regions: &[&str],
    ) -> Checked {
        let regions: Vec<Region> =
            regions.iter().map(|code| code.parse().expect("a region of this world")).collect();
        let new = NewGrant { subject, role, regions, name: format!("{role} {}", subject.short()) };
        if as_root && granter == OFFICE {
            self.seat_roots()?;
        }
        let root = as_root.then(|| self.root_at(granter));
        let Some(replica) = self.nodes[granter].replica.as_mut() else { return Ok(()) };
        let issuer = root.as_ref().map_or(replica.device(), Keypair::key);
        let granted = replica.grant(root.as_ref(), new.clone());
        self.trace.note((granter, granted.is_ok()), || format!("{granter} grants {role}: {granted:?}"));
        match granted {
            Ok(view) => {
                is_granted(replica.trust(), &view, &new, issuer)?;
                let statements = replica.statements_held().map_err(|error| error.to_string())?;
                self.truth.said(statements);
            }
            Err(ActionError::Replica(error)) => return self.disk_failed(granter, &error.to_string()),
            Err(_) => {}
        }
        self.commit(granter)
    }

    /// An officer gets other regions than before, by its superior, or one who lies another role.
    pub(super) fn regrant(&mut self, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        if chance.one_in(3) {
            return self.promote_a_liar(&mut chance);
        }
        let node = if chance.one_in(4) { 2 + chance.below(4) } else { *chance.pick(&ENUMERATORS) };
        self.grant_otherwise(node, &mut chance)
    }

    fn grant_otherwise(&mut self, node: usize, chance: &mut Chance) -> Checked {
        let granter = if node < 4 { OFFICE } else { self.nodes[node].upstream };
        self.come_up(granter)?;
        let (usual, others): (&[&str], &[&str]) = match node {
            2 => (&["1811010"], &["1811010", "1811040"]),
            3 => (&["1811040"], &["1811010", "1811040"]),
            4 => (&["1811010005"], &["18110100050003", "18110100050004"]),
            5 => (&["1811040003"], &["18110400030001"]),
            6..=8 => (&["1811010005"], &["18110100050003", "18110100050004", "1811010005000300"]),
            _ => (&["1811040003"], &["18110400030001", "18110400030002", "1811040003000200"]),
        };
        let other = [*chance.pick(others)];
        let regions =
            if node < 6 && !chance.one_in(3) || node >= 6 && chance.one_in(4) { usual } else { &other };
        let (key, role) = (self.nodes[node].key, self.nodes[node].role);
        self.grant(granter, false, key, role, regions)
    }

    /// An officer's superior, whose store is put back in between, gives two places under one serial, and the
    /// officer hears of both.
    pub(super) fn grant_twice(&mut self, node: usize, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        let granter = self.nodes[node].upstream;
        self.come_up(granter)?;
        if node == granter || self.nodes[granter].replica.is_none() {
            return Ok(());
        }
        let copy = self.nodes[granter].copy(&self.truth.held[granter]);
        self.hear_of_another_place(node, granter, &mut chance)?;
        self.put_back(granter, copy, true)?;
        self.come_up(granter)?;
        self.hear_of_another_place(node, granter, &mut chance)
    }

    fn hear_of_another_place(&mut self, node: usize, granter: usize, chance: &mut Chance) -> Checked {
        self.grant_otherwise(node, chance)?;
        self.link(node, granter)?;
        self.run_until(self.now_ms + 8 * self.delay_ms)?;
        self.write(node, chance.u64())
    }

    /// An officer writes out of reach, is granted other regions meanwhile, and then delivers.
    pub(super) fn move_on(&mut self, node: usize, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        self.write(node, luck)?;
        self.grant_otherwise(node, &mut chance)?;
        let upstream = self.nodes[node].upstream;
        self.link(node, upstream)
    }

    /// Somebody writes faster than the network carries.
    pub(super) fn burst(&mut self, node: usize, luck: u64) -> Checked {
        let mut chance = Chance::new(luck);
        (0..BURST).try_for_each(|_| self.write(node, chance.u64()))
    }

    /// The office founds the survey.
    pub(super) fn found(&mut self) -> Checked {
        let charter = Charter {
            name: "Regsosek".into(),
            code: "REGSOSEK22".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: Digest::of(QUESTIONNAIRE),
            dictionary: None,
        };
        let regions = vec!["1811".parse().expect("a region of this world")];
        let grant = NewGrant {
            subject: self.nodes[OFFICE].key,
            role: Role::District,
            regions,
            name: "Kantor".into(),
        };
        let replica = self.nodes[OFFICE].replica.as_mut().expect("the office runs");
        let survey =
            replica.found(&self.root, charter, QUESTIONNAIRE, grant).map_err(|error| error.to_string())?;
        let statements = replica.statements_held().map_err(|error| error.to_string())?;
        self.truth = super::truth::Truth::new(survey, self.root.key());
        self.truth.said(statements);
        self.commit(OFFICE)
    }
}

/// Ids of changes, for messages to people.
pub(super) fn list(ids: &[ChangeId]) -> String {
    let shown: Vec<String> = ids.iter().take(5).map(|id| format!("{id:.12}")).collect();
    format!("{} changes ({})", ids.len(), shown.join(", "))
}
