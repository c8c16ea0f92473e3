//! Round tick values for an axis, and short labels for them.

/// The values of one axis: its ends and where its ticks stand.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    /// Lower end, in the coordinate that is drawn (for a logarithmic axis the exponent of ten).
    pub low: f64,
    /// Upper end.
    pub high: f64,
    /// Tick positions in the same coordinate, each with its label.
    pub ticks: Vec<(f64, String)>,
}

/// How the numbers of an axis read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A share in `[0, 1]`, shown in percent.
    Fraction,
    /// A plain number, such as a loss.
    Number,
}

/// A linear axis that covers `[min, max]`, with about `count` ticks at 1, 2 or 5 times a power of ten.
pub(super) fn linear(min: f64, max: f64, count: usize, unit: Unit) -> Axis {
    // A single value, or none, still needs an axis with some length.
    let (mut min, mut max) = if min.is_finite() && max.is_finite() {
        (min, max)
    } else {
        (0.0, 1.0)
    };
    if max - min <= 1e-9 * max.abs().max(min.abs()) {
        let margin = 0.1 * max.abs().max(1e-3);
        (min, max) = (min - margin, max + margin);
    }
    if unit == Unit::Fraction {
        (min, max) = (min.clamp(0.0, 0.999), max.clamp(0.001, 1.0));
    }
    let rough = (max - min) / count as f64;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0]
        .map(|m| m * power)
        .into_iter()
        .find(|s| *s >= rough * 0.999)
        .unwrap_or(power);
    let (first, last) = ((min / step + 1e-9).floor(), (max / step - 1e-9).ceil());
    let ticks = (first as i64..=last as i64).map(|i| i as f64 * step);
    let ticks: Vec<_> = ticks.map(|value| (value, label(value, step, unit))).collect();
    Axis {
        low: first * step,
        high: last * step,
        ticks,
    }
}

/// A logarithmic axis that covers `[min, max]`, both positive; coordinates are exponents of ten.
pub(super) fn logarithmic(min: f64, max: f64) -> Axis {
    let margin = 0.06 * (max / min).log10().max(1.0);
    let (low, high) = (min.log10() - margin, max.log10() + margin);
    // Over many decades one tick each is enough; over few, 1-2-5 keeps the axis readable.
    let marks: &[f64] = if high - low > 2.5 {
        &[1.0]
    } else {
        &[1.0, 2.0, 5.0]
    };
    let mut ticks = Vec::new();
    for decade in low.floor() as i32..=high.ceil() as i32 {
        for mark in marks {
            let value = mark * 10_f64.powi(decade);
            if (low..=high).contains(&value.log10()) {
                ticks.push((value.log10(), short(value)));
            }
        }
    }
    Axis { low, high, ticks }
}

fn label(value: f64, step: f64, unit: Unit) -> String {
    let (value, step, sign) = match unit {
        Unit::Fraction => (value * 100.0, step * 100.0, " %"),
        Unit::Number if step >= 1000.0 => return short(value),
        Unit::Number => (value, step, ""),
    };
    if step < 1e-4 {
        return if value == 0.0 {
            format!("0{sign}")
        } else {
            format!("{value:.0e}{sign}")
        };
    }
    let decimals = (-(step * 1.0001).log10().floor()).max(0.0) as usize;
    // Adding zero turns -0 into 0.
    format!("{:.decimals$}{sign}", value + 0.0)
}

/// A number with at most three digits before its unit: `950`, `1.5 k`, `20 M`.
pub(super) fn short(value: f64) -> String {
    let (scaled, suffix) = match value.abs() {
        v if v >= 1e12 => return format!("{value:.1e}"),
        v if v >= 1e9 => (value / 1e9, " G"),
        v if v >= 1e6 => (value / 1e6, " M"),
        v if v >= 1e3 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let rounded = (scaled * 100.0).round() / 100.0;
    if scaled != 0.0 && rounded == 0.0 {
        format!("{scaled:.0e}")
    } else {
        format!("{rounded}{suffix}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(axis: &Axis, low: f64, high: f64, labels: &[&str]) {
        assert!(
            (axis.low - low).abs() < 1e-9 && (axis.high - high).abs() < 1e-9,
            "{axis:?}"
        );
        assert_eq!(
            axis.ticks.iter().map(|(_, l)| l.as_str()).collect::<Vec<_>>(),
            labels
        );
    }

    #[test]
    fn ticks_are_round_and_cover_the_data() {
        check(
            &linear(0.13, 0.92, 5, Unit::Fraction),
            0.0,
            1.0,
            &["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"],
        );
        check(
            &linear(0.0, 10.0, 5, Unit::Number),
            0.0,
            10.0,
            &["0", "2", "4", "6", "8", "10"],
        );
        check(
            &linear(-0.012, 0.02, 4, Unit::Number),
            -0.02,
            0.02,
            &["-0.02", "-0.01", "0.00", "0.01", "0.02"],
        );
        check(
            &linear(0.0, 4200.0, 4, Unit::Number),
            0.0,
            6000.0,
            &["0", "2 k", "4 k", "6 k"],
        );
        check(
            &logarithmic(100.0, 1000.0),
            1.94,
            3.06,
            &["100", "200", "500", "1 k"],
        );
    }

    #[test]
    fn degenerate_data_still_has_an_axis() {
        for (min, max) in [
            (3.0, 3.0),
            (0.0, 0.0),
            (f64::INFINITY, f64::NEG_INFINITY),
            (f64::NAN, 1.0),
        ] {
            let axis = linear(min, max, 5, Unit::Number);
            assert!(
                axis.high > axis.low && axis.ticks.len() >= 2,
                "{min} {max}: {axis:?}"
            );
        }
        for share in [0.0, 0.5, 1.0] {
            let axis = linear(share, share, 5, Unit::Fraction);
            assert!(
                axis.low >= 0.0 && axis.high <= 1.0 + 1e-9 && axis.high > axis.low,
                "{share}: {axis:?}"
            );
        }
    }

    #[test]
    fn short_numbers() {
        for (value, text) in [
            (0.0, "0"),
            (950.0, "950"),
            (1500.0, "1.5 k"),
            (2e7, "20 M"),
            (0.25, "0.25"),
            (0.0001, "1e-4"),
            (2.5e30, "2.5e30"),
        ] {
            assert_eq!(short(value), text);
        }
    }
}
