//! The words for what crosses the borders of a vision-language model's graphs.

use std::collections::BTreeMap;

use autoneural_core::program::{Meaning, Padding, Rows, State};

/// What a value that crosses the border is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Preprocessed pixels.
    Image,
    /// Visual features.
    Features,
    /// Token embeddings, of text or of an image.
    Embeddings,
    /// Cosines or sines of the rotary embedding.
    Rotary,
    /// Additive attention mask.
    Mask,
    /// Positions; plain int32 without encoding.
    Index,
    /// Keys, stored transposed: `[1, heads, head size, tokens]`.
    Keys,
    /// Values: `[1, heads, tokens, head size]`.
    Values,
    /// Last columns of a short convolution's input.
    ConvState,
    /// Scores over the vocabulary.
    Logits,
}

impl Role {
    const ALL: [Role; 10] = [
        Role::Image,
        Role::Features,
        Role::Embeddings,
        Role::Rotary,
        Role::Mask,
        Role::Index,
        Role::Keys,
        Role::Values,
        Role::ConvState,
        Role::Logits,
    ];

    /// The role of this name.
    pub fn of(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Its name, as ports have it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Image => "image",
            Role::Features => "features",
            Role::Embeddings => "embeddings",
            Role::Rotary => "rotary",
            Role::Mask => "mask",
            Role::Index => "index",
            Role::Keys => "keys",
            Role::Values => "values",
            Role::ConvState => "conv-state",
            Role::Logits => "logits",
        }
    }

    /// What it means to those who do not know these words.
    pub fn meaning(self) -> Meaning {
        let none = Meaning::default();
        let rows = |axis, rest| Some(Rows { axis, rest });
        match self {
            Role::Image | Role::Features | Role::Index => none,
            Role::Embeddings => Meaning { padding: rows(1, Padding::RepeatLast), ..none },
            Role::Rotary => Meaning { padding: rows(2, Padding::Continue), ..none },
            Role::Mask => Meaning { mask: true, padding: rows(2, Padding::Continue), ..none },
            Role::Keys => Meaning { state: Some(State::Append { axis: 3 }), ..none },
            Role::Values => Meaning { state: Some(State::Append { axis: 2 }), ..none },
            Role::ConvState => Meaning { state: Some(State::Replace { axis: 3 }), ..none },
            Role::Logits => Meaning { main: true, ..none },
        }
    }

    /// All of them with what they mean.
    pub fn meanings() -> BTreeMap<String, Meaning> {
        Self::ALL.into_iter().map(|role| (role.name().to_string(), role.meaning())).collect()
    }
}
