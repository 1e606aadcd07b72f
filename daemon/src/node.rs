//! Where the command line's requests are answered: by the daemon that runs in the data folder, or,
//! when none does, by this process, which opens the store itself.

use rukun_replica::Replica;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::client::{Client, ClientError};
use crate::clock;
use crate::disk::{self, DiskError, Folder};
use crate::verbs::{self, Request, VerbError};

/// A node that can be asked.
pub enum Node {
    /// A daemon that runs.
    Daemon(Client),
    /// The store, opened here.
    Here(Box<Replica>),
}

impl Node {
    /// The node of this folder.
    ///
    /// # Errors
    /// If there is none, or it can't be opened or spoken to.
    pub fn open(folder: &Folder) -> Result<Self, VerbError> {
        match Client::find(folder)? {
            Some(client) => Ok(Self::Daemon(client)),
            None => Self::here(folder.open_store()?),
        }
    }

    /// The node of this folder; a new device if there is none yet.
    ///
    /// # Errors
    /// If it can't be made, opened or spoken to.
    pub fn open_or_make(folder: &Folder) -> Result<Self, VerbError> {
        if folder.has_store() { Self::open(folder) } else { Self::here(folder.create_store()?) }
    }

    /// Asks, and reads the answer in its shape.
    ///
    /// # Errors
    /// If the request can't be carried out.
    pub fn ask<T: DeserializeOwned>(&mut self, request: Request) -> Result<T, VerbError> {
        let answer = self.answer(request)?;
        serde_json::from_value(answer).map_err(|error| {
            let remedy = "run the daemon and the command line of one version";
            // What was asked for may be done all the same.
            VerbError::new(format!("the answer has another shape than expected: {error}"), remedy)
                .with_status(500)
        })
    }

    /// Asks; what was written is durable when the answer is there.
    ///
    /// # Errors
    /// If the request can't be carried out.
    pub fn answer(&mut self, request: Request) -> Result<Value, VerbError> {
        match self {
            Self::Daemon(client) => {
                let (verb, body) = request.into_call();
                Ok(client.call(&verb, &body)?)
            }
            Self::Here(replica) => {
                let answer = verbs::answer(replica, clock::now(), request)?;
                commit(replica)?;
                Ok(answer)
            }
        }
    }

    /// Does what only can be done while no daemon has the store.
    ///
    /// # Errors
    /// If a daemon has it, or it can't be done.
    pub fn alone<T>(
        &mut self,
        act: impl FnOnce(&mut Replica) -> Result<T, VerbError>,
    ) -> Result<T, VerbError> {
        match self {
            Self::Daemon(client) => {
                let pid = client.pid();
                let message = format!("a daemon runs here under the present key (pid {pid})");
                Err(VerbError::new(message, format!("stop it first (kill {pid}), then try again"))
                    .with_status(409))
            }
            Self::Here(replica) => {
                let done = act(replica)?;
                commit(replica)?;
                Ok(done)
            }
        }
    }

    /// Does what needs the root key, which never leaves this process.
    ///
    /// # Errors
    /// If a daemon has the store, or it can't be done.
    pub fn with_root<T>(
        &mut self,
        act: impl FnOnce(&mut Replica) -> Result<T, VerbError>,
    ) -> Result<T, VerbError> {
        match self {
            Self::Daemon(client) => {
                let pid = client.pid();
                let message =
                    format!("the root key is never given to a daemon, and one runs here (pid {pid})");
                Err(VerbError::new(message, format!("stop it first (kill {pid}), then try again"))
                    .with_status(409))
            }
            Self::Here(replica) => {
                let done = act(replica)?;
                commit(replica)?;
                Ok(done)
            }
        }
    }

    fn here(store: rukun_replica::Store) -> Result<Self, VerbError> {
        Ok(Self::Here(Box::new(Replica::open(store, *disk::random()?)?)))
    }
}

/// Nobody is linked, so what the replica would send goes nowhere.
fn commit(replica: &mut Replica) -> Result<(), VerbError> {
    replica.commit()?;
    while replica.poll().is_some() {}
    Ok(())
}

impl From<DiskError> for VerbError {
    fn from(error: DiskError) -> Self {
        let remedy = error.remedy().unwrap_or_default();
        Self::new(error, remedy).with_status(500)
    }
}

impl From<ClientError> for VerbError {
    fn from(error: ClientError) -> Self {
        let status = if let ClientError::Refused { status, .. } = error { status } else { 500 };
        let remedy = error.remedy().unwrap_or_default();
        Self::new(error, remedy).with_status(status)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use rukun_authority::{Keypair, Role};
    use rukun_change::SurveyId;
    use serde_json::json;

    use super::*;
    use crate::survey::{BUILT_IN, Survey};
    use crate::verbs::{
        BlameShape, Edit, GrantedShape, IdShape, LogShape, PeersShape, RecordShape, RecordsShape,
        WrittenShape,
    };

    /// A founded district in a folder of its own.
    pub(crate) fn district() -> (tempfile::TempDir, Node) {
        let parent = tempfile::tempdir().unwrap();
        let mut node = Node::open_or_make(&Folder::at(parent.path().join("data"))).unwrap();
        let survey = Survey {
            name: "Test".into(),
            code: "test".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: BUILT_IN.1.to_vec(),
            office: "BPS Kabupaten Mesuji".into(),
            region: "1811".parse().unwrap(),
        };
        node.with_root(|replica| verbs::found(replica, &Keypair::from_seed(&[1; 32]), &survey)).unwrap();
        (parent, node)
    }

    fn add(node: &mut Node, set: &[&str]) -> WrittenShape {
        let set = set.iter().map(ToString::to_string).collect();
        let region = "1811010005000300".into();
        node.ask(Request::RecordAdd { region, ink: None, patch: None, set }).unwrap()
    }

    fn set(node: &mut Node, record: &str, set: &[&str]) -> Result<WrittenShape, VerbError> {
        let set = set.iter().map(ToString::to_string).collect();
        node.ask(Request::RecordSet(Edit { record: record.into(), ink: None, patch: None, set }))
    }

    #[test]
    fn what_is_typed_is_shown_logged_and_blamed_under_its_author() {
        let (_parent, mut node) = district();
        let made = add(&mut node, &["r108=Siti Aminah", "+1/r401=1", "+1/r402=Siti Aminah"]);
        let changed = set(&mut node, "18110100", &["r304=3", "1/r402=Siti A."]).unwrap();
        assert_eq!(changed.record, made.record);
        let shown: RecordShape = node.ask(Request::RecordShow { record: made.record.clone() }).unwrap();
        assert_eq!((shown.name.as_str(), &shown.answers["r304"]), ("Siti Aminah", &json!(3)));
        assert_eq!(shown.members[0].name, "Siti A.");
        let log: LogShape = node.ask(Request::Log { record: made.record.clone() }).unwrap();
        let ids: Vec<&String> = log.changes.iter().map(|change| &change.change).collect();
        assert_eq!(ids, [&made.change.unwrap(), changed.change.as_ref().unwrap()]);
        assert!(log.changes.iter().all(|change| change.standing == "good" && change.ink == "black"));
        let blame: BlameShape = node.ask(Request::Blame { record: made.record }).unwrap();
        let wall = blame.fields.iter().find(|line| line.field == "r304").unwrap();
        assert_eq!(wall.label.as_deref(), Some("Jenis dinding terluas"));
        assert_eq!(Some(&wall.answer.change), changed.change.as_ref());
        let who = &wall.answer.who;
        assert_eq!((who.author.as_str(), who.role.as_deref()), ("BPS Kabupaten Mesuji", Some("district")));
    }

    #[test]
    fn a_grant_that_takes_the_place_of_one_before_says_what_it_took_away() {
        let (_parent, mut node) = district();
        let mut grant = |places: &[&str]| -> GrantedShape {
            let regions = places.iter().map(|place| place.parse().unwrap()).collect();
            let (device, role) = (Keypair::from_seed(&[2; 32]).key(), Role::Enumerator);
            node.ask(Request::Grant { device, role, regions, name: "Siti".into() }).unwrap()
        };
        let (one, other) = ("18110100050003", "18110100050004");
        assert_eq!(grant(&[one]).taken, [""; 0]);
        assert_eq!(grant(&[one, other]).taken, [""; 0]);
        assert_eq!(grant(&[other]).taken, [one]);
        assert_eq!(grant(&["1811010005"]).taken, [""; 0]);
    }

    #[test]
    fn a_superiors_key_is_not_rotated_and_says_what_to_do_instead() {
        let (_parent, mut node) = district();
        let rotated = node.alone(|replica| verbs::rotate(replica, clock::now(), &[9; 32]));
        let error = rotated.unwrap_err();
        assert!(error.message.contains("district's key") && error.remedy.contains("rukun revoke"), "{error}");
    }

    #[test]
    fn a_device_that_nobody_granted_and_work_that_is_no_ones_to_settle_are_named_with_the_remedy() {
        let (_parent, mut node) = district();
        let revoke = Request::Revoke { device: "Siti".into(), reason: "lost".into() };
        let error = node.answer(revoke).unwrap_err();
        assert_eq!((error.status, error.remedy.contains("rukun id")), (404, true), "{error}");
        let settle = |change: &str| Request::Settle {
            changes: vec![change.into()],
            device: None,
            region: None,
            upheld: true,
        };
        assert_eq!(node.answer(settle("abcd")).unwrap_err().status, 404);
        let made = add(&mut node, &["r108=Siti"]).change.unwrap();
        let error = node.answer(settle(&made[..8])).unwrap_err();
        assert_eq!(error.status, 403, "the office stands above nobody but those it granted: {error}");
    }

    #[test]
    fn an_answer_of_another_shape_is_no_refusal() {
        let (_parent, mut node) = district();
        let error = node.ask::<RecordsShape>(Request::Id).unwrap_err();
        assert_eq!(error.status, 500, "{error}");
    }

    #[test]
    fn what_is_there_already_makes_no_change() {
        let (_parent, mut node) = district();
        let made = add(&mut node, &["r108=Siti"]);
        assert_eq!(set(&mut node, &made.record, &["r108=Siti"]).unwrap().change, None);
    }

    #[test]
    fn one_refused_edit_of_many_stops_none_of_the_others() {
        let (_parent, mut node) = district();
        let record = add(&mut node, &["r108=Siti"]).record;
        let edit = |patch| Edit { record: record.clone(), ink: None, patch: Some(patch), set: Vec::new() };
        let edits = vec![edit(json!({"r304": 9})), edit(json!({"r304": 3}))];
        let answer = node.answer(Request::RecordSetMany { edits }).unwrap();
        assert!(answer["edits"][0]["error"].as_str().unwrap().contains("9 is outside 1..7"), "{answer}");
        assert!(answer["edits"][1]["change"].is_string(), "{answer}");
    }

    #[test]
    fn errors_say_what_to_do_next() {
        let (_parent, mut node) = district();
        let record = add(&mut node, &["r108=Siti"]).record;
        let error = node.answer(Request::Log { record: "9999".into() }).unwrap_err();
        assert_eq!((error.status, error.remedy.contains("rukun record list")), (404, true), "{error}");
        let field = "r108".to_string();
        let resolve = Request::Resolve { record, field, pick: None, value: Some("Siti".into()), ink: None };
        let error = node.answer(resolve).unwrap_err();
        assert_eq!((error.status, error.remedy.contains("rukun conflicts show")), (404, true), "{error}");
        let error = node.answer(Request::PeerAdd { address: "kantor".into() }).unwrap_err();
        assert!(error.remedy.contains("7811"), "{error}");
        let (region, set) = ("1805010005000300".into(), vec!["r108=Siti".into()]);
        let elsewhere = Request::RecordAdd { region, ink: None, patch: None, set };
        assert_eq!(node.answer(elsewhere).unwrap_err().status, 403);
    }

    #[test]
    fn a_join_that_is_refused_for_an_address_has_written_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let mut node = Node::open_or_make(&Folder::at(parent.path().join("data"))).unwrap();
        let survey = SurveyId::from_bytes([7; 32]);
        let peers = vec!["kantor.example.id:7811".into(), "kantor".into()];
        let error = node.answer(Request::Join { survey, peers }).unwrap_err();
        assert!(error.message.contains("no HOST:PORT"), "{error}");
        let id: IdShape = node.ask(Request::Id).unwrap();
        let peers: PeersShape = node.ask(Request::PeerList).unwrap();
        assert_eq!((id.survey, peers.peers.len()), (None, 0));
    }

    #[test]
    fn a_list_goes_on_where_the_last_one_ended() {
        let (_parent, mut node) = district();
        (0..5).for_each(|at| drop(add(&mut node, &[&format!("r108=Siti {at}")])));
        let (mut seen, mut after) = (Vec::new(), None);
        loop {
            let request = Request::RecordList { region: Some("1811".into()), after, limit: Some(2) };
            let page: RecordsShape = node.ask(request).unwrap();
            seen.extend(page.records.into_iter().map(|line| line.record));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert!(seen.len() == 5 && seen.is_sorted(), "{seen:?}");
    }

    #[test]
    fn a_folder_without_a_store_is_named_with_the_remedy() {
        let parent = tempfile::tempdir().unwrap();
        let error = Node::open(&Folder::at(parent.path().join("none"))).err().unwrap();
        assert!(error.remedy.contains("rukun init"), "{error}");
    }
}
