//! What changes mean: the questionnaire that says which answers there are and how they must agree,
//! the reading that turns a record's changes into answers and conflicts, and the edits that make new
//! changes. It never sees a change that the gate did not admit, and stores nothing.

mod slip;

mod variable;
pub use variable::{AnswerError, Bound, Identity, Kind, Level, Variable};

mod condition;

mod parser;
pub use parser::ExpressionError;

mod expression;
pub use expression::Expression;

mod table;
pub use table::{QuestionnaireError, QuestionnaireFault};

mod resolve;

mod evaluate;

mod questionnaire;
pub use questionnaire::{Questionnaire, Rule};

mod rules;
pub use rules::{Answers, Violation, ViolationKind};

mod place;
pub use place::{Place, PlaceError};

mod causes;

mod makers;

mod structure;

mod answer;
pub use answer::{Answer, Candidate};

mod log;
pub use log::Logged;

mod reading;
pub use reading::Reading;

mod identities;

mod conflict;
pub use conflict::{Conflict, ConflictKind, ConflictKindError};

mod json;
pub use json::AnswerFault;

mod draft;
pub use draft::{Draft, EditError, Writer};

mod held;

mod engine;

mod edit;
pub use edit::{edit, write};

#[cfg(test)]
mod fixture;
