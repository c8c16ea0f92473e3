//! `tidy`: the rules of the house as code. docs/STYLE.md lists them, and those that only a reader can check.

mod arrows;
mod files;
mod forbidden;
mod rust;
mod source;

use std::fmt;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::process::{cargo, read_stdout, root};
use source::Source;

/// A broken rule: where, what, why it matters, how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// File, relative to the root of the workspace.
    pub path: String,
    /// Line from 1 on.
    pub line: usize,
    /// What was found.
    pub what: String,
    /// Why the rule stands.
    pub why: &'static str,
    /// What to write instead.
    pub mend: &'static str,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            why,
            mend,
        } = self;
        write!(f, "{path}:{line}: {what}\n    why:  {why}\n    mend: {mend}")
    }
}

/// Checks the whole workspace and prints what it finds.
pub fn run() -> Result<ExitCode> {
    let findings = check()?;
    for finding in &findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        eprintln!("tidy: nothing found");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("tidy: {} to mend", findings.len());
    Ok(ExitCode::FAILURE)
}

fn check() -> Result<Vec<Finding>> {
    let mut metadata = cargo(["metadata", "--format-version", "1", "--no-deps"]);
    let metadata =
        serde_json::from_str(&read_stdout(metadata.current_dir(root()))?).context("cargo metadata")?;
    let mut findings = arrows::check(&metadata);

    let paths = listed_files()?;
    findings.extend(files::missing(&paths));
    for path in paths {
        let Ok(bytes) = std::fs::read(root().join(&path)) else {
            continue;
        }; // listed but deleted
        findings.extend(files::size(&path, bytes.len()));
        let Ok(text) = String::from_utf8(bytes) else {
            continue;
        }; // no text
        findings.extend(files::text(&path, &text));
        if path.ends_with(".rs") {
            let source = Source::new(&path, text);
            findings.extend(rust::check(&source));
            findings.extend(forbidden::check(&source));
        }
    }
    Ok(findings)
}

/// What git tracks, and new files that it does not ignore.
fn listed_files() -> Result<Vec<String>> {
    let mut git = Command::new("git");
    git.current_dir(root())
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let list = read_stdout(&mut git).context("tidy needs a git checkout")?;
    Ok(list
        .split('\0')
        .filter(|path| !path.is_empty())
        .map(str::to_owned)
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_why_and_how_to_mend_it() {
        let (why, mend) = ("reason", "remedy");
        let finding = Finding {
            path: "a/b.rs".into(),
            line: 7,
            what: "thing".into(),
            why,
            mend,
        };
        assert_eq!(
            finding.to_string(),
            "a/b.rs:7: thing\n    why:  reason\n    mend: remedy"
        );
    }
}
