//! The ready workflows: what others control in them.

use crate::common::workflows::{Step, github_steps, job, read};

/// What is another's is pinned, gets no more rights than it needs, and no text of a pull request becomes part of a
/// script.
#[test]
fn what_others_control_is_pinned_and_stays_out_of_the_shell() {
    let github = read("github.yml");
    let lines: Vec<&str> = github.lines().collect();
    let used: Vec<&str> = lines.iter().filter_map(|line| line.trim().strip_prefix("- uses: ")).collect();
    assert_eq!(used.len(), 6, "{used:?}");
    assert_eq!(github.matches("uses:").count(), used.len(), "in one form");
    for action in used {
        let (name, rest) = action.split_once('@').unwrap_or_else(|| panic!("{action}"));
        let (commit, version) = rest.split_once(" # v").unwrap_or_else(|| panic!("{action}"));
        assert!(name.contains('/'), "{action}");
        assert!(commit.len() == 40 && commit.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')), "{action}");
        let numbers: Vec<&str> = version.split('.').collect();
        assert!(numbers.len() == 3 && numbers.iter().all(|number| number.parse::<u32>().is_ok()), "{action}");
    }
    let steps = ["compile:", "gate:"].map(|title| github_steps(&github, title));
    let scripts: Vec<&Step> = steps.iter().flatten().collect();
    assert_eq!(scripts.len(), github.matches("run: ").count(), "all steps are known");
    for Step { name, script } in scripts {
        assert!(!script.contains("${{"), "{name}: an expression becomes part of the script:\n{script}");
    }
    let expressions: Vec<&str> = lines.iter().filter(|line| line.contains("${{")).copied().collect();
    let known = ["\"${{ env.OUT }}\"", "concurrency: { group: \"quantization-${{ github.ref }}\", "];
    assert!(expressions.iter().all(|line| known.iter().any(|known| line.contains(known))), "{expressions:?}");
    assert_eq!(lines.iter().filter(|line| line.starts_with("    timeout-minutes: ")).count(), 2, "of each job");
    assert!(lines.contains(&"on: [pull_request]"), "not what gives a fork's code the secrets of this repository");
    assert!(lines.contains(&"permissions: {}"), "no rights but those of a job");
    for (title, rights) in
        [("compile:", &["contents: read"][..]), ("gate:", &["contents: read", "security-events: write"])]
    {
        let job = job(&github, title);
        let rest = job.iter().skip_while(|line| line.trim() != "permissions:").skip(1);
        let found: Vec<&str> =
            rest.map_while(|line| line.strip_prefix("      ")).filter(|line| !line.starts_with("- ")).collect();
        assert_eq!(found, rights, "{title}");
    }
    // Variables of GitLab that a merge request fills.
    let gitlab = read("gitlab.yml");
    assert!(!gitlab.contains("CI_COMMIT") && !gitlab.contains("CI_MERGE_REQUEST"));
}
