//! What the roles of ports mean. A role is a driver's own word; code outside the driver reads its meaning instead.

use std::fmt;

use serde::{Deserialize, Serialize};

use State::{Append, Replace};

/// What holds for all ports of a role.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meaning {
    /// It is state that an output hands from one step to the input of the next. The input and the output have the same
    /// encoding key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<State>,
    /// It is a mask, which is added to scores. The lower end of its range hides a score.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mask: bool,
    /// It is a main output of the program. A recipe's `head` sets the integers of the weights that make it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub main: bool,
    /// It has a row for each token of a step. In a step with fewer tokens, the other rows are padding.
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
    /// It is appended to the earlier state, along an axis with a place for each token: keys and values of attention. A
    /// recipe's `kv_cache` sets its integers.
    Append {
        /// The axis of the tokens.
        axis: usize,
    },
    /// It replaces the earlier state: the last columns that a short convolution saw.
    Replace {
        /// The axis of the columns.
        axis: usize,
    },
}

impl State {
    /// The axis of the tokens or columns.
    pub fn axis(self) -> usize {
        match self {
            Append { axis } | Replace { axis } => axis,
        }
    }
}

/// The rows of an input, one for each token of a step. (They are not [`crate::ir::ops::Rows`], into which evidence is
/// cut.)
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rows {
    /// The axis of the rows.
    pub axis: usize,
    /// What the rows hold that belong to no token.
    pub rest: Padding,
}

/// What an input holds in rows that belong to no token, in a step with fewer tokens than it has rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Padding {
    /// A copy of the last token's row.
    RepeatLast,
    /// What the row of a further token would hold.
    Continue,
}
