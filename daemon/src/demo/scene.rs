//! The nodes of the story and what was done at them: founding, granting, editing, and waiting until
//! those who should hold the same do.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rukun_authority::{Keypair, Role};
use rukun_change::{DeviceKey, SubSls};
use serde_json::Value;

use super::cast::{COORDINATOR, DISTRICT, ENUMERATORS, SUPERVISOR, Stage};
use super::interrupt;
use super::officer::Officer;
use super::script::Script;
use super::{Narrator, WAIT_MAX};
use crate::people::Family;
use crate::survey::{BUILT_IN, Survey};
use crate::verbs::{
    self, Edit, FingerprintsShape, FoundedShape, GrantedShape, PeersShape, Request, StatusShape, VerbError,
    WrittenShape,
};

const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Five nodes, and everything that was done at them.
pub(super) struct Scene {
    pub(super) officers: Vec<Officer>,
    pub(super) stage: Stage,
    pub(super) home: PathBuf,
    pub(super) script: Script,
    /// The record of each family, by its KK number.
    pub(super) records: BTreeMap<String, String>,
    /// The record that was erased, in the story that has one.
    pub(super) erased: Option<String>,
}

impl Scene {
    /// Founds the survey and starts one daemon after the other, each with a grant from the tier above.
    pub(super) fn open(home: &Path, mut stage: Stage, narrator: &Narrator) -> Result<Self, VerbError> {
        narrator.step("Five devices, one survey");
        let parts = std::mem::take(&mut stage.parts);
        let officers: Result<Vec<Officer>, VerbError> =
            parts.into_iter().map(|part| Officer::new(part, home)).collect();
        let (script, records) = (Script::default(), BTreeMap::new());
        let mut scene = Self { officers: officers?, stage, home: home.into(), script, records, erased: None };
        let founded = scene.found()?;
        narrator.line(&format!("survey {} founded by {}", founded.name, scene.officer(DISTRICT).part.name));
        scene.officer(DISTRICT).start()?;
        // Each joins by way of the tier above, which has granted it its role.
        let above = [(COORDINATOR, DISTRICT), (SUPERVISOR, COORDINATOR)];
        let above = above.into_iter().chain(ENUMERATORS.map(|enumerator| (enumerator, SUPERVISOR)));
        for (below, above) in above {
            scene.enlist(below, above, &founded)?;
            let part = &scene.officer(below).part;
            let regions: Vec<String> = part.regions.iter().map(ToString::to_string).collect();
            let line =
                format!("{} is {} ({}) of {}", part.name, part.role, part.role.title(), regions.join(", "));
            narrator.line(&line);
        }
        Ok(scene)
    }

    fn found(&mut self) -> Result<FoundedShape, VerbError> {
        let office = self.officer(DISTRICT);
        let region = *office.part.regions.first().expect("the office has a region");
        let survey = Survey {
            name: "Regsosek 2022 Kabupaten Mesuji (demonstration)".into(),
            code: "regsosek22-1811-demo".into(),
            period: ("2022-10-15".into(), "2022-11-14".into()),
            questionnaire: BUILT_IN.1.to_vec(),
            office: office.part.name.into(),
            region,
        };
        let root = Keypair::from_seed(&*crate::disk::random()?);
        office.folder().write_root(&root)?;
        office.by_hand(|node| node.with_root(|replica| verbs::found(replica, &root, &survey)))
    }

    fn enlist(&mut self, below: usize, above: usize, founded: &FoundedShape) -> Result<(), VerbError> {
        let part = &self.officer(below).part;
        let (role, regions, name) = (part.role, part.regions.clone(), part.name.into());
        let device: DeviceKey = self.officer(below).device.parse().expect("a device's own id is one");
        let _: GrantedShape = self.officer(above).ask(Request::Grant { device, role, regions, name })?;
        let (survey, peers) =
            (founded.survey.parse().expect("a survey's own id is one"), vec![self.officer(above).address()?]);
        let officer = self.officer(below);
        officer.by_hand(|node| node.answer(Request::Join { survey, peers }))?;
        officer.start()?;
        self.wait_until("the grant to arrive", |scene| {
            let status: StatusShape = scene.officer(below).ask(Request::Status)?;
            let ready = status.survey.is_some_and(|survey| survey.questionnaire);
            Ok(ready && status.grants.iter().any(|grant| !grant.in_force.is_empty()))
        })
    }

    pub(super) fn officer(&mut self, at: usize) -> &mut Officer {
        self.officers.get_mut(at).expect("the cast has five parts")
    }

    /// An enumerator dials its supervisor no more, and nobody else dials an enumerator.
    pub(super) fn cut_off(&mut self, at: usize) -> Result<(), VerbError> {
        let address = self.officer(SUPERVISOR).address()?;
        let officer = self.officer(at);
        officer.stop()?;
        officer.by_hand(|node| node.answer(Request::PeerRemove { address }))?;
        officer.start()
    }

    /// It dials its supervisor again.
    pub(super) fn reconnect(&mut self, at: usize) -> Result<(), VerbError> {
        let address = self.officer(SUPERVISOR).address()?;
        self.officer(at).ask(Request::PeerAdd { address }).map(|_: PeersShape| ())
    }

    /// The record of a family.
    pub(super) fn record(&self, family: &Family) -> String {
        self.records.get(&family.kk).cloned().unwrap_or_default()
    }

    /// Makes an edit at a node and writes it into the script once it is acknowledged.
    pub(super) fn edit(&mut self, at: usize, record: &str, patch: &Value) -> Result<(), VerbError> {
        let edit = Edit { record: record.into(), ink: None, patch: Some(patch.clone()), set: Vec::new() };
        self.write(at, Request::RecordSet(edit), patch)
    }

    /// Carries out what writes one change, and writes it into the script.
    pub(super) fn write(&mut self, at: usize, request: Request, patch: &Value) -> Result<(), VerbError> {
        let officer = self.officer(at);
        let (written, by): (WrittenShape, _) = (officer.ask(request)?, officer.part.name);
        let change =
            written.change.ok_or_else(|| VerbError::new(format!("{by}: the edit changed nothing"), ""))?;
        self.script.add(by, &written.record, &change, patch);
        Ok(())
    }

    /// Leaves the script beside the folders, for whoever looks further.
    pub(super) fn write_script(&self) -> Result<(), VerbError> {
        let path = self.home.join("script.json");
        let text = serde_json::to_vec_pretty(&self.script).expect("a script is plain JSON");
        std::fs::write(&path, text)
            .map_err(|error| VerbError::new(format!("{}: {error}", path.display()), ""))
    }

    /// Waits until all nodes hold the same of what more than one of them holds.
    pub(super) fn settle(&mut self) -> Result<bool, VerbError> {
        let started = Instant::now();
        loop {
            let alike = self.is_alike()?;
            if alike || started.elapsed() > WAIT_MAX {
                return Ok(alike);
            }
            sleep(LOOK_EVERY);
        }
    }

    /// Whether the fingerprints of each node that is not lost are the district's of all sub-SLS in its
    /// grant, and it holds no others.
    pub(super) fn is_alike(&mut self) -> Result<bool, VerbError> {
        let whole = self.fingerprints(DISTRICT)?;
        for at in self.those_not_lost() {
            let held = self.fingerprints(at)?;
            let regions = self.officer(at).part.regions.clone();
            let covered = |home: &str| {
                home.parse::<SubSls>()
                    .is_ok_and(|home| regions.iter().any(|region| region.covers_sub_sls(&home)))
            };
            let expected: BTreeMap<&String, &String> =
                whole.iter().filter(|(home, _)| covered(home)).collect();
            if held.iter().collect::<BTreeMap<_, _>>() != expected {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Everyone but whoever may read nothing any more.
    pub(super) fn those_not_lost(&self) -> Vec<usize> {
        let officers = self.officers.iter().enumerate();
        officers.filter(|(_, officer)| !officer.part.regions.is_empty()).map(|(at, _)| at).collect()
    }

    pub(super) fn fingerprints(&mut self, at: usize) -> Result<BTreeMap<String, String>, VerbError> {
        let shape: FingerprintsShape = self.officer(at).ask(Request::Fingerprints { region: None })?;
        Ok(shape.fingerprints)
    }

    pub(super) fn wait_until(
        &mut self,
        what: &str,
        mut done: impl FnMut(&mut Self) -> Result<bool, VerbError>,
    ) -> Result<(), VerbError> {
        let started = Instant::now();
        while !done(self)? {
            if started.elapsed() > WAIT_MAX {
                return Err(VerbError::new(format!("waited {} s for {what}", WAIT_MAX.as_secs()), ""));
            }
            sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whose role is this, for tables.
    pub(super) fn roles(&self) -> Vec<Role> {
        self.officers.iter().map(|officer| officer.part.role).collect()
    }

    /// An error with what the daemons said last, for whoever has to find the reason.
    pub(super) fn explain(&self, error: VerbError) -> VerbError {
        // Ctrl-C reaches the daemons too, and whatever they say of it is no news.
        if interrupt::has_come() {
            return VerbError::new("interrupted", "");
        }
        let words: Vec<String> = self
            .officers
            .iter()
            .map(|officer| format!("{}: {}", officer.part.name, officer.last_words()))
            .collect();
        VerbError { remedy: format!("{}\n{}", error.remedy, words.join("\n")), ..error }
    }
}
