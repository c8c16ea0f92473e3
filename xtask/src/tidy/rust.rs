//! The form of a Rust file: how it begins, how long it is, what it exports.

use super::Finding;
use super::source::Source;

/// Lines without tests that a file should keep to, and those that it must not pass.
const AIM: usize = 300;
const LIMIT: usize = 330;

/// Every rule on one file.
pub fn check(source: &Source) -> Vec<Finding> {
    [module_doc(source), length(source)]
        .into_iter()
        .flatten()
        .chain(glob_exports(source))
        .chain(unrun_examples(source))
        .collect()
}

fn finding(source: &Source, line: usize, what: String, why: &'static str, mend: &'static str) -> Finding {
    Finding {
        path: source.path.clone(),
        line,
        what,
        why,
        mend,
    }
}

fn module_doc(source: &Source) -> Option<Finding> {
    let begins_well = source
        .lines()
        .next()
        .is_some_and(|line| line.raw.starts_with("//! "));
    let why = "the first line tells a reader what the file is for";
    (!begins_well).then(|| {
        finding(
            source,
            1,
            "no `//!` line".into(),
            why,
            "begin the file with `//! What it is.`",
        )
    })
}

fn length(source: &Source) -> Option<Finding> {
    let lines = source.library_lines();
    let what = format!("{lines} lines before the tests (aim {AIM}, limit {LIMIT})");
    let why = "a file holds one idea that fits in a head";
    (lines > LIMIT).then(|| finding(source, LIMIT + 1, what, why, "split it where the idea splits"))
}

/// `pub use x::*`, also inside braces and over several lines.
fn glob_exports(source: &Source) -> Vec<Finding> {
    let code = source.code();
    let statements = code.match_indices("pub use ").filter(|(at, _)| {
        let statement = code[*at..].split(';').next().unwrap_or_default();
        statement.contains('*')
    });
    let line = |at: usize| code[..at].matches('\n').count() + 1;
    let why = "a glob hides which names are public";
    statements
        .map(|(at, _)| finding(source, line(at), "glob re-export".into(), why, "list the names"))
        .collect()
}

/// A documentation example that is fenced off from compiling.
fn unrun_examples(source: &Source) -> Vec<Finding> {
    let why = "an example that is not compiled rots";
    let unrun = source.lines().filter(|line| {
        let text = line.raw.trim_start();
        let fence = text
            .strip_prefix("///")
            .or_else(|| text.strip_prefix("//!"))
            .map(str::trim_start);
        fence
            .and_then(|fence| fence.strip_prefix("```"))
            .is_some_and(|tags| tags.contains("ignore"))
    });
    unrun
        .map(|line| {
            finding(
                source,
                line.number,
                "example marked `ignore`".into(),
                why,
                "make it compile, or fence it as `text`",
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(usize, String)> {
        let source = Source::new("crates/adv-core/src/a.rs", text.to_owned());
        check(&source)
            .into_iter()
            .map(|finding| (finding.line, finding.what))
            .collect()
    }

    #[test]
    fn a_file_begins_with_its_doc_line() {
        assert_eq!(found("//! What it is.\n"), []);
        for bad in ["", "\n//! Late.\n", "// Comment.\n", "use std::fmt;\n", "//!\n"] {
            assert_eq!(found(bad), [(1, "no `//!` line".to_owned())], "{bad:?}");
        }
    }

    #[test]
    fn length_counts_the_lines_before_the_tests() {
        let body = |lines: usize| format!("//! Doc.\n{}", "fn f() {}\n".repeat(lines - 1));
        assert_eq!(found(&body(LIMIT)), []);
        assert_eq!(
            found(&format!(
                "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
                body(LIMIT),
                "//\n".repeat(500)
            )),
            []
        );
        let (line, what) = found(&body(LIMIT + 1)).remove(0);
        assert_eq!(line, LIMIT + 1);
        assert!(what.starts_with("331 lines"), "{what}");
    }

    #[test]
    fn exports_are_listed_by_name() {
        let table = [
            ("pub use ball::Ball;", false),
            ("use super::*;", false),
            ("pub use ball::Ball; // not *", false),
            ("pub use ball::*;", true),
            ("pub use ball::{\n    step::*,\n};", true),
        ];
        for (text, bad) in table {
            let findings = found(&format!("//! Doc.\n{text}\n"));
            assert_eq!(!findings.is_empty(), bad, "{text}");
            assert!(findings.iter().all(|(line, _)| *line == 2), "{text}");
        }
    }

    #[test]
    fn examples_are_compiled() {
        let table = [
            ("```", 0),
            ("```no_run", 0),
            ("```text", 0),
            ("```ignore", 1),
            ("```rust,ignore", 1),
        ];
        for (fence, expected) in table {
            assert_eq!(
                found(&format!("//! Doc.\n/// {fence}\nfn f() {{}}\n")).len(),
                expected,
                "{fence}"
            );
        }
    }
}
