//! What roles of ports mean to those who do not know the driver's words for them.

use std::fmt;

use serde::{Deserialize, Serialize};

use State::{Append, Replace};

/// What is known of ports of a role, whoever gave it its name.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// It is state, which goes out of a step and into the next: the input and the output that share an encoding key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// It is added to scores; the lower end of its range hides them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mask: bool,
    /// It is what the program is for: a recipe's `head` is about the weights that make it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub main: bool,
    /// It has a row for each token of a step; of a step of fewer tokens some count for nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub padding: Option<Rows>,
}

impl fmt::Display for Meaning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.map(|state| match state {
            Append { axis } => format!("state that grows along axis {axis}"),
            Replace { axis } => format!("state of columns along axis {axis}"),
        });
        let rows = self.padding.map(|rows| format!("rows of tokens along axis {}, {:?}", rows.axis, rows.rest));
        let words = [state, self.mask.then(|| "a mask".into()), self.main.then(|| "a main output".into()), rows];
        let words: Vec<String> = words.into_iter().flatten().collect();
        f.write_str(if words.is_empty() { "nothing else" } else { "" })?;
        f.write_str(&words.join(" and "))
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How the output of a step becomes the input of the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(tag = "update", rename_all = "kebab-case")]
pub enum State {
    /// Behind what is there, along an axis with a place for each token: keys and values of attention. Recipes state its
    /// bits as `kv_cache`.
    Append {
        /// The axis of the tokens.
        axis: usize,
    },
    /// In place of what is there: the last columns that a short convolution saw.
    Replace {
        /// The axis of the columns.
        axis: usize,
    },
}

impl State {
    /// The axis of its tokens or columns.
    pub fn axis(self) -> usize {
        match self {
            Append { axis } | Replace { axis } => axis,
        }
    }
}

/// Rows of an input, one for each token of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The axis of the rows.
    pub axis: usize,
    /// What those hold that are no token.
    pub rest: Padding,
}

/// What an input holds in rows that are no token, in a step of fewer tokens than it takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// The last row that counts, again.
    RepeatLast,
    /// What a token there would have.
    Continue,
}
