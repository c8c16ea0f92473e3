//! Calls, macros and attributes that do not belong in a part of the code: one table, one check.

use super::Finding;
use super::source::{Line, Source};

/// Something that a line of code may contain.
enum Pattern {
    /// The call of a macro, by its name.
    Macro(&'static str),
    /// An attribute, by its name.
    Attribute(&'static str),
    /// The text itself.
    Text(&'static str),
}

/// One rule.
struct Rule {
    patterns: &'static [Pattern],
    /// Which lines the rule looks at.
    covers: fn(&Source, &Line) -> bool,
    why: &'static str,
    mend: &'static str,
}

/// The only file that may differentiate.
const LEDGER: &str = "crates/adv-core/src/ledger/mod.rs";

/// Written at the end of a line, it says that a tensor is far below the size where Burn's `sum` varies.
const SMALL_SUM: &str = "// tidy: small";

use Pattern::{Attribute, Macro, Text};

const RULES: &[Rule] = &[
    Rule {
        patterns: &[Macro("todo"), Macro("unimplemented"), Macro("dbg")],
        covers: |_, _| true,
        why: "what is committed is finished",
        mend: "write the code, or leave it out and open an issue",
    },
    Rule {
        patterns: &[Attribute("ignore"), Attribute("should_panic")],
        covers: |_, _| true,
        why: "a test that does not run proves nothing, and a panic says little about its cause",
        mend: "make the test fast enough to run, or skip with a message; assert on the error",
    },
    Rule {
        patterns: &[Macro("macro_rules")],
        covers: |_, _| true,
        why: "a macro hides its code from readers and tools",
        mend: "write a function, or repeat three lines",
    },
    Rule {
        patterns: &[Text(".unwrap()")],
        covers: |source, line| source.library().is_some() && !line.is_test,
        why: "no panic reaches a user",
        mend: "return an error; `.expect(\"reason\")` only where it cannot fail",
    },
    Rule {
        patterns: &[Text(".backward(")],
        covers: |source, line| source.library().is_some() && !line.is_test && source.path != LEDGER,
        why: "a gradient call that the ledger does not see makes the cost tables wrong",
        mend: "call the ledger of adv-core",
    },
    Rule {
        patterns: &[Text(".sum()")],
        covers: |source, line| {
            matches!(source.library(), Some("adv-core" | "adv-models"))
                && !line.is_test
                && !line.raw.contains(SMALL_SUM)
        },
        why: "Burn's sum over 4 194 304 elements or more depends on thread timing",
        mend: "reduce a tensor by `sum_dim` first, or say that it is small: `// tidy: small`; a sum of numbers names their type",
    },
    Rule {
        patterns: &[
            Text("Tensor::random("),
            Text(">::random("),
            Text("Device::seed("),
            Text("device.seed("),
        ],
        covers: |source, line| source.library().is_some() && !line.is_test,
        why: "the global generator cannot be resumed: randomness enters only as an argument",
        mend: "draw on the host from the generator you were given and upload",
    },
    Rule {
        patterns: &[
            Macro("print"),
            Macro("println"),
            Macro("eprint"),
            Macro("eprintln"),
        ],
        covers: |source, line| source.library().is_some_and(|name| name != "adv-run") && !line.is_test,
        why: "a library does not own the terminal",
        mend: "return the text, or report through a callback",
    },
];

/// Every rule on every line.
pub fn check(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for line in source.lines() {
        for rule in RULES.iter().filter(|rule| (rule.covers)(source, &line)) {
            let Some(pattern) = rule.patterns.iter().find(|pattern| pattern.is_in(line.code)) else {
                continue;
            };
            let (path, line) = (source.path.clone(), line.number);
            findings.push(Finding {
                path,
                line,
                what: pattern.shown(),
                why: rule.why,
                mend: rule.mend,
            });
        }
    }
    findings
}

impl Pattern {
    fn is_in(&self, code: &str) -> bool {
        match self {
            Macro(name) => code.match_indices(name).any(|(at, _)| {
                let begins = !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
                begins && code[at + name.len()..].starts_with('!')
            }),
            Attribute(name) => code.match_indices("#[").any(|(at, _)| {
                let inside = code[at + 2..].trim_start();
                inside
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with([']', ' ', '(', '=']))
            }),
            Text(text) => code.contains(text),
        }
    }

    fn shown(&self) -> String {
        match self {
            Macro(name) => format!("`{name}!`"),
            Attribute(name) => format!("`#[{name}]`"),
            Text(text) => format!("`{text}`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number of findings in one line of code at a place.
    fn found(path: &str, line: &str) -> usize {
        check(&Source::new(path, format!("//! Doc.\n{line}\n"))).len()
    }

    #[test]
    fn macros_and_attributes_are_forbidden_everywhere() {
        let table = ["todo", "unimplemented", "dbg"].map(|name| format!("fn f() {{ {name}!(x) }}"));
        let attributes = ["ignore", "ignore = \"slow\"", "should_panic(expected = \"x\")"]
            .map(|name| format!("#[{name}]"));
        let rules = ["macro_rules! m { () => {} }".to_owned()];
        for bad in table.iter().chain(&attributes).chain(&rules) {
            for path in [
                "crates/adv-core/src/a.rs",
                "crates/adv-core/tests/a.rs",
                "xtask/src/a.rs",
            ] {
                assert_eq!(found(path, bad), 1, "{path}: {bad}");
            }
        }
        let (name, longer) = ("todo", "ignored");
        let good = [
            format!("// {name}!(x)"),
            format!("f(\"{name}!\")"),
            format!("my_{name}!(x)"),
            format!("#[{longer}]"),
        ];
        for good in &good {
            assert_eq!(found("crates/adv-core/src/a.rs", good), 0, "{good}");
        }
    }

    #[test]
    fn calls_are_forbidden_by_place() {
        let (core, models, data, run) = (
            "crates/adv-core/src/a.rs",
            "crates/adv-models/src/a.rs",
            "crates/adv-data/src/a.rs",
            "crates/adv-run/src/a.rs",
        );
        let laws = "crates/adv-core/tests/laws.rs";
        let table = [
            (core, "x.unwrap();", 1),
            (run, "x.unwrap();", 1),
            (laws, "x.unwrap();", 0),
            ("xtask/src/a.rs", "x.unwrap();", 0),
            (core, "x.unwrap_or(1);", 0),
            (core, "loss.backward();", 1),
            (run, "loss.backward();", 1),
            (LEDGER, "loss.backward();", 0),
            (laws, "loss.backward();", 0),
            ("crates/adv-ops/tests/conv.rs", "loss.backward();", 0),
            (core, "fn backward(self) {}", 0),
            (core, "g.sum();", 1),
            (models, "g.sum();", 1),
            (core, "g.sum(); // tidy: small", 0),
            (core, "g.sum_dim(1);", 0),
            (data, "g.sum();", 0),
            (core, "Tensor::random([2], d, &device)", 1),
            (core, "Tensor::<2>::random([2], d, &device)", 1),
            (run, "device.seed(1);", 1),
            (laws, "device.seed(1);", 0),
            (core, "println!(\"x\")", 1),
            (data, "eprint!(\"x\")", 1),
            (run, "println!(\"x\")", 0),
            (laws, "println!(\"x\")", 0),
        ];
        for (path, line, expected) in table {
            assert_eq!(found(path, line), expected, "{path}: {line}");
        }
    }

    #[test]
    fn unit_tests_of_a_library_may_unwrap() {
        let text = "//! Doc.\n#[cfg(test)]\nmod tests {\n    fn f() { x.unwrap(); }\n}\n";
        assert!(check(&Source::new("crates/adv-core/src/a.rs", text.into())).is_empty());
    }

    #[test]
    fn a_finding_names_file_line_and_pattern() {
        let finding = &check(&Source::new(
            "crates/adv-core/src/a.rs",
            "//! Doc.\n\nx.unwrap();\n".into(),
        ))[0];
        assert_eq!(
            (finding.path.as_str(), finding.line),
            ("crates/adv-core/src/a.rs", 3)
        );
        assert_eq!(finding.what, "`.unwrap()`");
    }
}
