//! Sets of questions: a folder with `questions.jsonl` and the pictures it names.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use autoneural_base::error::{Error, IoContext, Result};
use autoneural_bundle::digest;

const QUESTIONS: &str = "questions.jsonl";
/// Largest list of questions that is read.
const LARGEST_FILE: u64 = 64 << 20;

/// One line of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    /// What the question is about; figures are given for each use.
    #[serde(rename = "use")]
    use_case: String,
    #[serde(default)]
    images: Vec<PathBuf>,
    question: String,
    answer: String,
}

/// A question with its answer.
#[derive(Debug, Clone)]
pub struct Question {
    /// What it is about.
    pub use_case: String,
    /// Image files, in the order in which they are shown.
    pub images: Vec<PathBuf>,
    /// Text of the question.
    pub question: String,
    /// The right answer.
    pub answer: String,
    /// File and line, for messages.
    pub place: String,
}

/// A set of questions.
#[derive(Debug, Clone)]
pub struct Set {
    /// Name: that of the folder.
    pub name: String,
    questions: Vec<Question>,
}

impl Set {
    /// Reads a set: one JSON object a line with `use`, `images` (paths in the folder), `question` and `answer`.
    ///
    /// # Errors
    /// A missing or malformed list, an empty question or answer, an image that is missing or whose path leaves the
    /// folder.
    pub fn read(folder: &Path) -> Result<Self> {
        let help = "a set is a folder with questions.jsonl and the images it names";
        let found = std::fs::metadata(folder).reading(folder).map_err(|error| error.help(help))?;
        if !found.is_dir() {
            return Err(Error::input(folder.display(), "is a file, a folder is wanted").help(help));
        }
        let path = folder.join(QUESTIONS);
        let bytes = autoneural_base::text::read_at_most(&path, LARGEST_FILE).map_err(|error| error.help(help))?;
        let text = String::from_utf8(autoneural_base::text::without_mark(&bytes).to_vec());
        let text = text.map_err(|error| Error::input(path.display(), error))?;
        let mut questions = Vec::new();
        for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let place = format!("{}:{}", path.display(), number + 1);
            let line: Line = serde_json::from_str(line).map_err(|error| {
                Error::input(&place, error).help(
                    "a line is {\"use\": \"...\", \"images\": [\"...\"], \"question\": \"...\", \"answer\": \"...\"}",
                )
            })?;
            questions.push(line.check(folder, place)?);
        }
        if questions.is_empty() {
            return Err(Error::input(path.display(), "has no questions"));
        }
        let name = folder.canonicalize().ok().and_then(|folder| Some(folder.file_name()?.to_string_lossy().into()));
        Ok(Set { name: name.unwrap_or_else(|| "set".into()), questions })
    }

    /// Number of questions.
    pub fn count(&self) -> usize {
        self.questions.len()
    }

    /// The first questions; all without a limit.
    pub fn first(&self, limit: Option<usize>) -> &[Question] {
        &self.questions[..limit.unwrap_or(usize::MAX).min(self.questions.len())]
    }

    /// What identifies the questions with their answers and images (path, size), and how images are shown.
    pub fn key(&self, blank: bool) -> String {
        let mut parts = vec![blank.to_string()];
        for question in &self.questions {
            parts.extend([question.question.clone(), question.answer.clone()]);
            for image in &question.images {
                let bytes = std::fs::metadata(image).map_or(0, |meta| meta.len());
                parts.push(format!("{:?} {bytes}", image.file_name()));
            }
        }
        digest(parts.iter().map(String::as_str))[..16].to_string()
    }
}

impl Line {
    fn check(self, folder: &Path, place: String) -> Result<Question> {
        for (what, text) in [("use", &self.use_case), ("question", &self.question), ("answer", &self.answer)] {
            if text.trim().is_empty() {
                return Err(Error::input(place, format!("`{what}` is empty")));
            }
        }
        for image in &self.images {
            if !autoneural_base::text::stays_inside(image) {
                return Err(Error::input(place, format!("image `{}` leaves the folder of the set", image.display())));
            }
            if !folder.join(image).is_file() {
                return Err(Error::input(place, format!("image `{}` is missing", image.display())));
            }
        }
        let images = self.images.iter().map(|image| folder.join(image)).collect();
        Ok(Question { use_case: self.use_case, images, question: self.question, answer: self.answer, place })
    }
}
