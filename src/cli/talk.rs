//! The conversation of `autoneural run`: lines come in, answers go out, and an error ends nothing. A person sees it and
//! decides; a script does not, so a question whose picture could not be read is not asked, and the end tells that
//! something failed.

use std::io::{BufRead, IsTerminal};
use std::path::{Path, PathBuf};

use autoneural::error::Kind;
use autoneural::host::Limits;
use autoneural::runner::Model;
use autoneural::shown::in_line;
use autoneural::{Error, Result};
use rustyline::error::ReadlineError;

use super::display;
use super::lane::{Lane, Picture, is_final, result};
use super::session::Session;

const HELP: &str = "\
Each line is a question. The path of a PNG or JPEG image adds the image to the next question: drop the file here or type
its path, alone or at the beginning of the question. Quotes, backslashes before spaces and file:// are understood.
  /image PATH  add an image
  /reset       begin a new conversation
  /help        print this
  /exit        leave (Ctrl-D does too)";

/// Endings of image files.
const IMAGES: [&str; 3] = ["png", "jpg", "jpeg"];

/// Asks the lanes what is typed, until the input ends. Gives the kind of the first error in the lines of a script, if
/// there was one; all of them are told by then.
pub fn talk(
    session: &Session,
    model: &Model,
    lanes: Vec<Lane>,
    images: Vec<Picture>,
    limits: &Limits,
) -> Result<Option<Kind>> {
    let mut input = Input::new()?;
    let scripted = matches!(input, Input::Lines);
    let mut talk = Talk { session, model, lanes, images, limits, scripted, lacks: false };
    let mut failed = None;
    if !scripted {
        session.note("/help says what can be typed; Ctrl-D leaves");
    }
    loop {
        let done = match input.line() {
            Ok(Some(line)) => talk.line(&line),
            Ok(None) => return Ok(failed),
            // What cannot be read now cannot be read later.
            Err(error) if error.kind == Kind::Io => return Err(error),
            Err(error) => Err(error),
        };
        match done {
            Ok(Next::Go) => {}
            Ok(Next::Leave) => return Ok(failed),
            Err(error) if is_final(&error) => return Err(error),
            Err(error) => {
                display::error(&error, session.general.json);
                if talk.scripted {
                    failed.get_or_insert(error.kind);
                }
            }
        }
    }
}

enum Next {
    Go,
    Leave,
}

struct Talk<'a> {
    session: &'a Session,
    model: &'a Model,
    lanes: Vec<Lane<'a>>,
    /// Images of the next question.
    images: Vec<Picture>,
    limits: &'a Limits,
    /// Whether nobody sees an error before the next line comes.
    scripted: bool,
    /// Whether a picture of a script's next question could not be read.
    lacks: bool,
}

impl Talk<'_> {
    fn line(&mut self, line: &str) -> Result<Next> {
        let line = line.trim();
        let (command, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
        match command {
            "/exit" => return Ok(Next::Leave),
            "/help" => display::note(HELP),
            "/reset" => self.reset()?,
            "/image" if rest.trim().is_empty() => {
                self.lacks = self.scripted;
                return Err(Error::input("/image", "wants the path of an image"));
            }
            "/image" => self.add(path_of(rest.trim()))?,
            _ => self.question(line)?,
        }
        Ok(Next::Go)
    }

    fn reset(&mut self) -> Result<()> {
        self.forget();
        self.lanes.iter_mut().try_for_each(|lane| lane.talk.reset())?;
        self.session.note("a new conversation");
        Ok(())
    }

    /// Records an image once it is loaded.
    fn add(&mut self, path: PathBuf) -> Result<()> {
        let image = Picture::load(path, self.model).inspect_err(|_| self.lacks = self.scripted)?;
        let path = image.path.display().to_string();
        self.session.note(&format!("image {}: {}", self.images.len() + 1, in_line(&path)));
        self.images.push(image);
        Ok(())
    }

    fn question(&mut self, line: &str) -> Result<()> {
        let whole = path_of(line);
        if is_image(&whole, line) {
            return self.add(whole);
        }
        let (word, rest) = first_word(line);
        let path = path_of(word);
        if !word.is_empty() && is_image(&path, word) {
            let added = self.add(path);
            return match (added, rest) {
                (added, "") => added,
                (Ok(()), rest) => self.question(rest),
                (Err(error), _) => {
                    if self.scripted {
                        self.forget();
                    }
                    Err(error)
                }
            };
        }
        if word.starts_with('/') && !word[1..].contains('/') {
            return Err(Error::input(word, "is no command").help("/help lists them"));
        }
        self.ask(line)
    }

    /// Gives up the pictures of a question that is not asked.
    fn forget(&mut self) {
        self.images.clear();
        self.lacks = false;
    }

    fn ask(&mut self, prompt: &str) -> Result<()> {
        self.model.tokenizer().refuse_special(prompt).inspect_err(|_| self.lacks = false)?;
        if self.lacks && !prompt.trim().is_empty() {
            self.forget();
            return Err(Error::input("prompt", format!("`{prompt}` is not asked: its picture could not be read")));
        }
        let mut answers = Vec::new();
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            match lane.ask(self.session, &self.images, prompt) {
                Ok(answer) => answers.push((lane.kind, answer)),
                Err(error) => {
                    // The question was asked of all or of none; it may come again.
                    self.lanes[..at].iter_mut().try_for_each(|lane| lane.talk.take_back())?;
                    return Err(error);
                }
            }
        }
        if self.session.general.json {
            self.session.output.json(&result(&self.images, prompt, self.limits, &answers).to_string())?;
        }
        self.images.clear();
        Ok(())
    }
}

/// Whether what was typed means an image: by its ending or as a URL, or because it is the path from the root of a file
/// that is there.
fn is_image(path: &Path, typed: &str) -> bool {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    let one_word = first_word(typed).1.is_empty();
    let named = IMAGES.contains(&ending.as_str()) && (one_word || path.is_file());
    named || typed.starts_with("file://") && one_word || path.is_absolute() && path.is_file()
}

/// The path that a typed or dropped text means.
fn path_of(typed: &str) -> PathBuf {
    let bare = |quote| typed.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
    if let Some(inner) = bare('"').or_else(|| bare('\'')) {
        return PathBuf::from(inner);
    }
    if let Some(url) = typed.strip_prefix("file://") {
        return percent_decoded(url);
    }
    // A path that is there as it is typed needs no reading between the lines.
    if Path::new(typed).exists() {
        return PathBuf::from(typed);
    }
    let mut made = String::new();
    let mut letters = typed.chars();
    while let Some(letter) = letters.next() {
        made.push(if letter == '\\' { letters.next().unwrap_or(letter) } else { letter });
    }
    PathBuf::from(made)
}

fn percent_decoded(url: &str) -> PathBuf {
    use std::os::unix::ffi::OsStringExt;
    let bytes = url.as_bytes();
    let (mut made, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let digits = bytes.get(at + 1..at + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        let code = digits.filter(|_| bytes[at] == b'%').and_then(|digits| u8::from_str_radix(digits, 16).ok());
        made.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    PathBuf::from(std::ffi::OsString::from_vec(made))
}

/// The first word, in which quotes and backslashes keep spaces, and what is behind it.
fn first_word(line: &str) -> (&str, &str) {
    let quote = line.chars().next().filter(|letter| ['"', '\''].contains(letter));
    let mut escaped = false;
    let mut open = false;
    for (at, letter) in line.char_indices() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if quote.is_none() => escaped = true,
            _ if Some(letter) == quote => open = !open,
            _ if letter.is_whitespace() && !open => return (&line[..at], line[at..].trim_start()),
            _ => {}
        }
    }
    (line, "")
}

/// Where lines come from.
enum Input {
    /// A person, who can edit the line and go back to earlier ones.
    Terminal(Box<rustyline::DefaultEditor>),
    /// A script.
    Lines,
}

impl Input {
    fn new() -> Result<Self> {
        if !std::io::stdin().is_terminal() {
            return Ok(Input::Lines);
        }
        // Standard output is for answers, so the line is edited on the terminal itself.
        let config = rustyline::Config::builder().behavior(rustyline::Behavior::PreferTerm).auto_add_history(true);
        let editor = rustyline::DefaultEditor::with_config(config.build()).map_err(terminal_error)?;
        Ok(Input::Terminal(Box::new(editor)))
    }

    /// The next line; none at the end.
    fn line(&mut self) -> Result<Option<String>> {
        match self {
            Input::Terminal(editor) => match editor.readline("> ") {
                Ok(line) => Ok(Some(line)),
                Err(ReadlineError::Eof | ReadlineError::Interrupted) => Ok(None),
                Err(error) => Err(terminal_error(error)),
            },
            Input::Lines => {
                let mut bytes = Vec::new();
                let read = std::io::stdin().lock().read_until(b'\n', &mut bytes);
                match read.map_err(|error| Error::io(Path::new("standard input"), &error))? {
                    0 => Ok(None),
                    _ => String::from_utf8(bytes)
                        .map(Some)
                        .map_err(|error| Error::input("standard input", format!("a line is no UTF-8: {error}"))),
                }
            }
        }
    }
}

fn terminal_error(error: ReadlineError) -> Error {
    Error::io(Path::new("terminal"), &std::io::Error::other(error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_keep_quoted_and_escaped_spaces() {
        for (line, word, rest) in [
            ("a.png What?", "a.png", "What?"),
            ("'my a.png'  What is it?", "'my a.png'", "What is it?"),
            (r"my\ a.png what", r"my\ a.png", "what"),
            ("what's up now", "what's", "up now"),
            ("", "", ""),
        ] {
            assert_eq!(first_word(line), (word, rest), "{line}");
        }
    }

    #[test]
    fn paths_are_what_was_meant() {
        for (typed, path) in [
            ("a.png", "a.png"),
            ("\"/x/my a.png\"", "/x/my a.png"),
            ("'/x/my a.png'", "/x/my a.png"),
            (r"/x/my\ a.png", "/x/my a.png"),
            ("file:///x/my%20a.png", "/x/my a.png"),
            ("file:///x/100%.png", "/x/100%.png"),
        ] {
            assert_eq!(path_of(typed), PathBuf::from(path), "{typed}");
        }
    }

    #[test]
    fn questions_that_name_a_picture_stay_questions() {
        let means_image = |typed: &str| is_image(&path_of(typed), typed);
        assert!(means_image("nowhere.png") && means_image("file:///nowhere/a"));
        assert!(!means_image("What is in nowhere.png") && !means_image("Hello") && !means_image("/nowhere/a"));
    }
}
