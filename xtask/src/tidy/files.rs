//! Rules on any tracked file: size, blanks, paths that a user does not have, workspace lints, the files that must be there.

use super::Finding;

/// Files that a release needs.
const REQUIRED: &[&str] = &[
    "CHANGELOG.md",
    "README.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deny.toml",
    ".ci/run",
];

/// Size from which a file does not belong in git, in bytes.
const SIZE_LIMIT: usize = 1_000_000;

/// Folders of one machine. Written in halves, so that this file passes its own check.
const PRIVATE_FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/")];

/// The folder of data beside the checkout, which only `.ci/run` may name.
const DATA_FOLDERS: &[&str] = &[
    concat!("../sha", "red"),
    concat!("sha", "red/data"),
    concat!("sha", "red/models"),
    concat!("sha", "red/golden"),
    concat!("sha", "red/reference"),
];
const CI: &str = ".ci/run";

/// Endings of the text files that people write here.
const WRITTEN: &[&str] = &[".rs", ".toml", ".md", ".py", ".yml", ".sh", "/run"];

/// The required files that `paths` lacks.
pub fn missing(paths: &[String]) -> Vec<Finding> {
    let absent = REQUIRED
        .iter()
        .filter(|required| !paths.iter().any(|path| path == *required));
    let finding = |path: &&str| Finding {
        path: (*path).to_owned(),
        line: 1,
        what: "the file is missing".to_owned(),
        why: "users and packagers look for it",
        mend: "write it",
    };
    absent.map(finding).collect()
}

/// A file too large for git.
pub fn size(path: &str, bytes: usize) -> Option<Finding> {
    (bytes > SIZE_LIMIT).then(|| Finding {
        path: path.to_owned(),
        line: 1,
        what: format!("{bytes} bytes (limit {SIZE_LIMIT})"),
        why: "every clone carries it for ever",
        mend: "download it when it is needed, or make it smaller",
    })
}

/// Rules on the lines of a text file.
pub fn text(path: &str, text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut push = |line: usize, what: &str, why, mend| {
        findings.push(Finding {
            path: path.to_owned(),
            line,
            what: what.to_owned(),
            why,
            mend,
        });
    };
    let written = WRITTEN.iter().any(|ending| path.ends_with(ending));
    for (i, line) in text.lines().enumerate() {
        if written && line.ends_with([' ', '\t']) {
            push(
                i + 1,
                "blank at the end of the line",
                "it shows up in every diff",
                "remove it",
            );
        }
        if written && line.contains('\t') {
            push(i + 1, "tab", "its width depends on the reader", "use blanks");
        }
        if PRIVATE_FOLDERS.iter().any(|folder| line.contains(folder)) {
            push(
                i + 1,
                "a path of one machine",
                "a user does not have it",
                "take it from an argument or the environment",
            );
        }
        if path != CI && DATA_FOLDERS.iter().any(|folder| line.contains(folder)) {
            push(
                i + 1,
                "the data folder of the CI",
                "a user does not have it",
                "use ADV_DATA_DIR and its like",
            );
        }
    }
    if is_crate_manifest(path) && !inherits_lints(text) {
        push(
            1,
            "no workspace lints",
            "every crate keeps the same rules",
            "add `[lints]` with `workspace = true`",
        );
    }
    findings
}

fn is_crate_manifest(path: &str) -> bool {
    path.ends_with("/Cargo.toml")
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = "[package]\nname = \"x\"\n";

    #[test]
    fn lines_of_text_are_clean() {
        let private = format!("see {}x", PRIVATE_FOLDERS[0]);
        let data = format!("{}/mnist", DATA_FOLDERS[1]);
        let table: [(&str, &str, usize); 9] = [
            ("a.md", "clean\n\nlines", 0),
            ("a.md", "two blanks  \nnext", 1),
            ("a.rs", "\tlet x;", 1),
            ("data.csv", "1\t2 \n", 0),
            ("a.md", &private, 1),
            (CI, &private, 1),
            ("README.md", &data, 1),
            (CI, &data, 0),
            ("a.md", "memory shared/unshared", 0),
        ];
        for (path, text, expected) in table {
            assert_eq!(super::text(path, text).len(), expected, "{path}: {text:?}");
        }
    }

    #[test]
    fn crates_take_the_lints_of_the_workspace() {
        let good = format!("{MANIFEST}\n[lints]\nworkspace = true\n");
        let table = [
            (good, 0),
            (MANIFEST.to_owned(), 1),
            (format!("{MANIFEST}[lints]\nrust = {{}}\n"), 1),
        ];
        for (manifest, expected) in table {
            assert_eq!(
                text("crates/x/Cargo.toml", &manifest).len(),
                expected,
                "{manifest}"
            );
        }
        assert!(text("Cargo.toml", "[workspace]\n").is_empty());
    }

    #[test]
    fn large_files_stay_out() {
        assert!(size("a.bin", SIZE_LIMIT).is_none());
        assert!(size("a.bin", SIZE_LIMIT + 1).is_some_and(|finding| finding.what.contains("1000001 bytes")));
    }

    #[test]
    fn required_files_are_missed_by_name() {
        let all: Vec<String> = REQUIRED.iter().map(|path| (*path).to_owned()).collect();
        assert!(missing(&all).is_empty());
        let findings = missing(&all[1..]);
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, "CHANGELOG.md");
    }
}
