//! Line charts: one panel for the curves that share a unit.

use plotters::prelude::*;

use super::canvas::{CHARACTER, Ink, Layout, draw, fine, text};
use super::html::escape;
use super::ticks::{Axis, Unit, linear, short};
use super::{Chart, Curve, ReportError};

/// More points than this are thinned: the page stays small and the eye sees no difference.
const MOST_POINTS: usize = 600;
/// Up to this many points each gets a dot, so that single measurements can be told from what lies between.
const MOST_DOTS: usize = 40;

/// The chart's picture and its legend as one `<figure>`.
pub(super) fn figure(chart: &Chart) -> Result<String, ReportError> {
    let finite = |c: &Curve| {
        c.points
            .iter()
            .copied()
            .filter(|(x, y)| x.is_finite() && y.is_finite())
            .collect()
    };
    let points: Vec<Vec<(f64, f64)>> = chart.curves.iter().map(finite).collect();
    let range = |pick: fn(&(f64, f64)) -> f64| {
        let values = points.iter().flatten().map(pick);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
            (low.min(v), high.max(v))
        })
    };
    let ((x_min, x_max), (y_min, y_max)) = (range(|p| p.0), range(|p| p.1));
    let x = width_of(x_min, x_max);
    let y = linear(y_min, y_max, 5, chart.unit);
    let widest = y
        .ticks
        .iter()
        .map(|(_, label)| label.chars().count())
        .max()
        .unwrap_or(0);
    let left = widest as f64 * CHARACTER + 14.0;
    let layout = Layout {
        width: 400.0,
        height: 250.0,
        left,
        right: 14.0,
        top: 10.0,
        bottom: 46.0,
    };

    let names: Vec<&str> = chart.curves.iter().map(|c| c.name.as_str()).collect();
    let alt = format!(
        "Line chart of {}: {} by {}",
        chart.title,
        names.join(", "),
        chart.x_name
    );
    let svg = draw(layout, (&x, &chart.x_name), &y, &alt, |_, plot| {
        for (number, (curve, kept)) in chart.curves.iter().zip(&points).enumerate() {
            for run in runs(&curve.points) {
                let width = if run.len() > 200 { 1.2 } else { 2.0 };
                let line = LineSeries::new(thinned(&run), Ink::Series(number).line(width));
                plot.draw_series(line).map_err(text)?;
            }
            if kept.len() <= MOST_DOTS {
                let dot = Ink::Series(number).colour().filled();
                plot.draw_series(kept.iter().map(|p| Circle::new(*p, fine(2.6), dot)))
                    .map_err(text)?;
            }
        }
        Ok(())
    })?;

    let legend: String = chart
        .curves
        .iter()
        .enumerate()
        .map(|(i, curve)| legend_entry(i, curve, chart.unit))
        .collect();
    Ok(format!(
        "<figure class=\"chart\"><figcaption><b>{}</b><span class=\"legend\">{legend}</span></figcaption>\n{svg}</figure>\n",
        escape(&chart.title)
    ))
}

/// The horizontal axis: the curves fill it from end to end. It counts epochs or updates, so ticks are whole numbers.
fn width_of(min: f64, max: f64) -> Axis {
    if max <= min {
        return Axis {
            low: min - 0.5,
            high: max + 0.5,
            ticks: vec![(min, short(min))],
        };
    }
    let count = ((max - min).floor() as usize).clamp(1, 6);
    let mut axis = linear(min, max, count, Unit::Number);
    (axis.low, axis.high) = (min, max);
    axis.ticks.retain(|(at, _)| (min..=max).contains(at));
    axis
}

fn legend_entry(number: usize, curve: &Curve, unit: Unit) -> String {
    let last = match (curve.points.last(), unit) {
        (Some((_, value)), Unit::Fraction) => format!("{:.1} %", value * 100.0),
        (Some((_, value)), Unit::Number) if *value != 0.0 && value.abs() < 0.01 => format!("{value:.2e}"),
        (Some((_, value)), Unit::Number) => format!("{value:.3}"),
        (None, _) => "no data".into(),
    };
    format!(
        "<span><svg class=\"swatch\" viewBox=\"0 0 220 40\" aria-hidden=\"true\"><path class=\"stroke-{}\" \
         stroke-width=\"25\" d=\"M0 20H220\"/></svg>{} <span class=\"num\">{last}</span></span> ",
        Ink::Series(number).class(),
        escape(&curve.name)
    )
}

/// The stretches of finite points: a NaN interrupts a curve instead of bending it.
fn runs(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let broken = |p: &(f64, f64)| !(p.0.is_finite() && p.1.is_finite());
    points
        .split(broken)
        .filter(|run| !run.is_empty())
        .map(<[_]>::to_vec)
        .collect()
}

/// At most [`MOST_POINTS`] points that keep the lowest and the highest of each stretch, so that spikes stay visible.
fn thinned(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    if points.len() <= MOST_POINTS {
        return points.to_vec();
    }
    let mut kept = Vec::with_capacity(MOST_POINTS + 2);
    kept.push(points[0]);
    for stretch in points.chunks(points.len().div_ceil(MOST_POINTS / 2)) {
        let by_height = |a: &&(f64, f64), b: &&(f64, f64)| a.1.total_cmp(&b.1);
        let ends = [stretch.iter().min_by(by_height), stretch.iter().max_by(by_height)];
        let mut ends: Vec<_> = ends.into_iter().flatten().copied().collect();
        ends.sort_by(|a, b| a.0.total_cmp(&b.0));
        kept.extend(ends);
    }
    kept.extend(points.last());
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_ends_and_spikes() {
        let mut points: Vec<_> = (0..50_000)
            .map(|i| (f64::from(i), (f64::from(i) * 0.01).sin()))
            .collect();
        points[31_234].1 = 9.0;
        let kept = thinned(&points);
        assert!(kept.len() <= MOST_POINTS + 2, "{}", kept.len());
        assert!(kept.contains(&(31_234.0, 9.0)));
        assert_eq!((kept.first(), kept.last()), (points.first(), points.last()));
        assert!(kept.is_sorted_by(|a, b| a.0 <= b.0));
    }

    #[test]
    fn nan_interrupts_a_curve() {
        let points = [(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 3.0)];
        assert_eq!(runs(&points), [vec![(0.0, 1.0), (1.0, 2.0)], vec![(3.0, 3.0)]]);
    }

    #[test]
    fn colours_are_left_to_the_page() {
        let curve = |name: &str, points| Curve {
            name: name.into(),
            points,
        };
        let chart = Chart {
            title: "Loss <1>".into(),
            x_name: "epoch".into(),
            unit: Unit::Number,
            curves: vec![
                curve("a & b", vec![(1.0, 0.5), (2.0, 0.25)]),
                curve("empty", vec![]),
            ],
        };
        let html = figure(&chart).expect("draws");
        assert!(!html.contains("#AD00"), "a stand-in colour is left");
        assert!(html.contains("stroke-s0") && html.contains("fill-muted"));
        assert!(html.contains("Loss &lt;1&gt;") && html.contains("a &amp; b") && html.contains("no data"));
    }
}
