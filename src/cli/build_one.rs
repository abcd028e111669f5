//! Context binaries, each by a process of its own that runs a hidden command of this program.
//!
//! The vendor's compiler numbers what it makes through the life of a process, so that a binary depends on what was
//! compiled before it. In a process of its own it has the same bytes whatever was done before and beside it.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use autoneural::back::qnn::{Compiler, Job, Runtime, Toolkit};
use autoneural::error::{IoContext, Kind};
use autoneural::target::Target;
use autoneural::{Error, Result, limits};
use clap::Args;

use super::session::Session;

/// Name of the hidden command.
pub const COMMAND: &str = "build-one";
/// The program that is running, whatever its file was replaced by since.
pub const PROGRAM: &str = "/proc/self/exe";

/// Arguments of the hidden command: those of a [`Job`].
#[derive(Args)]
pub struct BuildOne {
    model: PathBuf,
    #[arg(long)]
    name: String,
    #[arg(long)]
    data: PathBuf,
    #[arg(long)]
    target: PathBuf,
    #[arg(long)]
    context: PathBuf,
}

impl BuildOne {
    /// Runs the command.
    ///
    /// # Errors
    /// The toolkit or a file is missing, or the toolkit refuses the model.
    pub fn run(&self, session: &Session) -> Result<()> {
        end_with_parent();
        let runtime = session.runtime(true)?;
        let runtime = runtime.ok_or_else(|| Error::internal(&self.name, "there is no runtime to compile it with"))?;
        let BuildOne { model, name, data, target: target_file, context, .. } = self;
        let text = autoneural::text::read(target_file)?;
        let target = Target::parse(&text, target_file)?;
        runtime.compile(&Job { name, model, data, target: &target, target_file, context })
    }
}

/// Ends this process when the one that started it ends, which closes its end of the pipe: a run that is killed must not
/// go on writing.
fn end_with_parent() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        // The vendor's code does not look up before it is done.
        std::process::abort();
    });
}

/// Compiles in processes of their own.
pub struct ChildCompiler<'a> {
    toolkit: Toolkit,
    runtime: &'a Runtime,
}

impl<'a> ChildCompiler<'a> {
    /// A compiler with the toolkit of a runtime, if it has one.
    ///
    /// # Errors
    /// This process may take less address space than the toolkit needs.
    pub fn new(session: &Session, runtime: Option<&'a Runtime>) -> Result<Option<Self>> {
        let Some(runtime) = runtime.filter(|runtime| runtime.has_npu()) else { return Ok(None) };
        Runtime::refuse_scant_address_space()?;
        Ok(Some(ChildCompiler { toolkit: session.toolkit(), runtime }))
    }
}

impl Compiler for ChildCompiler<'_> {
    fn identity(&self) -> &str {
        self.runtime.identity()
    }

    fn compile(&self, job: &Job) -> Result<()> {
        let mut child = Command::new(PROGRAM);
        // The provider looks into the current folder for a driver, and what it finds there changes what it writes.
        child.current_dir("/");
        let absolute = |path: &Path| std::path::absolute(path).at(path);
        child.args([COMMAND, "--json", "--name", job.name]).arg(absolute(job.model)?);
        child.arg("--data").arg(absolute(job.data)?).arg("--target").arg(absolute(job.target_file)?);
        child.arg("--context").arg(absolute(job.context)?);
        if let Some(folder) = &self.toolkit.folder {
            child.arg("--toolkit").arg(folder);
        }
        // SAFETY: two calls of the system in the new process, which take no lock and no memory.
        unsafe {
            child.pre_exec(|| {
                // Some choices of the vendor's compiler follow from addresses (graphs with weights in blocks): with the same
                // ones in each run it writes the same bytes. Where the system does not grant it, they may differ.
                const ASK: libc::c_ulong = 0xffff_ffff;
                let persona = libc::personality(ASK);
                if persona != -1 {
                    libc::personality(persona as libc::c_ulong | libc::ADDR_NO_RANDOMIZE as libc::c_ulong);
                }
                Ok(())
            });
        }
        child.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let output = child.spawn().and_then(|mut child| {
            // Open until the process is over, or this one is.
            let _pipe = child.stdin.take();
            child.wait_with_output()
        });
        let output = output.map_err(|error| {
            let error = Error::io(Path::new(job.name), &error);
            Error { message: format!("the NPU compiler does not start: {}", error.message), ..error }
        })?;
        if output.status.success() {
            return Ok(());
        }
        Err(error_of(&String::from_utf8_lossy(&output.stderr), output.status.code()).unwrap_or_else(|| {
            let said = String::from_utf8_lossy(&output.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).map(|line| format!(": {}", line.trim()));
            let message = format!("the NPU compiler broke off: {}{}", output.status, last.unwrap_or_default());
            limits::explained(
                Error::toolkit(job.name, message).help(
                    "where memory ran out, fewer programs beside it help; `autoneural doctor` checks the toolkit",
                ),
            )
        }))
    }
}

/// The error that the hidden command printed as JSON, with the kind that its exit status says.
fn error_of(said: &str, status: Option<i32>) -> Option<Error> {
    let kinds = [Kind::Input, Kind::Io, Kind::Toolkit, Kind::Verification, Kind::Internal];
    let kind = kinds.into_iter().find(|kind| Some(i32::from(kind.exit_status())) == status)?;
    let value: serde_json::Value = said.lines().rev().find_map(|line| serde_json::from_str(line).ok())?;
    let text = |key: &str| value["error"][key].as_str().map(String::from);
    Some(Error { kind, place: text("place")?, message: text("message")?, help: text("help") })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_comes_back_as_it_was() {
        let said = "noise\n{\"error\":{\"kind\":\"io\",\"place\":\"x\",\"message\":\"full\",\"help\":\"free some\"}}\n";
        let error = error_of(said, Some(4)).unwrap();
        assert_eq!((error.kind, error.place.as_str(), error.message.as_str()), (Kind::Io, "x", "full"));
        assert_eq!(error.help.as_deref(), Some("free some"));
        assert!(error_of("terminate called", Some(4)).is_none() && error_of(said, None).is_none());
    }
}
