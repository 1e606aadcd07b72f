//! The specification as a program: what a node that holds these changes and these grants must
//! admit, what stands, what is read and what is in conflict. Sets and closures, written to be
//! obvious, and independent: nothing here uses the crates that do the same for a living (a test
//! holds it to that). Signatures are not checked. What depends on the questionnaire is told by `rules`, of
//! the worlds' own one alone. Only `compare` knows the product.

pub mod compare;

mod fact;
pub use fact::{Fact, NotAFact};

mod said;
pub use said::{number_of, statement_id};

mod losses;
pub use losses::{Erasure, Loss};

mod grants;
pub use grants::{Granted, Grants, Role};

mod roots;
pub use roots::RootWord;

mod receipt;
pub use receipt::Receipt;

mod held;
pub use held::{Held, Judged, admissible};

mod knowledge;
pub use knowledge::Knowledge;

mod standing;
pub use standing::{Standing, Why, standing};

mod record;
pub use record::{Candidate, Conflict, Expected, Kind, Logged, Place};

mod conflicts;

mod reading;
pub use reading::{read, written};

mod rules;
pub use rules::{broken, identities};

#[cfg(test)]
mod tests {
    use std::path::Path;

    #[test]
    fn the_model_uses_nothing_that_it_judges() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/world");
        let mut files = vec![root.join("model.rs")];
        files.extend(std::fs::read_dir(root.join("model")).unwrap().map(|entry| entry.unwrap().path()));
        files.retain(|path| !path.ends_with("model/compare.rs"));
        assert!(files.len() > 5, "the model has moved: {files:?}");
        for path in files {
            let text = std::fs::read_to_string(&path).unwrap();
            let code: Vec<&str> = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).collect();
            let code = code.join("\n");
            for crate_name in ["automerge", "document", "authority", "replica", "store", "reconcile", "wire"]
            {
                let named = format!("{crate_name}::");
                assert!(!code.contains(&named), "{} names {crate_name}", path.display());
            }
        }
    }
}
