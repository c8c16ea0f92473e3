//! The picture of a comparison: robust accuracy against a cost, one named point a method.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::canvas::{CHARACTER, FONT, Ink, Layout, draw, fine, rule, text, write};
use super::html::escape;
use super::labels::{Rect, place};
use super::ticks::{Axis, Unit, linear, logarithmic, short};
use super::{Proportion, ReportError};

/// From this ratio of the largest to the smallest cost on, the axis is logarithmic.
const LOG_RATIO: f64 = 12.0;
/// Half the width of a point, in CSS pixels.
const DOT: f64 = 5.0;

/// One method in the picture.
pub(super) struct CostPoint<'a> {
    pub name: &'a str,
    pub cost: f64,
    pub robust: Proportion,
}

/// The `<figure>` of robust accuracy against `cost_name`. Whiskers are 95 % intervals.
pub(super) fn figure(points: &[CostPoint<'_>], cost_name: &str) -> Result<String, ReportError> {
    let costs = points.iter().map(|p| p.cost).filter(|c| c.is_finite());
    let (min, max) = costs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), c| {
        (low.min(c), high.max(c))
    });
    // The room right of the dearest method is for names: equal budgets put all points at one cost.
    let log = min > 0.0 && max / min >= LOG_RATIO;
    let x = if log {
        logarithmic(min, max)
    } else {
        linear(0.0, 1.2 * max.max(0.0), 5, Unit::Number)
    };
    let mut y = linear(0.0, 1.0, 5, Unit::Fraction);
    // Room for points and names at the very ends.
    (y.low, y.high) = (-0.06, 1.03);
    let layout = Layout {
        width: 430.0,
        height: 330.0,
        left: 56.0,
        right: 18.0,
        top: 8.0,
        bottom: 48.0,
    };
    let cost = |p: &CostPoint<'_>| if log { p.cost.log10() } else { p.cost };
    let shown: Vec<(usize, &CostPoint<'_>)> = points
        .iter()
        .enumerate()
        .filter(|(_, p)| p.cost.is_finite())
        .collect();
    let spots: Vec<_> = shown
        .iter()
        .map(|(_, p)| layout.place(&x, &y, (cost(p), p.robust.value())))
        .collect();
    let rects = name_places(&shown, &spots, &layout, &x, &y);

    let scale = if log { ", logarithmic" } else { "" };
    let axis_name = format!("{cost_name}{scale}");
    let told: Vec<_> = points
        .iter()
        .map(|p| {
            format!(
                "{} {:.1} % at {}",
                p.name,
                p.robust.value() * 100.0,
                short(p.cost)
            )
        })
        .collect();
    let alt = format!("Robust accuracy against {cost_name}: {}", told.join("; "));
    let svg = draw(layout, (&x, &axis_name), &y, &alt, |area, plot| {
        for (((number, point), spot), rect) in shown.iter().zip(&spots).zip(&rects) {
            let end = rect.nearest(*spot);
            if (end.0 - spot.0).hypot(end.1 - spot.1) > 2.5 * DOT {
                rule(area, Ink::Series(*number), 0.8, &[*spot, end])?;
            }
            let (low, high) = point.robust.wilson();
            let whisker = vec![(cost(point), low), (cost(point), high)];
            let whisker = PathElement::new(whisker, Ink::Series(*number).line(1.5));
            plot.draw_series(std::iter::once(whisker)).map_err(text)?;
        }
        for (((number, point), spot), rect) in shown.iter().zip(&spots).zip(&rects) {
            let dot = Circle::new(
                (cost(point), point.robust.value()),
                fine(DOT),
                Ink::Series(*number).colour().filled(),
            );
            plot.draw_series(std::iter::once(dot)).map_err(text)?;
            // The name's inner end stays beside its point when the real font is narrower than estimated.
            let middle = rect.y + rect.height / 2.0;
            let (anchor, at) = match rect {
                r if r.x >= spot.0 => (HPos::Left, r.x),
                r if r.x + r.width <= spot.0 => (HPos::Right, r.x + r.width),
                r => (HPos::Center, r.x + r.width / 2.0),
            };
            write(area, Ink::Text, (anchor, VPos::Center), point.name, (at, middle))?;
        }
        Ok(())
    })?;
    Ok(format!(
        "<figure class=\"chart whole\"><figcaption><b>Robust accuracy against {}</b></figcaption>\n{svg}</figure>\n",
        escape(cost_name)
    ))
}

fn name_places(
    shown: &[(usize, &CostPoint<'_>)],
    spots: &[(f64, f64)],
    layout: &Layout,
    x: &Axis,
    y: &Axis,
) -> Vec<Rect> {
    let mut obstacles = Vec::new();
    for ((_, point), (at, middle)) in shown.iter().zip(spots) {
        obstacles.push(Rect {
            x: at - DOT,
            y: middle - DOT,
            width: 2.0 * DOT,
            height: 2.0 * DOT,
        });
        let (low, high) = point.robust.wilson();
        let (top, bottom) = (
            layout.place(x, y, (x.low, high)).1,
            layout.place(x, y, (x.low, low)).1,
        );
        obstacles.push(Rect {
            x: at - 0.5,
            y: top,
            width: 1.0,
            height: bottom - top,
        });
    }
    let wanted: Vec<_> = shown
        .iter()
        .zip(spots)
        .map(|((_, point), spot)| (*spot, point.name.chars().count() as f64 * CHARACTER + 2.0))
        .collect();
    let bounds = Rect {
        x: layout.left + 2.0,
        y: 2.0,
        width: layout.width - layout.left - layout.right - 2.0,
        height: layout.height - layout.bottom - 4.0,
    };
    place(&wanted, FONT + 2.0, &obstacles, bounds)
}
