//! The page around a report, and the parts that both kinds of report share.

use std::fmt::Write as _;

use super::image::data_uri;
use super::{GradientRow, Image, ReportError, Table};

/// Text as HTML, for element content and for quoted attributes.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // HTML has no way to write these, not even escaped.
            c if c.is_control() && !matches!(c, '\n' | '\t' | '\r') => escaped.push('\u{FFFD}'),
            c => escaped.push(c),
        }
    }
    escaped
}

/// The whole document. `body` is HTML already.
pub(super) fn page(title: &str, subtitle: &str, warnings: &[String], body: &str) -> String {
    let (title, subtitle) = (escape(title), escape(subtitle));
    let mut callout = String::new();
    if !warnings.is_empty() {
        let items: String = warnings.iter().map(|w| format!("<p>{}</p>", escape(w))).collect();
        callout = format!("<aside class=\"warning\" role=\"note\" aria-label=\"Warnings\">{items}</aside>\n");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{title}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n\
         <header><h1>{title}</h1>\n<p class=\"subtitle\">{subtitle}</p></header>\n{callout}{body}</main>\n\
         <footer>Written by adv {}.</footer>\n</body>\n</html>\n",
        include_str!("style.css"),
        env!("CARGO_PKG_VERSION"),
    )
}

/// A section with its heading; `body` is HTML already. Nothing when the body is empty.
pub(super) fn section(heading: &str, body: &str) -> String {
    if body.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{}</h2>\n{body}</section>\n", escape(heading))
}

/// One cell of a table; `html` is HTML already.
pub(super) struct Cell {
    html: String,
    numeric: bool,
}

impl Cell {
    /// Words.
    pub(super) fn text(text: &str) -> Self {
        Self {
            html: escape(text),
            numeric: false,
        }
    }

    /// A number, aligned right.
    pub(super) fn number(text: &str) -> Self {
        Self {
            html: escape(text),
            numeric: true,
        }
    }

    /// The best number of its column.
    pub(super) fn best(text: &str) -> Self {
        Self {
            html: format!("<strong>{}</strong>", escape(text)),
            numeric: true,
        }
    }

    /// HTML as it is.
    pub(super) fn html(html: String) -> Self {
        Self { html, numeric: false }
    }

    fn write(&self, page: &mut String, tag: &str, attributes: &str) {
        let class = if self.numeric { " class=\"num\"" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(page, "<{tag}{attributes}{class}>{}</{tag}>", self.html);
    }
}

/// A table whose rows begin with their name; wide ones scroll by themselves, so that the page never does.
pub(super) fn table(caption: &str, head: &[Cell], rows: &[Vec<Cell>]) -> String {
    let caption = escape(caption);
    let mut html = format!(
        "<figure class=\"table\"><figcaption>{caption}</figcaption>\n<div class=\"scroll\" tabindex=\"0\" role=\"region\" \
         aria-label=\"{caption}\">\n<table aria-label=\"{caption}\">\n<thead><tr>"
    );
    head.iter()
        .for_each(|cell| cell.write(&mut html, "th", " scope=\"col\""));
    html.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        html.push_str("<tr>");
        for (column, cell) in row.iter().enumerate() {
            let (tag, scope) = if column == 0 {
                ("th", " scope=\"row\"")
            } else {
                ("td", "")
            };
            cell.write(&mut html, tag, scope);
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody>\n</table>\n</div>\n</figure>\n");
    html
}

/// Checks and writes plain tables.
pub(super) fn tables(tables: &[Table]) -> Result<String, ReportError> {
    let mut html = String::new();
    for plain in tables {
        let cell = |(text, (_, numeric)): (&String, &(String, bool))| {
            if *numeric {
                Cell::number(text)
            } else {
                Cell::text(text)
            }
        };
        let columns = plain.columns.len();
        if let Some((row, cells)) = plain
            .rows
            .iter()
            .enumerate()
            .find(|(_, row)| row.len() != columns)
        {
            return Err(ReportError::Table {
                caption: plain.caption.clone(),
                row,
                cells: cells.len(),
                columns,
            });
        }
        let head: Vec<_> = plain
            .columns
            .iter()
            .map(|column| cell((&column.0, column)))
            .collect();
        let rows: Vec<Vec<_>> = plain
            .rows
            .iter()
            .map(|row| row.iter().zip(&plain.columns).map(cell).collect())
            .collect();
        html.push_str(&table(&plain.caption, &head, &rows));
    }
    Ok(html)
}

/// A picture with what is written under it; `caption` is HTML already.
pub(super) struct Picture {
    png: Vec<u8>,
    alt: String,
    caption: String,
}

impl Picture {
    /// The image as it is.
    pub(super) fn plain(image: &Image, alt: &str, caption: String) -> Result<Self, ReportError> {
        Ok(Self {
            png: image.to_png()?,
            alt: alt.into(),
            caption,
        })
    }

    /// The image as a signed map, saturated at `scale`.
    pub(super) fn signed(image: &Image, scale: f32, alt: &str, caption: String) -> Result<Self, ReportError> {
        Ok(Self {
            png: image.to_signed_png(scale)?,
            alt: alt.into(),
            caption,
        })
    }
}

/// One sample: its pictures side by side.
pub(super) fn sample(pictures: &[Picture]) -> String {
    let mut html = String::from("<div class=\"sample\">");
    for picture in pictures {
        let _ = write!(
            html,
            "<figure><img src=\"{}\" alt=\"{}\"><figcaption>{}</figcaption></figure>",
            data_uri(&picture.png),
            escape(&picture.alt),
            picture.caption
        );
    }
    html.push_str("</div>\n");
    html
}

/// The colours of signed maps, from `-scale` to `scale`.
pub(super) fn map_legend(low: &str, high: &str) -> String {
    format!(
        "<p class=\"maplegend\"><span>{}</span><span class=\"ramp\" role=\"img\" aria-label=\"blue is negative, \
         no colour is zero, orange is positive\"></span><span>{}</span></p>\n",
        escape(low),
        escape(high)
    )
}

/// Input-gradient maps, one sample after the other.
pub(super) fn gradients(rows: &[GradientRow]) -> Result<String, ReportError> {
    if rows.is_empty() {
        return Ok(String::new());
    }
    let mut html = String::from(
        "<p>The gradient of the loss with respect to the input: which pixels raise the loss when made brighter \
         (orange) or darker (blue). Colours are full at the value under each map, which 1\u{a0}% of its pixels may \
         exceed.</p>\n",
    );
    html.push_str(&map_legend("lowers the loss", "raises the loss"));
    html.push_str("<div class=\"samples\">\n");
    for row in rows {
        let label = escape(&row.label);
        let alt = format!("input image of class {}", row.label);
        let mut pictures = vec![Picture::plain(
            &row.image,
            &alt,
            format!("input<br><b>{label}</b>"),
        )?];
        for (model, map) in &row.maps {
            let scale = map.typical_max();
            let alt = format!("input gradient of {model} at an image of class {}", row.label);
            let caption = format!(
                "{}<br><span class=\"num\">full at {}</span>",
                escape(model),
                significant(scale)
            );
            pictures.push(Picture::signed(map, scale, &alt, caption)?);
        }
        html.push_str(&sample(&pictures));
    }
    html.push_str("</div>\n");
    Ok(html)
}

/// Two significant digits, with an exponent only where the plain number would be long.
fn significant(value: f32) -> String {
    match value {
        0.0 => "0".into(),
        v if !(1e-3..1e4).contains(&v) => format!("{v:.1e}"),
        v if v >= 10.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v if v >= 0.1 => format!("{v:.2}"),
        v if v >= 0.01 => format!("{v:.3}"),
        v => format!("{v:.4}"),
    }
}

/// Specification, environment and notes: the end of every report.
pub(super) fn appendix(spec_toml: &str, environment: &[(String, String)], notes: &[String]) -> String {
    let mut html = String::new();
    if !spec_toml.is_empty() {
        let toml = escape(spec_toml.trim_end());
        html.push_str(&section(
            "Specification",
            &format!("<pre tabindex=\"0\"><code>{toml}</code></pre>\n"),
        ));
    }
    if !environment.is_empty() {
        let pairs: String = environment
            .iter()
            .map(|(name, value)| format!("<div><dt>{}</dt><dd>{}</dd></div>\n", escape(name), escape(value)))
            .collect();
        html.push_str(&section(
            "Environment",
            &format!("<dl class=\"pairs\">\n{pairs}</dl>\n"),
        ));
    }
    if !notes.is_empty() {
        let items: String = notes
            .iter()
            .map(|note| format!("<li>{}</li>\n", escape(note)))
            .collect();
        html.push_str(&section("Notes", &format!("<ul>\n{items}</ul>\n")));
    }
    html
}
