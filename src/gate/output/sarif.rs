//! SARIF 2.1.0 (OASIS standard, <https://docs.oasis-open.org/sarif/sarif/v2.1.0/>): a result for everything that got worse,
//! could not be judged, or has a warning, at its line in the baseline.

use serde_json::{Value, json};

use super::{Statement, message};
use crate::error::{Error, Result};
use crate::gate::{Check, Outcome, Rule, plain};

/// Name of the repository's root (section 3.14.14), as the specification's examples and readers have it.
const ROOT: &str = "%SRCROOT%";

/// The whole file.
///
/// # Errors
/// None that a user can cause.
pub fn sarif(statement: &Statement) -> Result<String> {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| json!({ "id": rule.id(), "shortDescription": { "text": rule.describe() } }))
        .collect();
    let (results, invocation) = match statement.result {
        Ok(judgement) => {
            let results: Vec<Value> = judgement.checks.iter().filter_map(|check| result(statement, check)).collect();
            let exit = judgement.verdict.exit_status();
            (results, json!({ "executionSuccessful": exit != 2, "exitCode": exit }))
        }
        Err(why) => {
            let notification = json!({ "level": "error", "message": { "text": plain(why) } });
            let invocation = json!({
                "executionSuccessful": false, "exitCode": 2, "toolExecutionNotifications": [notification],
            });
            (vec![], invocation)
        }
    };
    let mut log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "autoneural gate",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "invocations": [invocation],
            "results": results,
        }],
    });
    if let Some(uri) = statement.located.root_uri() {
        log["runs"][0]["originalUriBaseIds"] = json!({ ROOT: { "uri": uri } });
    }
    let text = serde_json::to_string_pretty(&log).map_err(|error| Error::internal("SARIF", error))?;
    Ok(text + "\n")
}

fn result(statement: &Statement, check: &Check) -> Option<Value> {
    let level = match check.outcome {
        Outcome::Failed | Outcome::Unjudged => "error",
        Outcome::Warning => "warning",
        Outcome::Skipped | Outcome::Passed => return None,
    };
    let place = plain(&check.place.to_string());
    let mut artifact = json!({ "uri": statement.located.uri() });
    if statement.located.root.is_some() {
        artifact["uriBaseId"] = json!(ROOT);
    }
    Some(json!({
        "ruleId": check.rule.id(),
        "ruleIndex": Rule::ALL.iter().position(|rule| *rule == check.rule),
        "level": level,
        "message": { "text": format!("{place}: {}", message(check)) },
        "locations": [{
            "physicalLocation": {
                "artifactLocation": artifact,
                "region": { "startLine": statement.line(check) },
            },
            "logicalLocations": [{ "fullyQualifiedName": place }],
        }],
    }))
}
