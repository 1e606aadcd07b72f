//! What the verbs about officers and joining take.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, Subcommand, value_parser};
use rukun_change::SurveyId;
use rukun_replica::Code;

/// What `join` takes.
#[derive(Debug, Args)]
pub struct Join {
    /// The code on the officer's card, or the survey's id; - reads it from standard input
    #[arg(value_name = "CODE|SURVEY-ID")]
    pub what: JoinFrom,
    /// With a code: the relay that made it
    #[arg(long, value_name = "HOST:PORT", conflicts_with = "peer")]
    pub relay: Option<String>,
    /// With a survey's id: a node to dial, such as the supervisor's
    #[arg(long, value_name = "HOST:PORT")]
    pub peer: Vec<String>,
}

/// By what a device joins. A code has 25 letters and digits, a survey's id 56.
#[derive(Clone, Debug)]
pub enum JoinBy {
    /// A one-time code: the device is enrolled.
    Code(Code),
    /// The survey's id: somebody has to grant the device a role.
    Survey(SurveyId),
}

/// Where it stands.
#[derive(Clone, Debug)]
pub enum JoinFrom {
    /// In the command, which whoever lists the processes of this device can read.
    Command(JoinBy),
    /// In standard input.
    StandardInput,
}

impl FromStr for JoinFrom {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::StandardInput) } else { text.parse().map(Self::Command) }
    }
}

impl FromStr for JoinBy {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // Nearer to the one length than to the other is a slip in what has it.
        const BETWEEN: std::ops::RangeInclusive<usize> = Code::LETTERS - 5..=Code::LETTERS + 10;
        let letters = text.chars().filter(|letter| !matches!(letter, '-' | ' ')).count();
        if BETWEEN.contains(&letters) {
            return text.parse().map(Self::Code).map_err(|error| format!("{error}"));
        }
        text.parse().map(Self::Survey).map_err(|error| format!("{error}; a code has 25 letters and digits"))
    }
}

/// What can be done about officers.
#[derive(Debug, Subcommand)]
pub enum Officers {
    /// Invite the officers in a file: a code for each, on cards to print
    #[command(after_help = "\
Example:
  rukun officers import officers.csv --relay kantor.example.id:7811

where officers.csv says:
  name,role,regions,phone
  Siti Aminah,PPL,18110100050003 18110100050004,0812-3456-7890
  Sri Lestari,PML,1811010005;1811010006,0813-1111-2222

A role is coordinator (Koseka), supervisor (PML) or enumerator (PPL). Regions are separated by blanks or
semicolons. Bad rows are named by line and column, the good rows go in, and the exit code is 3. Who is
invited already (same name, role, regions and number) is not invited twice.
The codes stand on the cards and nowhere else: they cannot be printed again.")]
    Import(Import),
    /// Take an invitation back that nobody has used
    #[command(after_help = "\
Example:
  rukun officers withdraw 'Siti Aminah'
  rukun officers withdraw 3f2a91c0")]
    Withdraw {
        /// The person's name, or the invitation's id or a unique beginning of it
        #[arg(value_name = "NAME|ID")]
        who: String,
    },
}

/// What `officers import` takes.
#[derive(Debug, Args)]
pub struct Import {
    /// The file, CSV in UTF-8
    #[arg(value_name = "FILE.csv")]
    pub file: PathBuf,
    /// Where the officers' devices find this node, for the cards
    #[arg(long, value_name = "HOST:PORT")]
    pub relay: Option<String>,
    /// How long the codes are good
    #[arg(long, value_name = "DAYS", default_value_t = 30, value_parser = value_parser!(u32).range(1..=365))]
    pub expires: u32,
    /// Where the cards go; FILE.html if not said, and never over a file that is there
    #[arg(long, value_name = "FILE.html")]
    pub page: Option<PathBuf>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_and_a_survey_s_id_are_told_apart_by_their_form() {
        let code = Code::from_random(&[7; 20]).text();
        assert!(matches!(code.parse(), Ok(JoinBy::Code(_))));
        let survey = SurveyId::from_bytes([7; 32]).to_string();
        assert!(matches!(survey.parse(), Ok(JoinBy::Survey(_))));
        let said = |text: &str| text.parse::<JoinBy>().unwrap_err();
        assert!(said(&code[1..]).contains("24 letters and digits where 25"), "{}", said(&code[1..]));
        assert!(said("ABC").contains("survey id") && said("ABC").contains("code has 25"), "{}", said("ABC"));
    }
}
