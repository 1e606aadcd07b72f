//! Founding a survey: its root key is made here, left in the data folder, and goes nowhere else.

use rukun_authority::Keypair;

use super::output::Output;
use crate::args::Init;
use crate::disk::{self, Folder};
use crate::node::Node;
use crate::render;
use crate::survey::{Office, Survey, SurveyError};
use crate::verbs::{self, VerbError};

pub(super) fn init(init: &Init, folder: &Folder, output: Output) -> Result<(), VerbError> {
    let office = Office { name: init.name.clone(), region: init.region };
    let survey = Survey::read(&init.survey, office).map_err(|error| {
        let remedy = match &error {
            SurveyError::Questionnaire { .. } => {
                "mend that; from a spreadsheet, save it as CSV with commas, UTF-8"
            }
            _ => "rukun init --help shows a whole file",
        };
        VerbError::new(error, remedy)
    })?;
    let mut node = Node::open_or_make(folder)?;
    let founded = node.with_root(|replica| {
        if let Some(survey) = replica.survey() {
            let remedy = "another survey needs another data folder: --dir DIR";
            return Err(VerbError::new(format!("this device takes part in survey {survey} already"), remedy));
        }
        // A root key without a survey was left by a founding that was cut off.
        let root = if folder.root_path().exists() {
            folder.root()?
        } else {
            let root = Keypair::from_seed(&*disk::random()?);
            folder.write_root(&root)?;
            root
        };
        verbs::found(replica, &root, &survey)
    })?;
    let root = folder.root_path();
    output.show(&founded, |founded, paint| render::founded(founded, &root, paint))?;
    Ok(())
}
