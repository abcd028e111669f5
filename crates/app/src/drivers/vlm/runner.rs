//! A bundle that is opened to be talked to: the model with what the host needs, on the engines that can run it.

use std::path::Path;

use crate::drivers::of_bundle;
pub use crate::loading::best_engine;
use crate::loading::{check, loader};
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::Bundle;
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::Runtime;
use autoneural_engines::engine::{EngineKind, Tensor};
use autoneural_front::Definition;
use autoneural_host::{Chat, Conversation, Embeddings, Generator, Limits, Message, Tokenizer, blank_image, load_image};

/// A model of a bundle with its tokenizer, chat template and embeddings. One serves any number of engines.
pub struct Model {
    bundle: Bundle,
    definition: Definition,
    target: Target,
    partitions: Vec<Partition>,
    /// None where only float is wanted.
    tables: Option<Vec<Table>>,
    tokenizer: Tokenizer,
    chat: Chat,
    embeddings: Embeddings,
}

/// How often a bundle is opened again that was replaced while it was read.
const MORE_TRIES: usize = 3;

/// What a model has of its bundle.
type Parts = (Definition, Target, Vec<Partition>, Option<Vec<Table>>, Tokenizer, Chat, Embeddings);

impl Model {
    /// Opens a bundle for these engines. Only the files that they need are checked against their SHA-256.
    ///
    /// # Errors
    /// A folder that is no bundle, a stage that has not run, a file that is not the one that was written.
    pub fn open(path: &Path, kinds: &[EngineKind], progress: &dyn Progress) -> Result<Self> {
        let mut more = MORE_TRIES;
        loop {
            match Self::of(Bundle::look(path)?, path, kinds, progress) {
                // Its folder went away beneath it. An evaluation that ends puts the same models in its place.
                Err((bundle, _)) if more > 0 && bundle.refuse_replaced().is_err() => more -= 1,
                made => return made.map_err(|(_, error)| error),
            }
        }
    }

    fn of(
        bundle: Bundle,
        path: &Path,
        kinds: &[EngineKind],
        progress: &dyn Progress,
    ) -> std::result::Result<Self, (Box<Bundle>, Error)> {
        match Self::parts(&bundle, path, kinds, progress) {
            Ok((definition, target, partitions, tables, tokenizer, chat, embeddings)) => {
                Ok(Model { bundle, definition, target, partitions, tables, tokenizer, chat, embeddings })
            }
            Err(error) => Err((Box::new(bundle), error)),
        }
    }

    fn parts(bundle: &Bundle, path: &Path, kinds: &[EngineKind], progress: &dyn Progress) -> Result<Parts> {
        of_bundle(bundle)?.refuse_silent(bundle)?;
        check(bundle, path, kinds, progress)?;
        let quantized = kinds.iter().any(|kind| *kind != EngineKind::Float);
        let (definition, target, partitions) = (bundle.definition()?, bundle.target()?, bundle.partitions()?);
        let tables = if quantized { Some(bundle.tables(&partitions)?) } else { None };
        let folder = bundle.host_folder()?;
        let tokenizer = Tokenizer::read(&folder, &definition)?;
        let chat = Chat::read(&folder, tokenizer.specials()?)?;
        let embeddings = Embeddings::read(&folder.join(Embeddings::FILE), &definition.language)?;
        Ok((definition, target, partitions, tables, tokenizer, chat, embeddings))
    }

    /// The model definition.
    pub fn definition(&self) -> &Definition {
        &self.definition
    }

    /// A picture as the model takes it, or a blank one.
    ///
    /// # Errors
    /// As for [`load_image`].
    pub fn picture(&self, path: &Path, blank: bool) -> Result<Tensor> {
        let vision = self.definition.seeing()?;
        if blank { Ok(blank_image(vision)) } else { load_image(path, vision) }
    }

    /// The bundle.
    pub fn bundle(&self) -> &Bundle {
        &self.bundle
    }

    /// The tokenizer.
    pub fn tokenizer(&self) -> &Tokenizer {
        &self.tokenizer
    }

    /// Whether the checkpoint has a chat template. Without one a prompt is the messages' own text.
    pub fn has_template(&self) -> bool {
        self.chat.has_template()
    }

    /// Tokens of the prompt that asks for the next message of a conversation.
    ///
    /// # Errors
    /// As for [`Tokenizer::conversation`].
    pub fn tokens(&self, messages: &[Message]) -> Result<Vec<u32>> {
        self.tokenizer.conversation(&self.chat, messages)
    }

    /// The model on an engine. Engines are loaded when they are first needed.
    ///
    /// # Errors
    /// The runtime lacks what the engine needs, or the model was not opened for it.
    pub fn generator<'a>(&'a self, kind: EngineKind, runtime: Option<&'a Runtime>) -> Result<Generator<'a>> {
        let tables = self.tables.as_deref().filter(|_| kind != EngineKind::Float);
        let load = loader(kind, (&self.bundle, &self.target), (&self.partitions, tables), runtime)?;
        Ok(Generator::new(&self.definition, &self.partitions, tables, &self.embeddings, load))
    }

    /// A conversation with a generator of this model.
    ///
    /// # Errors
    /// As for [`Conversation::new`].
    pub fn conversation<'a>(
        &'a self,
        generator: Generator<'a>,
        system: Option<&str>,
        keep_image_engines: bool,
        limits: &Limits,
    ) -> Result<Conversation<'a>> {
        Conversation::new(&self.tokenizer, &self.chat, generator, system, keep_image_engines, limits)
    }
}
