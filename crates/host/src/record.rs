//! What a manifest tells whoever writes the host: the program that prepares pictures and prompts, keeps the state and
//! chooses tokens. Together with the ports, the models and the files it leaves nothing to be guessed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Embeddings, HostTables, LEAST_FOR_PREFILL};
use autoneural_core::encoding::Encoding;
use autoneural_core::program::State;
use autoneural_front::{Definition, LayerKind, MASKED, Resize};

/// What a host needs beside ports, models and files. A part is there once the stage has run that knows it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Questions to tokens, tokens to text. From `export` on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptRecord>,
    /// Pictures to pixels, where the model takes some. From `quantize` on, as what follows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageRecord>,
    /// Tokens to embeddings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub embedding: Option<EmbeddingRecord>,
    /// The inputs `cos` and `sin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotary: Option<RotaryRecord>,
    /// The input `mask`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mask: Option<MaskRecord>,
    /// Steps of the language model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<SequenceRecord>,
}

/// How a question becomes tokens, and which tokens end an answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptRecord {
    /// The tokenizer's file, in the format of Hugging Face `tokenizers`. It is asked to add no special tokens of its
    /// own.
    pub tokenizer: String,
    /// Stands once at the beginning of every sequence, whether the text that was tokenized begins with it or not; where
    /// it is missing, nothing stands there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bos: Option<TokenRecord>,
    /// Stands in the prompt where a picture is. It becomes `visual_tokens` of the same token, whose embeddings are
    /// those rows that the projector made of the picture. Missing where the model takes no pictures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<TokenRecord>,
    /// Number of visual tokens of one picture; 0 where the model takes none.
    pub visual_tokens: usize,
    /// Texts that stand right before and behind each image token, added where the template does not write them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_tags: Option<[String; 2]>,
    /// Tokens that end an answer: none of them is part of it, and none is fed.
    pub ends: Vec<u32>,
    /// The chat template, a Jinja file with the conventions of Hugging Face `transformers`; without one a prompt is the
    /// texts of the messages, one after the other, an image token for each picture before its message's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<TemplateRecord>,
    /// A question with what becomes of it, to try an own tokenizer and template with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub example: Option<ExampleRecord>,
}

/// A token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TokenRecord {
    /// Its number.
    pub id: u32,
    /// Its text.
    pub text: String,
}

/// A chat template and what it is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TemplateRecord {
    /// The file.
    pub file: String,
    /// How it wants the content of messages, by role.
    pub content: BTreeMap<String, Content>,
    /// The variables that it is given beside `messages`.
    pub variables: serde_json::Value,
}

/// How the content of a message is given to a chat template.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Content {
    /// A list: `{"type": "image"}` for each picture, then `{"type": "text", "text": …}`.
    Parts,
    /// A list: `{"type": "image_url", "image_url": {"url": "image"}}` for each picture, then `{"type": "text", "text":
    /// …}`.
    Urls,
    /// One text: the image token for each picture (with a line end behind it where there are `image_tags`), then the
    /// text.
    Text,
}

/// A question and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExampleRecord {
    /// The messages as the template gets them.
    pub messages: serde_json::Value,
    /// The text that the template makes of them, with `image_tags`.
    pub text: String,
    /// The tokens that are fed.
    pub tokens: Vec<u32>,
}

/// How a picture becomes the input `image`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ImageRecord {
    /// Height and width. A picture is stretched to it; its proportions are not kept.
    pub size: [usize; 2],
    /// The filter: `bilinear` or `bicubic` (Keys, a = -0.5), widened by the factor by which the picture shrinks
    /// (antialiasing), pixel centres at one half, weights in fixed point of 22 bits, rounded to 8 bits after each of
    /// the two passes, rows first: what Pillow's `Image.resize` does.
    pub filter: String,
    /// Subtracted from red, green and blue in 0..1.
    pub mean: [f32; 3],
    /// What the difference is divided by.
    pub std: [f32; 3],
    /// The file of the table that is `mean`, `std` and the port's encoding in one.
    pub file: String,
    /// The table `[3, 256]` in it: `image[0, c, y, x] = table[c, pixel[y, x, c]]`, c = red, green, blue.
    pub tensor: String,
}

/// The embedding table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EmbeddingRecord {
    /// The file, in the safetensors format.
    pub file: String,
    /// The table `[vocabulary, hidden]` in it, in the integers of the port `embeds`: a lookup is a copy.
    pub tensor: String,
}

/// The rotary embedding's tables.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RotaryRecord {
    /// Base of the frequencies. No frequency is scaled.
    pub theta: f64,
    /// Size of a head, `D`. Columns `i` and `i + D/2` are the same: `angle = position / theta^(2i/D)` for `i < D/2`.
    pub size: usize,
    /// The file with the tables in the integers of the ports, in the safetensors format.
    pub file: String,
    /// `[context, D]`: row `p` is the input `cos` of the token at position `p`.
    pub cos: String,
    /// `[context, D]`: the same of `sin`.
    pub sin: String,
}

/// The attention mask.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaskRecord {
    /// What is added where a token may look.
    pub visible: f32,
    /// What is added elsewhere.
    pub hidden: f32,
    /// The integer of `visible`.
    pub visible_code: i64,
    /// The integer of `hidden`.
    pub hidden_code: i64,
}

/// Steps of the language model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SequenceRecord {
    /// Most tokens of a sequence.
    pub context: usize,
    /// Tokens of a step of `language.prefill`.
    pub prefill: usize,
    /// Tokens of a step of `language.decode`.
    pub decode: usize,
    /// Prefill takes the next tokens while at least so many are left and `position + prefill <= context`; decode takes
    /// the others, one by one.
    pub least_for_prefill: usize,
    /// Columns of a convolution state; 0 where there is none.
    pub conv_columns: usize,
    /// What happens when `context` tokens were fed.
    pub when_full: WhenFull,
}

/// What happens when the context is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenFull {
    /// A longer prompt is refused. An answer ends: the token that the last logits give is the last of it. Nothing is
    /// dropped or shifted; another question begins a new sequence.
    Stop,
}

/// What an input is from step to step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateRecord {
    /// The integer that stands where no token has written: everywhere before the first step, and in the columns behind
    /// the tokens so far. It is the zero point, not the integer 0.
    pub fill: i64,
    /// The output of the same partition that it is made of.
    pub next: String,
    /// How.
    #[serde(flatten)]
    pub update: Update,
}

/// How an output becomes the state of the next step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "update", rename_all = "kebab-case")]
pub enum Update {
    /// The output is the next state.
    Replace,
    /// The first columns of the output, one for each token that counts, are written at `position`, the number of tokens
    /// before the step.
    Append {
        /// The axis of the columns.
        axis: usize,
        /// Columns that this input has: the context without the tokens of a step.
        columns: usize,
    },
}

impl StateRecord {
    /// Of an input, by the outputs of its partition that have the same encoding.
    pub fn of(state: State, shape: &[usize], next: &str, fill: i64) -> Self {
        let update = match state {
            State::Append { axis } => Update::Append { axis, columns: shape[axis] },
            State::Replace { .. } => Update::Replace,
        };
        StateRecord { fill, next: next.to_string(), update }
    }
}

impl HostRecord {
    /// States what follows from the definition and the encoding of the mask; the prompt stays.
    pub fn describe(&mut self, definition: &Definition, mask: &Encoding) {
        let language = &definition.language;
        let tables = HostTables::FILE.to_string();
        self.image = definition.vision().map(|vision| {
            let preprocess = vision.preprocess();
            ImageRecord {
                size: [vision.image_size(); 2],
                filter: match preprocess.resize {
                    Resize::Bilinear => "bilinear".into(),
                    Resize::Bicubic => "bicubic".into(),
                },
                mean: preprocess.mean,
                std: preprocess.std,
                file: tables.clone(),
                tensor: HostTables::PIXELS.into(),
            }
        });
        self.embedding =
            Some(EmbeddingRecord { file: format!("qdq/{}", Embeddings::FILE), tensor: Embeddings::TENSOR.into() });
        self.rotary = Some(RotaryRecord {
            theta: language.rope_theta,
            size: language.head_dim,
            file: tables,
            cos: HostTables::COS.into(),
            sin: HostTables::SIN.into(),
        });
        let codes = mask.quantize(&[0.0, MASKED], &[2]);
        self.mask = Some(MaskRecord {
            visible: 0.0,
            hidden: MASKED,
            visible_code: codes[0].into(),
            hidden_code: codes[1].into(),
        });
        self.sequence = Some(SequenceRecord {
            context: language.context,
            prefill: language.prefill,
            decode: 1,
            least_for_prefill: LEAST_FOR_PREFILL,
            conv_columns: match language.layers.contains(&LayerKind::Conv) {
                true => language.conv_kernel - 1,
                false => 0,
            },
            when_full: WhenFull::Stop,
        });
    }
}
