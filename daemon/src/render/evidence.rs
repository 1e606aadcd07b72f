//! What a verified file of evidence says: who signed what, by whose grants, and what is read.

use std::fmt::Write as _;

use super::provenance::{change_line, origins, who};
use super::records::heading;
use super::{Paint, clean, counted, shown_time};
use crate::verbs::{GrantShape, ProofShape};

/// Who vouches for the file, every change with its signer, grants and standing, and the answers.
pub fn evidence(proof: &ProofShape, paint: Paint) -> String {
    let mut text = heading(&proof.name, &proof.record, paint);
    let mut line = |word: &str, says: &str| {
        let _ = writeln!(text, "{}{says}", paint.faint(&format!("{word:<11}")));
    };
    line("survey", &format!("{} ({})", clean(&proof.survey_name), clean(&proof.survey_code)));
    line("", &clean(&proof.survey));
    if !proof.survey_given {
        line(
            "",
            &paint
                .alert("is that the survey's id? Anyone can found one of this name: give --survey SURVEY-ID"),
        );
    }
    line("written", &format!("{} by {}", shown_time(&proof.time), who(&proof.exporter)));
    let changes = counted(proof.changes.len() as u64, "change", "changes");
    let statements = counted(proof.statements as u64, "statement", "statements");
    line("holds", &format!("{changes}, {statements}"));
    if let Some(reason) = &proof.gone {
        line("gone", &paint.alert(&clean(reason)));
    }
    for change in &proof.changes {
        text.push('\n');
        text.push_str(&change_line(&change.line, paint));
        // What is set aside says so, and why, in its own line.
        let good = if change.line.standing == "good" { "good; " } else { "" };
        let _ = writeln!(text, "    {}", paint.faint(&format!("{good}{}", granted(&change.granted))));
    }
    let _ = writeln!(text, "\n{}", paint.strong("Answers"));
    text.push_str(&origins(&proof.fields, &proof.members, paint));
    let _ = writeln!(
        text,
        "\n{}: every signature, grant and cause; {} vouches that nothing was left out",
        paint.good("all of it holds"),
        if proof.exporter.author.is_empty() { "the writer".into() } else { clean(&proof.exporter.author) }
    );
    text
}

fn granted(grants: &[GrantShape]) -> String {
    let step = |grant: &GrantShape| {
        format!("{} ({} of {})", clean(&grant.name), clean(&grant.role), clean(&grant.regions.join(", ")))
    };
    let steps: Vec<String> = std::iter::once("root key".into()).chain(grants.iter().map(step)).collect();
    format!("granted by {}", steps.join(" > "))
}
