//! A plotters drawing whose colours are left to the page's style sheet, so that it follows light and dark.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ReportError;
use super::html::escape;
use super::ticks::Axis;

/// Drawing units per CSS pixel: plotters places everything on whole numbers, and on a coarser grid curves show steps.
const FINE: f64 = 10.0;
/// Text height in CSS pixels.
pub(super) const FONT: f64 = 13.0;
/// A cautious mean width of a character at that height.
pub(super) const CHARACTER: f64 = 7.6;
/// How many series colours the style sheet has.
pub(super) const COLOURS: usize = 8;

pub(super) type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
pub(super) type Plot<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A colour by its role. Plotters gets a stand-in value, which [`themed`] replaces by a class.
#[derive(Clone, Copy)]
pub(super) enum Ink {
    /// Grid lines.
    Grid,
    /// Axes and their labels.
    Muted,
    /// Names of points.
    Text,
    /// The series of that number.
    Series(usize),
}

impl Ink {
    const ROLES: [Ink; 3] = [Ink::Grid, Ink::Muted, Ink::Text];

    pub(super) fn class(self) -> String {
        match self {
            Ink::Grid => "grid".into(),
            Ink::Muted => "muted".into(),
            Ink::Text => "text".into(),
            Ink::Series(i) => format!("s{}", i % COLOURS),
        }
    }

    pub(super) fn colour(self) -> RGBColor {
        match self {
            Ink::Grid => RGBColor(0xAD, 0, 0xF0),
            Ink::Muted => RGBColor(0xAD, 0, 0xF1),
            Ink::Text => RGBColor(0xAD, 0, 0xF2),
            Ink::Series(i) => RGBColor(0xAD, 0, (i % COLOURS) as u8),
        }
    }

    /// A line of that many CSS pixels.
    pub(super) fn line(self, width: f64) -> ShapeStyle {
        ShapeStyle {
            color: self.colour().into(),
            filled: false,
            stroke_width: fine(width) as u32,
        }
    }
}

/// The size of a drawing and the margins of its plot, in CSS pixels.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    pub width: f64,
    pub height: f64,
    pub left: f64,
    pub right: f64,
    pub top: f64,
    pub bottom: f64,
}

impl Layout {
    /// The plot's position of a data point, in CSS pixels from the drawing's upper left corner.
    pub(super) fn place(&self, x: &Axis, y: &Axis, point: (f64, f64)) -> (f64, f64) {
        let share = |axis: &Axis, value: f64| (value - axis.low) / (axis.high - axis.low);
        let inner = (
            self.width - self.left - self.right,
            self.height - self.top - self.bottom,
        );
        (
            self.left + share(x, point.0) * inner.0,
            self.height - self.bottom - share(y, point.1) * inner.1,
        )
    }
}

/// Whole drawing units of a length in CSS pixels.
pub(super) fn fine(pixels: f64) -> i32 {
    (pixels * FINE).round() as i32
}

/// Draws grid, tick labels and the x axis' name, then what `content` adds; returns the themed SVG element.
/// `alt` tells a reader who cannot see the picture what it shows.
///
/// # Errors
/// [`ReportError::Plot`] when plotters fails.
pub(super) fn draw(
    layout: Layout,
    (x, x_name): (&Axis, &str),
    y: &Axis,
    alt: &str,
    content: impl for<'a> FnOnce(&Area<'a>, &mut Plot<'a>) -> Result<(), String>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    draw_into(&mut svg, layout, (x, x_name), y, content).map_err(ReportError::Plot)?;
    Ok(themed(&svg, alt))
}

fn draw_into<'a>(
    svg: &'a mut String,
    layout: Layout,
    (x, x_name): (&Axis, &str),
    y: &Axis,
    content: impl FnOnce(&Area<'a>, &mut Plot<'a>) -> Result<(), String>,
) -> Result<(), String> {
    let root = SVGBackend::with_string(svg, (fine(layout.width) as u32, fine(layout.height) as u32));
    let root = root.into_drawing_area();
    let mut plot = ChartBuilder::on(&root)
        .margin_left(fine(layout.left))
        .margin_right(fine(layout.right))
        .margin_top(fine(layout.top))
        .margin_bottom(fine(layout.bottom))
        .build_cartesian_2d(x.low..x.high, y.low..y.high)
        .map_err(text)?;

    let (left, right) = (layout.left, layout.width - layout.right);
    let floor = layout.height - layout.bottom;
    for (value, label) in &y.ticks {
        let (_, at) = layout.place(x, y, (x.low, *value));
        rule(&root, Ink::Grid, 1.0, &[(left, at), (right, at)])?;
        write(
            &root,
            Ink::Muted,
            (HPos::Right, VPos::Center),
            label,
            (left - 7.0, at),
        )?;
    }
    for (value, label) in &x.ticks {
        let (at, _) = layout.place(x, y, (*value, y.low));
        rule(&root, Ink::Muted, 1.0, &[(at, floor), (at, floor + 4.0)])?;
        write(
            &root,
            Ink::Muted,
            (HPos::Center, VPos::Top),
            label,
            (at, floor + 7.0),
        )?;
    }
    rule(&root, Ink::Muted, 1.0, &[(left, floor), (right, floor)])?;
    write(
        &root,
        Ink::Muted,
        (HPos::Center, VPos::Bottom),
        x_name,
        ((left + right) / 2.0, layout.height - 4.0),
    )?;
    content(&root, &mut plot)?;
    root.present().map_err(text)
}

/// A line through points in CSS pixels.
pub(super) fn rule(area: &Area<'_>, ink: Ink, width: f64, points: &[(f64, f64)]) -> Result<(), String> {
    let points: Vec<_> = points.iter().map(|&(x, y)| (fine(x), fine(y))).collect();
    area.draw(&PathElement::new(points, ink.line(width)))
        .map_err(text)
}

/// Text at a place in CSS pixels, which is where its anchor lies.
pub(super) fn write(
    area: &Area<'_>,
    ink: Ink,
    (h, v): (HPos, VPos),
    words: &str,
    (x, y): (f64, f64),
) -> Result<(), String> {
    // Plotters divides a size by 1.24 on the way to SVG.
    let colour = ink.colour();
    let style = TextStyle::from(("sans-serif", FONT * FINE * 1.24))
        .color(&colour)
        .pos(Pos::new(h, v));
    area.draw(&Text::new(words.to_owned(), (fine(x), fine(y)), style))
        .map_err(text)
}

/// Any plotters error as words.
pub(super) fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

/// Exchanges stand-in colours for classes, the fixed size for a responsive one, and adds the description.
fn themed(svg: &str, alt: &str) -> String {
    let body = svg.split_once('>').map_or(svg, |(_, body)| body);
    let view = svg
        .split_once("viewBox=\"")
        .and_then(|(_, rest)| rest.split_once('"'))
        .map_or("", |(view, _)| view);
    let mut body = body
        .replace(" opacity=\"1\"", "")
        .replace(" font-family=\"sans-serif\"", "");
    for ink in Ink::ROLES.into_iter().chain((0..COLOURS).map(Ink::Series)) {
        let RGBColor(r, g, b) = ink.colour();
        for property in ["fill", "stroke"] {
            let (from, class) = (format!("{property}=\"#{r:02X}{g:02X}{b:02X}\""), ink.class());
            body = body.replace(&from, &format!("class=\"{property}-{class}\""));
        }
    }
    format!(
        "<svg class=\"plot\" viewBox=\"{view}\" role=\"img\" aria-label=\"{}\">{body}",
        escape(alt)
    )
}
