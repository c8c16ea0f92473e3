//! Attacks that measure robustness, by name.

mod engine;
mod evaluate;

pub use engine::{Goal, Target, UnknownTarget};
pub(crate) use engine::{Starts, Uploaded, Victims, attack, read_predictions};
pub use evaluate::{AttackPlan, AttackReport, accuracy, evaluate, predict_pixels, predictions};

use adv_core::{ParamError, Perturbation, RangePolicy, Start, ValueRange};
use std::fmt;
use std::str::FromStr;

/// The kind of an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttackKind {
    /// One sign step of the whole radius.
    Fgsm,
    /// One L2 step of the whole radius.
    Fgm,
    /// K steps under Linf from random starts.
    Pgd,
    /// K steps under L2 from random starts.
    PgdL2,
    /// K sign steps along an averaged gradient.
    MiFgsm,
}

impl AttackKind {
    /// Whether its radius is one under L2; under Linf otherwise.
    pub fn is_l2(self) -> bool {
        matches!(self, AttackKind::Fgm | AttackKind::PgdL2)
    }
}

/// An attack as named on the command line: `fgsm`, `fgm`, `pgd-50-10` (50 steps, 10 restarts), `pgd-l2-20`, `mi-fgsm-10`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttackName {
    /// The kind.
    pub kind: AttackKind,
    /// Steps, at least 1.
    pub steps: usize,
    /// Restarts, at least 1; the worst counts.
    pub restarts: usize,
}

/// A name that is no attack.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no attack: use fgsm, fgm, pgd-STEPS[-RESTARTS], pgd-l2-STEPS[-RESTARTS] or mi-fgsm-STEPS, such as pgd-50-10"
)]
pub struct UnknownAttack(String);

impl FromStr for AttackName {
    type Err = UnknownAttack;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownAttack(text.into());
        let (kind, rest) = match text {
            "fgsm" => {
                return Ok(AttackName {
                    kind: AttackKind::Fgsm,
                    steps: 1,
                    restarts: 1,
                });
            }
            "fgm" => {
                return Ok(AttackName {
                    kind: AttackKind::Fgm,
                    steps: 1,
                    restarts: 1,
                });
            }
            _ => [
                ("pgd-l2-", AttackKind::PgdL2),
                ("pgd-", AttackKind::Pgd),
                ("mi-fgsm-", AttackKind::MiFgsm),
            ]
            .into_iter()
            .find_map(|(prefix, kind)| text.strip_prefix(prefix).map(|rest| (kind, rest)))
            .ok_or_else(unknown)?,
        };
        let numbers: Vec<usize> = rest
            .split('-')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map_err(|_| unknown())?;
        match (kind, numbers.as_slice()) {
            (_, &[steps]) if steps > 0 => Ok(AttackName {
                kind,
                steps,
                restarts: 1,
            }),
            // Without a random start every restart would be the same.
            (AttackKind::Pgd | AttackKind::PgdL2, &[steps, restarts]) if steps > 0 && restarts > 0 => {
                Ok(AttackName {
                    kind,
                    steps,
                    restarts,
                })
            }
            _ => Err(unknown()),
        }
    }
}

impl fmt::Display for AttackName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.kind {
            AttackKind::Fgsm => return f.write_str("fgsm"),
            AttackKind::Fgm => return f.write_str("fgm"),
            AttackKind::Pgd => "pgd",
            AttackKind::PgdL2 => "pgd-l2",
            AttackKind::MiFgsm => "mi-fgsm",
        };
        write!(f, "{name}-{}", self.steps)?;
        if self.restarts > 1 {
            write!(f, "-{}", self.restarts)
        } else {
            Ok(())
        }
    }
}

impl AttackName {
    /// The perturbation, for pixels in [0, 1]. Without a `step`, K steps go 2.5 radii far in all.
    pub fn perturbation(&self, eps: f64, step: Option<f64>) -> Result<Perturbation, ParamError> {
        let unranged = self.unranged(eps, step)?;
        Ok(unranged.with_range(ValueRange::UNIT, RangePolicy::EachStep))
    }

    /// The same for a tensor without a range of legal values.
    pub fn unranged(&self, eps: f64, step: Option<f64>) -> Result<Perturbation, ParamError> {
        let step = step.unwrap_or(match self.kind {
            AttackKind::Fgsm | AttackKind::Fgm => eps,
            _ => (2.5 * eps / self.steps as f64).min(eps),
        });
        match self.kind {
            AttackKind::Fgsm => Perturbation::fgsm(eps),
            AttackKind::Fgm => Perturbation::fgm(eps),
            AttackKind::Pgd => Perturbation::pgd(eps, step, self.steps)?.with_start(Start::InBall),
            AttackKind::PgdL2 => Perturbation::pgd_l2(eps, step, self.steps)?.with_start(Start::InBall),
            AttackKind::MiFgsm => Perturbation::mi_fgsm(eps, step, self.steps, 1.0),
        }
    }
}

/// The names of results in the order of tables, each once: attacks by name, on text by the radius behind it.
pub(crate) fn in_order<'a>(names: impl IntoIterator<Item = &'a String>) -> Vec<&'a String> {
    let parts = |name: &'a String| {
        let (attack, radius) = name.split_once('@').unwrap_or((name, ""));
        (attack, radius.parse::<f64>().unwrap_or(0.0))
    };
    let mut names: Vec<&String> = names.into_iter().collect();
    names.sort_by(|a, b| {
        let ((a, near), (b, far)) = (parts(a), parts(b));
        a.cmp(b).then(near.total_cmp(&far))
    });
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_go_by_the_radius_and_not_by_its_letters() {
        let names = ["pgd-l2-10@10", "pgd-l2-10@2", "fgm@0.5", "pgd-l2-10@2"].map(String::from);
        assert_eq!(in_order(&names), ["fgm@0.5", "pgd-l2-10@2", "pgd-l2-10@10"]);
    }

    #[test]
    fn names_are_read_and_shown_alike() {
        for name in [
            "fgsm",
            "fgm",
            "pgd-20",
            "pgd-50-10",
            "pgd-l2-20",
            "pgd-l2-20-5",
            "mi-fgsm-10",
        ] {
            assert_eq!(
                name.parse::<AttackName>().map(|attack| attack.to_string()),
                Ok(name.to_string())
            );
        }
        for name in [
            "",
            "pgd",
            "pgd-",
            "pgd-0",
            "pgd-5-0",
            "pgd-5-5-5",
            "mi-fgsm-10-2",
            "fgsm-2",
            "apgd-100",
        ] {
            assert_eq!(name.parse::<AttackName>(), Err(UnknownAttack(name.into())));
        }
    }
}
