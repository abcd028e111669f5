//! Files on their way to the disk, beside other work: whoever made gigabytes need not wait for them before the end.

use std::fs::File;
use std::path::PathBuf;
use std::sync::mpsc::{Sender, channel};
use std::thread::{Builder, JoinHandle};

use crate::error::{Error, IoContext, Result};

/// Brings files to the disk on a thread of its own, in the order in which they come.
#[derive(Default)]
pub struct Flusher {
    running: Option<Running>,
}

/// The thread, and the way to it.
struct Running {
    sender: Sender<(File, PathBuf)>,
    thread: JoinHandle<Result<()>>,
}

impl Flusher {
    /// Takes in a file; `path` is for messages.
    ///
    /// # Errors
    /// There is no thread for it, and the disk does not take the file.
    pub fn add(&mut self, file: File, path: PathBuf) -> Result<()> {
        if self.running.is_none() {
            self.running = Self::start();
        }
        match &self.running {
            // What ended the thread is told at the end.
            Some(running) => drop(running.sender.send((file, path))),
            None => file.sync_all().at(&path)?,
        }
        Ok(())
    }

    fn start() -> Option<Running> {
        let (sender, receiver) = channel::<(File, PathBuf)>();
        let work = move || receiver.into_iter().try_for_each(|(file, path)| file.sync_all().at(&path));
        let thread = Builder::new().name("flush".into()).spawn(work).ok()?;
        Some(Running { sender, thread })
    }

    /// Waits until all of them are on the disk.
    ///
    /// # Errors
    /// The disk does not take one.
    pub fn finish(&mut self) -> Result<()> {
        let Some(Running { sender, thread }) = self.running.take() else { return Ok(()) };
        drop(sender);
        thread.join().unwrap_or_else(|_| Err(Error::internal("flush", "the thread that flushes files panicked")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_taken_in_and_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut flusher = Flusher::default();
        flusher.finish().unwrap();
        for number in 0..3 {
            let path = folder.path().join(number.to_string());
            flusher.add(File::create(&path).unwrap(), path).unwrap();
        }
        flusher.finish().unwrap();
        flusher.finish().unwrap();
    }

    #[test]
    fn what_cannot_be_flushed_is_told() {
        let mut flusher = Flusher::default();
        // A pipe has nothing to flush, and says so.
        let (reader, _writer) = std::io::pipe().unwrap();
        flusher.add(File::from(std::os::fd::OwnedFd::from(reader)), "a pipe".into()).unwrap();
        let error = flusher.finish().unwrap_err();
        assert_eq!(error.place, "a pipe");
    }
}
