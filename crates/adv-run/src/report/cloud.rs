//! A cloud of points on a plane, coloured by group.

use plotters::prelude::*;

use super::canvas::{Ink, Layout, draw, fine, text};
use super::html::escape;
use super::ticks::{Unit, linear};
use super::{Cloud, ReportError};

/// Half the width of a point, in CSS pixels.
const DOT: f64 = 1.6;

/// The cloud's picture and its legend as one `<figure>`.
pub(super) fn figure(cloud: &Cloud) -> Result<String, ReportError> {
    let range = |axis: usize| {
        let values = cloud
            .groups
            .iter()
            .flat_map(|(_, points)| points)
            .map(|point| point[axis]);
        let finite = values.filter(|value| value.is_finite());
        let (low, high) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
            (low.min(value), high.max(value))
        });
        linear(low, high, 5, Unit::Number)
    };
    let (x, y) = (range(0), range(1));
    let layout = Layout {
        width: 400.0,
        height: 330.0,
        left: 52.0,
        right: 14.0,
        top: 10.0,
        bottom: 46.0,
    };
    let told: Vec<_> = cloud
        .groups
        .iter()
        .map(|(name, points)| format!("{name}: {}", points.len()))
        .collect();
    let alt = format!("Points on a plane, {}: {}", cloud.title, told.join("; "));
    let svg = draw(layout, (&x, &cloud.x_name), &y, &alt, |_, plot| {
        for (number, (_, points)) in cloud.groups.iter().enumerate() {
            let ink = Ink::Series(number).colour().filled();
            let finite = points
                .iter()
                .filter(|point| point.iter().all(|value| value.is_finite()));
            let dots = finite.map(|point| Circle::new((point[0], point[1]), fine(DOT), ink));
            plot.draw_series(dots).map_err(text)?;
        }
        Ok(())
    })?;
    let entry = |(number, (name, points)): (usize, &(String, Vec<[f64; 2]>))| {
        format!(
            "<span><svg class=\"swatch\" viewBox=\"0 0 220 40\" aria-hidden=\"true\"><circle class=\"fill-{}\" cx=\"110\" cy=\"20\" \
             r=\"20\"/></svg>{} <span class=\"num\">{}</span></span> ",
            Ink::Series(number).class(),
            escape(name),
            points.len()
        )
    };
    let legend: String = cloud.groups.iter().enumerate().map(entry).collect();
    Ok(format!(
        "<figure class=\"chart\"><figcaption><b>{}</b><span class=\"legend\">{legend}</span></figcaption>\n{svg}</figure>\n",
        escape(&cloud.title)
    ))
}
