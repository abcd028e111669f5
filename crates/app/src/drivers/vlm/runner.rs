//! A bundle that is opened to be talked to: the model with what the host needs, on the engines that can run it.

use std::path::Path;

use crate::drivers::of_bundle;
use autoneural_base::error::{Error, Result};
use autoneural_base::progress::Progress;
use autoneural_bundle::{Bundle, EQUALIZED, Stage};
use autoneural_core::partition::Partition;
use autoneural_core::quantize::Table;
use autoneural_core::segment::{Device, segments};
use autoneural_core::target::Target;
use autoneural_engines::back::qnn::{Runtime, Toolkit};
use autoneural_engines::engine::{Engine, EngineKind, Reference, Tensor};
use autoneural_front::Definition;
use autoneural_host::{Chat, Conversation, Embeddings, Generator, Limits, Message, Tokenizer, blank_image, load_image};

/// The best engine that a bundle has: the NPU if it was built, the simulation otherwise.
pub fn best_engine(bundle: &Bundle) -> EngineKind {
    if bundle.manifest.has(Stage::Build.name()) { EngineKind::Npu } else { EngineKind::Simulated }
}

/// The stage that makes what an engine loads, and the folder it is in.
fn source(kind: EngineKind) -> (Stage, &'static str) {
    match kind {
        EngineKind::Float => (Stage::Export, "model/"),
        EngineKind::Simulated => (Stage::Emit, "qdq/"),
        EngineKind::Npu => (Stage::Build, "context/"),
    }
}

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
        for (stage, _) in kinds.iter().map(|kind| source(*kind)) {
            if !bundle.manifest.has(stage.name()) {
                return Err(Error::input(path.display(), format!("`{}` has not run", stage.name()))
                    .help(format!("run `autoneural {}`, or choose another engine with --on", stage.name())));
            }
        }
        let quantized = kinds.iter().any(|kind| *kind != EngineKind::Float);
        let mut segments = bundle.manifest.partitions.iter().flat_map(|partition| &partition.segments);
        let has_cpu_segments = segments.any(|segment| segment.device == Device::Cpu);
        // The float models are the largest files by far, and integer engines do not load them.
        let needed = |file: &str| {
            let rewritten = kinds.contains(&EngineKind::Float) && file.starts_with(EQUALIZED);
            let of_engine = rewritten || kinds.iter().any(|kind| file.starts_with(source(*kind).1));
            let is_graph = file.starts_with("model/") || file.starts_with(EQUALIZED);
            let of_host = is_graph && !file.ends_with(".onnx") && !file.ends_with(".data");
            let of_segments = kinds.contains(&EngineKind::Npu) && file.starts_with("qdq/") && has_cpu_segments;
            of_engine || of_host || of_segments || (quantized && file.starts_with("encodings/"))
        };
        bundle.check(&needed, progress)?;
        if kinds.contains(&EngineKind::Npu) {
            bundle.check_contexts()?;
        }
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
        let missing = |what: &str| {
            let message = format!("{what} is missing, which `{}` needs", kind.name());
            Error::toolkit("toolkit", message).help(Toolkit::how_to_get())
        };
        let tables = match (kind, &self.tables) {
            (EngineKind::Float, _) => None,
            (_, Some(tables)) => Some(tables.as_slice()),
            (_, None) => return Err(Error::internal("model", format!("it was not opened for `{}`", kind.name()))),
        };
        let (bundle, target) = (&self.bundle, &self.target);
        type Loaded = Result<Box<dyn Engine>>;
        let mut load: Box<dyn FnMut(&Partition) -> Loaded + 'a> = match kind {
            EngineKind::Float => Box::new(|partition: &Partition| -> Loaded {
                Ok(Box::new(Reference::load(partition, &bundle.float_model(partition))?))
            }),
            EngineKind::Simulated => {
                let runtime = runtime.ok_or_else(|| missing("ONNX Runtime"))?;
                Box::new(|partition: &Partition| -> Loaded {
                    Ok(Box::new(runtime.simulate(partition, &bundle.quantized_model(partition))?))
                })
            }
            EngineKind::Npu => {
                let runtime = runtime.filter(|runtime| runtime.has_npu()).ok_or_else(|| missing("the QNN provider"))?;
                Box::new(move |partition: &Partition| -> Loaded {
                    let at = self.partitions.iter().position(|other| other.name == partition.name);
                    let table = at.zip(tables).and_then(|(at, tables)| tables.get(at));
                    let table = table.ok_or_else(|| Error::internal(&partition.name, "has no encodings"))?;
                    let segments = segments(partition, table, target)?;
                    Ok(Box::new(runtime.open_segments(partition, &segments, &bundle.path(""), target)?))
                })
            }
        };
        // Engines are loaded by path, when they are needed: by then it may be another bundle's.
        let load = Box::new(move |partition: &Partition| -> Loaded {
            let loaded = load(partition)?;
            bundle.refuse_other_models()?;
            Ok(loaded)
        });
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
