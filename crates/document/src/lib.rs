//! What changes mean: the questionnaire that says which answers there are and how they must agree.

mod variable;
pub use variable::{AnswerError, Bound, Identity, Kind, Level, Variable};

mod expression;
pub use expression::Expression;

mod parser;
pub use parser::ExpressionError;

mod table;
pub use table::{QuestionnaireError, QuestionnaireFault};

mod evaluate;

mod questionnaire;
pub use questionnaire::{Questionnaire, Rule};

mod rules;
pub use rules::{Answers, Violation, ViolationKind};
