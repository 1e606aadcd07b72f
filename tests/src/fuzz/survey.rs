//! Survey files: any text is refused with what is wrong, or says what a charter is made of.

use std::path::Path;

use rukun::survey::{Office, Survey};

pub(super) fn run(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let own = |name: &str| Ok(name.as_bytes().to_vec());
    match Survey::parse(Path::new("survey.toml"), text, Office::default(), own) {
        Ok(survey) => {
            let (start, end) = &survey.period;
            assert!(!survey.name.trim().is_empty() && !survey.code.trim().is_empty());
            assert!(!start.is_empty() && !end.is_empty());
        }
        Err(error) => assert!(error.to_string().starts_with("survey.toml: "), "{error}"),
    }
}
