//! How long work reports what it is doing; the command line decides how that looks.

/// Receives the progress of stages. Threads may report at the same time, each one stage at a time.
pub trait Progress: Sync {
    /// A stage of `steps` steps begins.
    fn start(&self, stage: &str, steps: u64);
    /// A step that may take long begins; `what` names it.
    fn begin(&self, what: &str);
    /// A part of a step that may take long begins; `what` names it.
    fn part(&self, what: &str);
    /// One step was done; `what` names it.
    fn tick(&self, what: &str);
    /// The stage is over.
    fn finish(&self);
    /// A piece of work need not be done: nothing that it reads has changed since it was.
    fn reuse(&self, what: &str);
}

/// Says nothing.
pub struct Silent;

impl Progress for Silent {
    fn start(&self, _: &str, _: u64) {}
    fn begin(&self, _: &str) {}
    fn part(&self, _: &str) {}
    fn tick(&self, _: &str) {}
    fn finish(&self) {}
    fn reuse(&self, _: &str) {}
}
