//! What the command line says about evidence.

use std::path::PathBuf;

use clap::Subcommand;
use rukun_change::SurveyId;

/// Evidence of a record.
#[derive(Debug, Subcommand)]
pub enum EvidenceVerb {
    /// Write what proves a record to others into one file; `evidence verify FILE` checks it
    #[command(
        args_conflicts_with_subcommands = true,
        subcommand_negates_reqs = true,
        after_help = "\
Example:
  rukun evidence 1811010005000300-3f2a --out siti.evidence
  rukun evidence verify siti.evidence --survey SURVEY-ID

The file holds the record's changes, who signed them and by whose grants. It is not sealed: who has it
reads the family's answers. docs/formats.md says how to check it with another program."
    )]
    Evidence {
        /// The record, or a unique beginning of its id
        #[arg(value_name = "RECORD", required = true)]
        record: Option<String>,
        /// The file to make; RECORD.evidence if none is named
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Check a file instead
        #[command(subcommand)]
        verify: Option<Verify>,
    },
}

/// What can be done with a file of evidence.
#[derive(Debug, Subcommand)]
pub enum Verify {
    /// Check a file of evidence, without a data folder or a daemon
    #[command(after_help = "\
Example:
  rukun evidence verify siti.evidence --survey SURVEY-ID

Exit code 1 and the reason if anything in it does not hold. Give the survey's id as you know it, not as
the file's bearer says it: anyone can found a survey of the same name.")]
    Verify {
        /// The file
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// The survey that it must be of
        #[arg(long, value_name = "SURVEY-ID")]
        survey: Option<SurveyId>,
    },
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use crate::args::Cli;

    #[test]
    fn evidence_is_written_of_a_record_or_verified_in_a_file() {
        let parse =
            |words: &str| Cli::try_parse_from(["rukun", "evidence"].into_iter().chain(words.split(' ')));
        assert!(parse("1811 --out siti.evidence").is_ok() && parse("verify siti.evidence").is_ok());
        assert!(parse("--out siti.evidence").is_err(), "of which record?");
        assert!(parse("verify").is_err() && parse("1811 verify siti.evidence").is_err());
        let slip = parse("verify siti.evidence --survey ABC").unwrap_err();
        assert!(slip.to_string().contains("survey id"), "{slip}");
    }
}
