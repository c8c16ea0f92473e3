//! Whole pages: nothing a user wrote acts as markup, all elements close, nothing is fetched from elsewhere.

use super::*;

const EVIL: &str = "<script>alert(\"1\")</script> & 'x' \u{1}";

/// Checks that elements nest and close, that attributes are quoted and none repeats; returns the element names.
#[track_caller]
fn elements(html: &str) -> Vec<String> {
    const VOID: [&str; 3] = ["meta", "img", "br"];
    let (style, rest) = html
        .split_once("<style>")
        .and_then(|(a, b)| Some((a, b.split_once("</style>")?.1)))
        .expect("a style");
    let html = style.replace("<!doctype html>", "") + rest;
    let (mut open, mut seen) = (Vec::new(), Vec::new());
    for piece in html.split('<').skip(1) {
        let (tag, text) = piece.split_once('>').expect("a tag ends");
        assert!(!text.contains('>'), "a bare > after <{tag}>");
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(
                open.pop().as_deref(),
                Some(name),
                "</{name}> closes something else"
            );
            continue;
        }
        let (tag, closed) = tag.strip_suffix('/').map_or((tag, false), |tag| (tag, true));
        let (name, mut attributes) = tag.trim_end().split_once(' ').unwrap_or((tag, ""));
        assert!(
            name.chars().all(|c| c.is_ascii_alphanumeric()),
            "element {name:?}"
        );
        let mut keys = Vec::new();
        while !attributes.trim().is_empty() {
            let (key, rest) = attributes.split_once("=\"").expect("a quoted attribute");
            assert!(!keys.contains(&key.trim()), "<{name}> repeats {key}");
            keys.push(key.trim());
            attributes = rest.split_once('"').expect("the quote ends").1;
        }
        assert!(
            name != "img" || keys.contains(&"alt"),
            "an image without alt text"
        );
        seen.push(name.to_owned());
        if !closed && !VOID.contains(&name) {
            open.push(name.to_owned());
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    // Entities: every ampersand begins one.
    for after in html.split('&').skip(1) {
        assert!(
            after.split_once(';').is_some_and(|(name, _)| name.len() <= 5),
            "a bare & before {after:.20}"
        );
    }
    seen
}

#[track_caller]
fn check_page(html: &str, expected: &[(&str, usize)]) {
    let seen = elements(html);
    for (name, count) in expected {
        assert_eq!(
            seen.iter().filter(|element| element == name).count(),
            *count,
            "<{name}>"
        );
    }
    assert!(!seen.contains(&"script".to_owned()));
    assert!(html.contains("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \u{FFFD}"));
    for outside in ["http:", "https:", "url(", "@import", "<link", "NaN", "inf\""] {
        assert!(!html.contains(outside), "{outside} in the page");
    }
}

fn image(value: f32) -> Image {
    Image::new([1, 2, 2], vec![value, 0.0, -value, 1.0]).expect("valid")
}

fn evil_pair() -> Vec<(String, String)> {
    vec![(EVIL.into(), EVIL.into())]
}

fn run() -> RunReport {
    let curve = |points| Curve {
        name: EVIL.into(),
        points,
    };
    let row = |measured, theory_per_batch| LedgerRow {
        pass: EVIL.into(),
        measured,
        theory_per_batch,
    };
    RunReport {
        title: EVIL.into(),
        subtitle: EVIL.into(),
        checkpoint: EVIL.into(),
        warnings: vec![EVIL.into()],
        summary: evil_pair(),
        charts: vec![Chart {
            title: EVIL.into(),
            x_name: EVIL.into(),
            unit: Unit::Fraction,
            curves: vec![
                curve(vec![(1.0, 0.5), (2.0, f64::NAN), (3.0, 0.7)]),
                curve(vec![]),
            ],
        }],
        attacks: vec![AttackResult {
            name: EVIL.into(),
            detail: EVIL.into(),
            accuracy: Proportion::new(9, 10).expect("valid"),
        }],
        ledgers: vec![Ledger {
            title: EVIL.into(),
            mini_batches: Some(3),
            rows: vec![row(24, Some(8.0)), row(24, Some(7.0)), row(5, None)],
        }],
        images: vec![ImageRow {
            clean: image(0.5),
            adversarial: image(0.75),
            label: EVIL.into(),
            clean_prediction: EVIL.into(),
            adversarial_prediction: "other".into(),
        }],
        gradients: vec![GradientRow {
            image: image(0.5),
            label: EVIL.into(),
            maps: vec![(EVIL.into(), image(1e-3)), ("zero".into(), image(f32::NAN))],
        }],
        tables: vec![Table {
            caption: EVIL.into(),
            columns: vec![(EVIL.into(), false), ("n".into(), true)],
            rows: vec![vec![EVIL.into(), "1".into()]],
        }],
        spec_toml: EVIL.into(),
        environment: evil_pair(),
        notes: vec![EVIL.into()],
    }
}

fn comparison() -> CompareReport {
    let method = |name: &str, calls, robust| MethodResult {
        name: name.into(),
        epochs: 1.25,
        gradient_calls: calls,
        seconds: calls / 100.0,
        clean: Proportion::new(990, 1000).expect("valid"),
        robust: Proportion::new(robust, 1000).expect("valid"),
        checkpoint: EVIL.into(),
    };
    CompareReport {
        title: EVIL.into(),
        subtitle: EVIL.into(),
        budget: EVIL.into(),
        attack: EVIL.into(),
        methods: vec![
            method(EVIL, 600.0, 800),
            method("b", 600.5, 0),
            method("c", 600.0, 801),
        ],
        gradients: run().gradients,
        ..CompareReport::default()
    }
}

#[test]
fn a_run_page_is_sound() {
    let html = render_run(&run()).expect("renders");
    // A chart, its two legend swatches, the bar of the one attack; six pictures; three tables.
    check_page(&html, &[("svg", 4), ("img", 6), ("table", 3), ("h2", 9)]);
    assert_eq!(html.matches("differs</strong>").count(), 1);
    assert_eq!(html.matches(">equal<").count(), 1);
}

#[test]
fn a_comparison_page_is_sound() {
    let html = render_comparison(&comparison()).expect("renders");
    check_page(&html, &[("svg", 5), ("table", 1), ("img", 3)]);
    // Each picture has a dot per method, and so has the table; the best method is marked once.
    assert_eq!(html.matches("<circle").count(), 9);
    assert_eq!(html.matches("<strong>80.1 %</strong>").count(), 1);
}

#[test]
fn empty_reports_are_pages_too() {
    for html in [
        render_run(&RunReport::default()),
        render_comparison(&CompareReport::default()),
    ] {
        assert!(!elements(&html.expect("renders")).contains(&"section".to_owned()));
    }
}

#[test]
fn inputs_that_do_not_fit_are_refused() {
    let mut report = run();
    report.tables[0].rows.push(vec!["alone".into()]);
    let error = render_run(&report).expect_err("a short row");
    assert!(
        matches!(
            error,
            ReportError::Table {
                row: 1,
                cells: 1,
                columns: 2,
                ..
            }
        ),
        "{error}"
    );

    let mut report = run();
    report.images[0].adversarial = Image::new([1, 1, 4], vec![0.0; 4]).expect("valid");
    assert!(matches!(render_run(&report), Err(ReportError::Image { .. })));
}
