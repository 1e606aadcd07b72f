//! A survey as the office writes it down: a TOML file, and the questionnaire that it names, become
//! what a charter is made of. Whatever can be wrong with either is found here, before anything is made.
//!
//! ```toml
//! name = "Regsosek 2022 Kabupaten Mesuji"
//! code = "regsosek22-1811"
//! questionnaire = "regsosek-k"     # built in; or the path of a CSV file, from this file's folder
//!
//! [period]
//! start = 2022-10-15
//! end = 2022-11-14
//!
//! [office]
//! name = "BPS Kabupaten Mesuji"
//! region = "1811"
//! ```

use std::path::{Path, PathBuf};

use rukun_change::Region;
use rukun_document::Questionnaire;
use serde::Deserialize;
use time::Date;
use time::format_description::well_known::Iso8601;

/// The questionnaire that comes with the program, by its name and its text.
pub const BUILT_IN: (&str, &[u8]) = ("regsosek-k", include_bytes!("../data/regsosek-k.csv"));

/// A survey to be founded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    /// Its name.
    pub name: String,
    /// Its short code.
    pub code: String,
    /// First and last day, `YYYY-MM-DD`.
    pub period: (String, String),
    /// The questionnaire's bytes.
    pub questionnaire: Vec<u8>,
    /// The name of the office.
    pub office: String,
    /// The region of the office.
    pub region: Region,
}

/// What the command line may say instead of the file.
#[derive(Clone, Debug, Default)]
pub struct Office {
    /// The name of the office.
    pub name: Option<String>,
    /// The region of the office.
    pub region: Option<Region>,
}

impl Survey {
    /// Reads a survey's file and its questionnaire. What the command line says of the office counts.
    ///
    /// # Errors
    /// If a file can't be read, or says less or something else than it should.
    pub fn read(path: &Path, office: Office) -> Result<Self, SurveyError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| SurveyError::Read { path: path.into(), source })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(path, &text, office, |name| {
            let path = folder.join(name);
            let bytes = match std::fs::read(&path) {
                Ok(bytes) => bytes,
                Err(source) => return Err(SurveyError::Read { path, source }),
            };
            match Questionnaire::parse(&bytes) {
                Ok(_) => Ok(bytes),
                Err(error) => Err(SurveyError::Questionnaire { path, message: error.to_string() }),
            }
        })
    }

    /// Reads a survey's text. Faults name `path`; a questionnaire of one's own is what `questionnaire`
    /// gives for its name.
    ///
    /// # Errors
    /// If the text says less or something else than it should, or there is no such questionnaire.
    pub fn parse(
        path: &Path,
        text: &str,
        office: Office,
        questionnaire: impl Fn(&str) -> Result<Vec<u8>, SurveyError>,
    ) -> Result<Self, SurveyError> {
        let file: File = toml::from_str(text)
            .map_err(|error| SurveyError::Toml { path: path.into(), message: error.to_string() })?;
        let wrong =
            |key: &'static str, message: String| SurveyError::Value { path: path.into(), key, message };
        for (key, text) in [("name", &file.name), ("code", &file.code)] {
            if text.trim().is_empty() {
                return Err(wrong(key, "it is empty".into()));
            }
        }
        let start = day(&file.period.start).map_err(|message| wrong("period.start", message))?;
        let end = day(&file.period.end).map_err(|message| wrong("period.end", message))?;
        if end < start {
            return Err(wrong("period.end", format!("{end} is before the start, {start}")));
        }
        let written = file.office.unwrap_or_default();
        let name = office
            .name
            .or(written.name)
            .ok_or_else(|| wrong("office.name", "it is missing; give it there or with --name".into()))?;
        let region = match (office.region, written.region) {
            (Some(region), _) => region,
            (None, Some(text)) => text
                .parse()
                .map_err(|error: rukun_change::RegionError| wrong("office.region", error.to_string()))?,
            (None, None) => {
                return Err(wrong("office.region", "it is missing; give it there or with --region".into()));
            }
        };
        let questionnaire = match file.questionnaire.as_str() {
            name if name == BUILT_IN.0 => BUILT_IN.1.to_vec(),
            name => questionnaire(name)?,
        };
        let period = (start.to_string(), end.to_string());
        Ok(Self { name: file.name, code: file.code, period, questionnaire, office: name, region })
    }
}

/// A day, as a TOML date or in quotes.
fn day(value: &toml::Value) -> Result<Date, String> {
    let text = match value {
        toml::Value::Datetime(day) => day.to_string(),
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Date::parse(&text, &Iso8601::DATE).map_err(|_| format!("{text} is no day; write it like 2022-10-15"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    code: String,
    #[serde(default = "built_in")]
    questionnaire: String,
    period: Period,
    office: Option<WrittenOffice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Period {
    start: toml::Value,
    end: toml::Value,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenOffice {
    name: Option<String>,
    region: Option<String>,
}

fn built_in() -> String {
    BUILT_IN.0.into()
}

/// Why a file describes no survey: the fault of whoever wrote it.
#[derive(Debug, thiserror::Error)]
pub enum SurveyError {
    /// A file that can't be read.
    #[error("{path} can't be read: {source}", path = path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// Not TOML, or a key that is missing or unknown.
    #[error("{path}: {message}", path = path.display())]
    Toml {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// A questionnaire that is none.
    #[error("{path} is no questionnaire: {message}", path = path.display())]
    Questionnaire {
        /// Which file.
        path: PathBuf,
        /// What is wrong, with line and column.
        message: String,
    },
    /// A value that can't be.
    #[error("{path}: {key}: {message}", path = path.display())]
    Value {
        /// Which file.
        path: PathBuf,
        /// Which key.
        key: &'static str,
        /// What is wrong with it.
        message: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
name = "Regsosek 2022 Kabupaten Mesuji"
code = "regsosek22-1811"
[period]
start = 2022-10-15
end = "2022-11-14"
[office]
name = "BPS Kabupaten Mesuji"
region = "1811"
"#;

    fn parse(text: &str, office: Office) -> Result<Survey, SurveyError> {
        Survey::parse(Path::new("survey.toml"), text, office, |name| Ok(name.as_bytes().to_vec()))
    }

    #[test]
    fn a_survey_is_read_with_days_bare_or_in_quotes() {
        let survey = parse(GOOD, Office::default()).unwrap();
        assert_eq!(survey.period, ("2022-10-15".into(), "2022-11-14".into()));
        assert_eq!((survey.office.as_str(), survey.region.as_str()), ("BPS Kabupaten Mesuji", "1811"));
        assert_eq!(survey.questionnaire, BUILT_IN.1);
    }

    #[test]
    fn the_command_line_counts_more_than_the_file_about_the_office() {
        let office = Office { name: Some("BPS Tulang Bawang".into()), region: Some("1805".parse().unwrap()) };
        let survey = parse(GOOD, office).unwrap();
        assert_eq!((survey.office.as_str(), survey.region.as_str()), ("BPS Tulang Bawang", "1805"));
    }

    #[test]
    fn a_questionnaire_of_ones_own_is_read_from_its_file() {
        let survey = parse(&format!("questionnaire = \"own.csv\"\n{GOOD}"), Office::default()).unwrap();
        assert_eq!(survey.questionnaire, b"own.csv");
    }

    #[test]
    fn a_file_that_is_no_questionnaire_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let own = String::from_utf8(BUILT_IN.1.to_vec()).unwrap().replace(',', ";");
        std::fs::write(folder.path().join("own.csv"), format!("\u{feff}{own}")).unwrap();
        let path = folder.path().join("survey.toml");
        std::fs::write(&path, format!("questionnaire = \"own.csv\"\n{GOOD}")).unwrap();
        let error = Survey::read(&path, Office::default()).unwrap_err();
        assert!(matches!(error, SurveyError::Questionnaire { .. }), "{error}");
        assert!(error.to_string().contains("own.csv is no questionnaire: line 1"), "{error}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        let message = |text: &str| parse(text, Office::default()).unwrap_err().to_string();
        let unknown = message(&GOOD.replace("code =", "kode = 1\ncode ="));
        assert!(unknown.contains("kode") && unknown.contains("line 3"), "{unknown}");
        assert!(message(&GOOD.replace("2022-10-15", "\"soon\"")).contains("period.start: soon is no day"));
        assert!(
            message(&GOOD.replace("2022-10-15", "2023-10-15")).contains("period.end: 2022-11-14 is before")
        );
        assert!(message(&GOOD.replace("\"1811\"", "\"181\"")).contains("office.region"));
        assert!(message(&GOOD.replace("region = \"1811\"", "")).contains("--region"));
        assert!(message("name = 1").contains("line 1"));
    }
}
