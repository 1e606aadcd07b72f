//! The identity numbers that a record claims: what the search for duplicates compares.

use rukun_change::Scalar;

use crate::place::Place;
use crate::questionnaire::Questionnaire;
use crate::reading::Reading;
use crate::variable::{Identity, Kind};

impl Reading {
    /// The NIK and KK numbers that the office reads, with where they stand; none of what is gone.
    /// Personal data: for the office's eyes, never for logs or keys.
    pub fn identities(&self, questionnaire: &Questionnaire) -> Vec<(Identity, String, Place)> {
        if self.gone().is_some() {
            return Vec::new();
        }
        let present = |place: &Place| match &place.member {
            // Ascending; whoever may write decides how many there are.
            Some(member) => {
                self.members().binary_search(member).is_ok() || cfg!(planted = "gone-number-counts")
            }
            None => true,
        };
        let asked = questionnaire.variables().filter_map(|variable| match variable.kind {
            Kind::Digits16(identity) => Some((variable.name.as_str(), identity)),
            _ => None,
        });
        let asked: Vec<(&str, Identity)> = asked.collect();
        let claimed = self.answers().iter().filter(|(place, _)| present(place));
        let number = |(place, answer): (&Place, &crate::answer::Answer)| {
            let (_, identity) = asked.iter().find(|(name, _)| *name == place.field)?;
            match &answer.effective().value {
                Scalar::Text(number) => Some((*identity, number.clone(), place.clone())),
                Scalar::Null | Scalar::Int(_) => None,
            }
        };
        claimed.filter_map(number).collect()
    }
}
