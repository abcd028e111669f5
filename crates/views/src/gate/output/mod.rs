//! Forms of a judgement: for people, and for the systems that show the results of CI. Text of other people's files is
//! escaped as each form wants it.

mod checks;
mod exceptions;
mod github;
mod junit;
mod located;
mod markdown;
mod sarif;
mod statement;
mod text;
mod update;
mod words;

pub use checks::{list_json, list_text};
pub use exceptions::{lines as exception_lines, snippets};
pub use github::github;
pub use junit::junit;
pub use located::Located;
pub use markdown::{cell, markdown};
pub use sarif::sarif;
pub use statement::Statement;
pub use text::text;
pub use update::{Written, update};
pub use words::follow;
