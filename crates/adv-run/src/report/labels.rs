//! Where to write the names of points so that they cover neither points nor one another.

/// A rectangle in CSS pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    fn overlap(&self, other: &Rect) -> f64 {
        let span = |a: f64, a_len: f64, b: f64, b_len: f64| ((a + a_len).min(b + b_len) - a.max(b)).max(0.0);
        span(self.x, self.width, other.x, other.width) * span(self.y, self.height, other.y, other.height)
    }

    fn excess(&self, bounds: &Rect) -> f64 {
        self.width * self.height - self.overlap(bounds)
    }

    /// The point of the rectangle closest to `p`: where a leader line ends.
    pub(super) fn nearest(&self, p: (f64, f64)) -> (f64, f64) {
        (
            p.0.clamp(self.x, self.x + self.width),
            p.1.clamp(self.y, self.y + self.height),
        )
    }
}

/// Prices in square pixels covered; a pixel of distance between a label and its point costs one.
const COVERED: f64 = 4.0;
const OUTSIDE: f64 = 10.0;
const CROSSING: f64 = 60.0;

/// Places one label of each `(point, width)` inside `bounds`; `obstacles` are kept free where that is possible.
///
/// A local search from "every label right of its point": it moves one label, or lets two exchange places, as long
/// as that lowers the price of covering things, of distance and of crossing leader lines.
pub(super) fn place(
    points: &[((f64, f64), f64)],
    height: f64,
    obstacles: &[Rect],
    bounds: Rect,
) -> Vec<Rect> {
    let choices: Vec<_> = points
        .iter()
        .map(|(point, width)| candidates(*point, *width, height))
        .collect();
    let spots: Vec<_> = points.iter().map(|(point, _)| *point).collect();
    let rects =
        |chosen: &[usize]| -> Vec<Rect> { chosen.iter().zip(&choices).map(|(at, list)| list[*at]).collect() };
    let price = |chosen: &[usize]| price(&spots, &rects(chosen), obstacles, &bounds);
    let mut best = vec![0; points.len()];
    let mut lowest = price(&best);
    // Each round lowers the price or is the last; the limit only guards the running time.
    for _ in 0..30 {
        let before = lowest;
        for i in 0..points.len() {
            let moves = (0..choices[i].len()).map(|at| vec![(i, at)]);
            let exchanges = (0..i).map(|j| {
                let (from, to) = (choices[i][best[i]], choices[j][best[j]]);
                vec![(i, closest(&choices[i], &to)), (j, closest(&choices[j], &from))]
            });
            for change in moves.chain(exchanges.collect::<Vec<_>>()) {
                let mut trial = best.clone();
                change.iter().for_each(|(label, at)| trial[*label] = *at);
                let cost = price(&trial);
                if cost < lowest - 1e-9 {
                    (best, lowest) = (trial, cost);
                }
            }
        }
        if lowest >= before {
            break;
        }
    }
    rects(&best)
}

fn price(spots: &[(f64, f64)], rects: &[Rect], obstacles: &[Rect], bounds: &Rect) -> f64 {
    let leader = |i: usize| (spots[i], rects[i].nearest(spots[i]));
    let mut sum = 0.0;
    for (i, rect) in rects.iter().enumerate() {
        let (from, to) = leader(i);
        let others = obstacles.iter().chain(&rects[..i]);
        sum += COVERED * others.map(|other| rect.overlap(other)).sum::<f64>();
        sum += OUTSIDE * rect.excess(bounds) + (to.0 - from.0).hypot(to.1 - from.1);
        sum += CROSSING * (0..i).filter(|j| cross(leader(i), leader(*j))).count() as f64;
    }
    sum
}

type Segment = ((f64, f64), (f64, f64));

fn cross((a, b): Segment, (c, d): Segment) -> bool {
    let side =
        |p: (f64, f64), q: (f64, f64), r: (f64, f64)| (q.0 - p.0) * (r.1 - p.1) - (q.1 - p.1) * (r.0 - p.0);
    side(a, b, c) * side(a, b, d) < 0.0 && side(c, d, a) * side(c, d, b) < 0.0
}

/// The candidate whose near end lies closest to that of `wanted`.
fn closest(candidates: &[Rect], wanted: &Rect) -> usize {
    let distance = |r: &Rect| {
        let ends = (r.x - wanted.x)
            .abs()
            .min((r.x + r.width - wanted.x - wanted.width).abs());
        ends + (r.y - wanted.y).abs()
    };
    (0..candidates.len())
        .min_by(|a, b| distance(&candidates[*a]).total_cmp(&distance(&candidates[*b])))
        .unwrap_or(0)
}

/// Places for a label: beside the point, above and below it, then beside it at growing distances.
fn candidates((x, y): (f64, f64), width: f64, height: f64) -> Vec<Rect> {
    const GAP: f64 = 9.0;
    let at = |x: f64, y: f64| Rect { x, y, width, height };
    let beside = |dy: f64, gap: f64| {
        [
            at(x + gap, y - height / 2.0 + dy),
            at(x - gap - width, y - height / 2.0 + dy),
        ]
    };
    let mut places = Vec::from(beside(0.0, GAP));
    // Centred, then flush with the point's left and right edge for points near a border.
    for left in [x - width / 2.0, x - 5.0, x + 5.0 - width] {
        places.extend([at(left, y - GAP - height), at(left, y + GAP)]);
    }
    for step in 1..=16 {
        let dy = f64::from(step) * height / 4.0;
        let gap = GAP + f64::from(step.min(8)) * 1.5;
        places.extend(beside(-dy, gap).into_iter().chain(beside(dy, gap)));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Rect = Rect {
        x: 0.0,
        y: 0.0,
        width: 400.0,
        height: 300.0,
    };

    #[track_caller]
    fn check(points: &[((f64, f64), f64)]) {
        let dots: Vec<_> = points
            .iter()
            .map(|((x, y), _)| Rect {
                x: x - 5.0,
                y: y - 5.0,
                width: 10.0,
                height: 10.0,
            })
            .collect();
        let placed = place(points, 14.0, &dots, BOUNDS);
        for (i, rect) in placed.iter().enumerate() {
            assert!(
                rect.excess(&BOUNDS) < 1e-6,
                "label {i} leaves the picture: {rect:?}"
            );
            assert!(
                dots.iter().all(|dot| rect.overlap(dot) < 1e-6),
                "label {i} covers a point: {rect:?}"
            );
            assert!(
                placed[..i].iter().all(|other| rect.overlap(other) < 1e-6),
                "label {i} covers a label: {rect:?}"
            );
        }
    }

    #[test]
    fn labels_cover_nothing() {
        check(&[((200.0, 150.0), 60.0)]);
        // Equal budgets put all points at one x; some have almost the same height.
        check(&[60.0, 64.0, 70.0].map(|y| ((370.0, y), 80.0)));
        check(&[200.0, 203.0, 206.0, 90.0, 92.0, 280.0, 150.0, 151.0].map(|y| ((370.0, y), 80.0)));
        // Corners.
        check(&[
            ((2.0, 2.0), 90.0),
            ((398.0, 2.0), 90.0),
            ((2.0, 298.0), 90.0),
            ((398.0, 298.0), 90.0),
        ]);
    }

    #[test]
    fn stacked_labels_keep_the_order_of_their_points() {
        let heights = [100.0, 103.0, 106.0, 109.0, 112.0];
        let placed = place(&heights.map(|y| ((380.0, y), 60.0)), 14.0, &[], BOUNDS);
        assert!(placed.is_sorted_by(|a, b| a.y < b.y), "{placed:?}");
    }

    #[test]
    fn segments_cross_or_not() {
        let diagonal = ((0.0, 0.0), (2.0, 2.0));
        assert!(cross(diagonal, ((0.0, 2.0), (2.0, 0.0))));
        assert!(!cross(diagonal, ((0.0, 1.0), (1.0, 2.0))));
        assert!(!cross(diagonal, ((3.0, 0.0), (2.0, 1.9))));
    }
}
