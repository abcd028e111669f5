//! The parts that a vision-language model is made of, as checkpoints and command lines know them.

use autoneural_core::program::Group;

/// A part of a vision-language model. Its graphs are a group of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Component {
    /// The vision encoder.
    Vision,
    /// The projector.
    Projector,
    /// The language model: prefill and decode.
    Language,
}

impl Component {
    /// All parts, in the order in which a picture and a prompt go through them.
    pub const ALL: [Component; 3] = [Component::Vision, Component::Projector, Component::Language];

    /// Name as in recipes and file names.
    pub fn name(self) -> &'static str {
        match self {
            Component::Vision => "vision",
            Component::Projector => "projector",
            Component::Language => "language",
        }
    }

    /// The group of its graphs.
    pub fn group(self) -> Group {
        Group::fixed(self.name())
    }
}
