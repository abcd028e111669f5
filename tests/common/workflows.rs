//! The ready workflows, read.

use crate::common::root;

/// A step or a line of a job that runs something.
pub struct Step {
    pub name: String,
    pub script: String,
}

/// The lines of a job, up to the next.
pub fn job<'a>(text: &'a str, title: &str) -> Vec<&'a str> {
    let depth = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip_while(|line| line.trim() != title || line.starts_with('#'));
    let level = depth(lines.next().unwrap_or_else(|| panic!("no job {title}")));
    lines.take_while(|line| line.trim().is_empty() || depth(line) > level || line.trim().starts_with('#')).collect()
}

/// The steps of a job for GitHub Actions that run something.
pub fn github_steps(text: &str, title: &str) -> Vec<Step> {
    let lines = job(text, title);
    let mut steps = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let Some(name) = line.strip_prefix("      - name: ") else { continue };
        let run = at + 1 + usize::from(lines[at + 1].starts_with("        if: "));
        assert_eq!(lines[run], "        run: |", "the step `{name}`");
        let body = lines[run + 1..].iter().map_while(|line| line.strip_prefix("          "));
        steps.push(Step { name: name.to_string(), script: body.collect::<Vec<_>>().join("\n") });
    }
    steps
}

pub fn read(name: &str) -> String {
    std::fs::read_to_string(root("workflows").join(name)).unwrap()
}
