//! The arrows between the crates of the workspace, from `cargo metadata`. docs/ARCHITECTURE.md says why they are as they are.

use serde_json::Value;

use super::Finding;

/// On which crates of ours a crate may build. `None`: on any.
const ARROWS: &[(&str, Option<&[&str]>)] = &[
    ("adv-core", Some(&[])),
    ("adv-ops", Some(&[])),
    ("adv-models", Some(&["adv-core", "adv-ops"])),
    ("adv-data", Some(&[])),
    ("adv-hub", Some(&[])),
    ("adv-contrast", Some(&["adv-core", "adv-data", "adv-models"])),
    (
        "adv-prompt",
        Some(&["adv-core", "adv-ops", "adv-data", "adv-models", "adv-contrast"]),
    ),
    ("adv-run", None),
    ("adv-bench", None),
    ("xtask", Some(&[])),
];

/// All that the core may build on.
const CORE: &str = "adv-core";
const CORE_DEPENDENCIES: &[&str] = &["burn", "rand_core", "thiserror"];

const WHY: &str =
    "the arrows keep the core usable alone, and each crate understandable without those above it";

/// One line of a `[dependencies]` table.
struct Dependency<'a> {
    name: &'a str,
    is_dev: bool,
    has_version: bool,
}

/// Every crate of the workspace against the table.
pub fn check(metadata: &Value) -> Vec<Finding> {
    let packages: Vec<&Value> = metadata["packages"].as_array().into_iter().flatten().collect();
    let ours: Vec<&str> = packages
        .iter()
        .filter_map(|package| package["name"].as_str())
        .collect();
    let root = metadata["workspace_root"].as_str().unwrap_or_default();
    packages
        .iter()
        .flat_map(|package| check_crate(package, &ours, root))
        .collect()
}

fn check_crate(package: &Value, ours: &[&str], root: &str) -> Vec<Finding> {
    let name = package["name"].as_str().unwrap_or_default();
    let path = package["manifest_path"].as_str().unwrap_or_default();
    let path = path
        .strip_prefix(root)
        .unwrap_or(path)
        .trim_start_matches('/')
        .to_owned();
    let finding = |what: String, mend: &'static str| Finding {
        path: path.clone(),
        line: 1,
        what,
        why: WHY,
        mend,
    };

    let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
        return vec![finding(
            format!("`{name}` has no row in the table of arrows"),
            "add it in xtask/src/tidy/arrows.rs",
        )];
    };
    let mut findings = Vec::new();
    for dependency in dependencies(package) {
        let target = dependency.name;
        let is_ours = ours.contains(&target);
        let may = !is_ours || allowed.is_none_or(|allowed| allowed.contains(&target));
        if !may && !dependency.is_dev {
            findings.push(finding(
                format!("`{name}` depends on `{target}`"),
                "move the code to the crate that may know both",
            ));
        }
        if !may && dependency.is_dev && dependency.has_version {
            let what = format!("`{name}` has the dev-dependency `{target}` with a version");
            findings.push(finding(
                what,
                "give its path only, so that the two can be published one after the other",
            ));
        }
        if name == CORE && !is_ours && !dependency.is_dev && !CORE_DEPENDENCIES.contains(&target) {
            findings.push(finding(
                format!("`{CORE}` depends on `{target}`"),
                "the core takes it as an argument, or does without",
            ));
        }
    }
    findings
}

fn dependencies(package: &Value) -> impl Iterator<Item = Dependency<'_>> {
    package["dependencies"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|dependency| {
            Some(Dependency {
                name: dependency["name"].as_str()?,
                is_dev: dependency["kind"] == "dev",
                has_version: dependency["req"] != "*",
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// What is found in a workspace of all our crates where `name` has one dependency.
    fn found(name: &str, dependency: Value) -> Vec<String> {
        let names = ARROWS.iter().map(|(known, _)| *known).chain(["adv-new"]);
        let package = |known: &str| {
            let dependencies = if known == name {
                vec![dependency.clone()]
            } else {
                vec![]
            };
            json!({"name": known, "manifest_path": format!("/w/crates/{known}/Cargo.toml"), "dependencies": dependencies})
        };
        let packages: Vec<Value> = names
            .filter(|known| *known != "adv-new" || name == "adv-new")
            .map(package)
            .collect();
        let findings = check(&json!({"workspace_root": "/w", "packages": packages}));
        assert!(
            findings
                .iter()
                .all(|finding| finding.path == format!("crates/{name}/Cargo.toml"))
        );
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn arrows_point_down() {
        let table = [
            ("adv-core", "adv-models", 1),
            ("adv-core", "burn", 0),
            ("adv-core", "thiserror", 0),
            ("adv-core", "serde", 1),
            ("adv-ops", "adv-core", 1),
            ("adv-ops", "libc", 0),
            ("adv-models", "adv-core", 0),
            ("adv-models", "adv-ops", 0),
            ("adv-models", "adv-data", 1),
            ("adv-data", "adv-core", 1),
            ("adv-hub", "adv-data", 1),
            ("adv-contrast", "adv-prompt", 1),
            ("adv-prompt", "adv-contrast", 0),
            ("adv-run", "adv-hub", 0),
            ("adv-run", "adv-data", 0),
            ("adv-bench", "adv-models", 0),
            ("xtask", "adv-core", 1),
            ("adv-new", "burn", 1),
        ];
        for (from, to, expected) in table {
            for kind in [Value::Null, json!("build")] {
                let found = found(from, json!({"name": to, "kind": kind, "req": "^1"}));
                assert_eq!(found.len(), expected, "{from} -> {to}: {found:?}");
            }
        }
    }

    #[test]
    fn dev_dependencies_are_counted_apart() {
        let table = [
            ("adv-core", "proptest", "^1", 0),
            ("adv-core", "adv-models", "*", 0),
            ("adv-core", "adv-models", "^0.1.0", 1),
            ("adv-models", "adv-core", "^0.1.0", 0),
        ];
        for (from, to, version, expected) in table {
            let found = found(from, json!({"name": to, "kind": "dev", "req": version}));
            assert_eq!(found.len(), expected, "{from} -> {to} {version}: {found:?}");
        }
    }
}
