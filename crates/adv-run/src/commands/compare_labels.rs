//! The methods of a comparison, as words with their numbers.

use crate::spec::{MethodName, Settings};
use crate::usage::UsageError;

/// What is compared where nothing is said, on images.
pub(super) const ON_IMAGES: &str = "standard,fgsm,fgsm-rs,free-8,pgd-7,yopo-5-10,freelb-3";

/// The same on text.
pub(super) const ON_TEXT: &str = "standard,fgm,free-3,pgd-3,yopo-3-2,freelb-3";

/// Settings of a method with its numbers: `pgd-7`, `free-8`, `yopo-5-10`, `freelb-3`, or a bare name.
pub(super) fn parse_label(label: &str) -> Result<Settings, UsageError> {
    let unknown = || {
        UsageError(format!(
            "--methods: `{label}` is no method: use pgd-STEPS, free-M, yopo-M-N, freelb-K, or a name of `adv methods`"
        ))
    };
    let bare: Option<MethodName> = MethodName::ALL.into_iter().find(|name| name.to_string() == label);
    if let Some(method) = bare {
        return Ok(Settings {
            method: Some(method),
            ..Settings::default()
        });
    }
    let (name, numbers) = label.split_once('-').ok_or_else(unknown)?;
    let numbers: Vec<usize> = numbers
        .split('-')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| unknown())?;
    let none = Settings::default();
    match (name, numbers.as_slice()) {
        ("pgd", &[steps]) => Ok(Settings {
            method: Some(MethodName::Pgd),
            steps: Some(steps),
            ..none
        }),
        ("free" | "freeat", &[m]) => Ok(Settings {
            method: Some(MethodName::FreeAt),
            m: Some(m),
            ..none
        }),
        ("yopo", &[m, n]) => Ok(Settings {
            method: Some(MethodName::Yopo),
            m: Some(m),
            n_inner: Some(n),
            ..none
        }),
        ("freelb", &[k]) => Ok(Settings {
            method: Some(MethodName::FreeLb),
            steps: Some(k),
            ..none
        }),
        _ => Err(unknown()),
    }
}

/// Says so of a flag that none of the methods reads.
pub(super) fn refuse_what_nobody_reads(given: &Settings, labels: &[String]) -> Result<(), UsageError> {
    let mut unread: Option<Vec<&str>> = None;
    for label in labels {
        let Some(method) = parse_label(label)?.method else {
            continue;
        };
        let here = given.without_part(method, given.is_on_text());
        unread = Some(match unread {
            None => here,
            Some(all) => all.into_iter().filter(|flag| here.contains(flag)).collect(),
        });
    }
    match unread.unwrap_or_default().first() {
        Some(flag) => Err(UsageError(format!(
            "{flag} has no part in any of {}: leave it out",
            labels.join(", ")
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_carry_their_numbers() {
        let numbers = |label: &str| parse_label(label).map(|s| (s.steps, s.m, s.n_inner));
        for (label, expected) in [
            ("standard", (None, None, None)),
            ("fgsm-rs", (None, None, None)),
            ("pgd-40", (Some(40), None, None)),
            ("free-8", (None, Some(8), None)),
            ("yopo-5-10", (None, Some(5), Some(10))),
            ("freelb-3", (Some(3), None, None)),
        ] {
            assert_eq!(numbers(label), Ok(expected), "{label}");
        }
        for label in ["", "pgd-", "pgd-x", "yopo-5", "trades-10"] {
            assert!(parse_label(label).is_err(), "{label}");
        }
    }
}
