//! A summary of what a file or folder holds, for a terminal.

use std::path::Path;

use autoneural::shown::in_line;

/// Lines of a summary: each what it is about, and what there is to say.
pub struct Summary(pub String);

impl Summary {
    pub fn new(title: &str) -> Self {
        Summary(format!("{title}\n"))
    }

    /// Adds a line; what it says may come from files of others.
    pub fn line(&mut self, what: &str, text: &str) {
        self.0.push_str(&format!("  {:<16} {}\n", in_line(what), in_line(text)));
    }

    /// Adds what the user may do next, and what the summary leaves out.
    pub fn next(&mut self, commands: &[String], more: &str) {
        for command in commands {
            self.0.push_str(&format!("next: {}\n", in_line(command)));
        }
        if !more.is_empty() {
            self.0.push_str(&format!("(--all lists {more})\n"));
        }
    }
}

/// A path as a shell takes it.
pub fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    shlex::try_quote(&text).map(|quoted| quoted.into_owned()).unwrap_or(text)
}

/// `1 file`, `2 files`.
pub fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
