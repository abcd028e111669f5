//! Opening a page in the user's browser.

use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use autoneural::shown::in_line;

use super::session::Session;

/// What opens a file with the program that the user chose for it.
const OPENER: &str = "xdg-open";

/// Hands a page to the user's browser; says what to do where there is none. Gives whether it was handed over.
pub fn open(session: &Session, page: &Path) -> bool {
    let shown = page.display().to_string();
    let is_set = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    if !["DISPLAY", "WAYLAND_DISPLAY"].iter().any(is_set) {
        session.note(&format!("note: there is no display here; open {} in a browser", in_line(&shown)));
        return false;
    }
    let mut command = Command::new(OPENER);
    // What begins like an option is none.
    command.arg(if page.is_absolute() { page.to_path_buf() } else { Path::new(".").join(page) });
    // It may live as long as the browser does.
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Ok(_) => true,
        Err(error) => {
            let why = match error.kind() {
                ErrorKind::NotFound => "is not installed".to_string(),
                _ => format!("does not start ({error})"),
            };
            session.note(&format!("note: {OPENER} {why}; open {} in a browser", in_line(&shown)));
            false
        }
    }
}
