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
        (p.0.clamp(self.x, self.x + self.width), p.1.clamp(self.y, self.y + self.height))
    }
}

/// Places one label of each `(point, width)` inside `bounds`; `obstacles` are kept free where that is possible.
///
/// Each label takes the first free place from a list that goes from near to far, beginning with the labels that
/// have the least room above them. A label that finds no free place takes the one that covers least.
pub(super) fn place(points: &[((f64, f64), f64)], height: f64, obstacles: &[Rect], bounds: Rect) -> Vec<Rect> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|a, b| points[*a].0.1.total_cmp(&points[*b].0.1));
    let mut taken = obstacles.to_vec();
    let mut placed = vec![Rect { x: 0.0, y: 0.0, width: 0.0, height }; points.len()];
    for index in order {
        let (point, width) = points[index];
        let mut best = (f64::INFINITY, placed[index]);
        for rect in candidates(point, width, height) {
            let covered: f64 = taken.iter().map(|other| rect.overlap(other)).sum();
            // Leaving the picture is worse than covering something.
            let cost = covered + 10.0 * rect.excess(&bounds);
            if cost < best.0 - 1e-6 {
                best = (cost, rect);
            }
            if cost < 1e-6 {
                break;
            }
        }
        placed[index] = best.1;
        taken.push(best.1);
    }
    placed
}

/// Places for a label, the best first: beside the point, then above and below, then beside it at growing distances.
fn candidates((x, y): (f64, f64), width: f64, height: f64) -> Vec<Rect> {
    const GAP: f64 = 9.0;
    let at = |x: f64, y: f64| Rect { x, y, width, height };
    let beside = |dy: f64, gap: f64| [at(x + gap, y - height / 2.0 + dy), at(x - gap - width, y - height / 2.0 + dy)];
    let mut places = Vec::from(beside(0.0, GAP));
    // Above and below: centred, then flush with the point's left and right edge for points near a border.
    for left in [x - width / 2.0, x - 5.0, x + 5.0 - width] {
        places.extend([at(left, y - GAP - height), at(left, y + GAP)]);
    }
    for step in 1..=24 {
        let dy = f64::from(step) * height / 2.0;
        let gap = GAP + f64::from(step.min(6)) * 2.0;
        places.extend(beside(-dy, gap).into_iter().chain(beside(dy, gap)));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: Rect = Rect { x: 0.0, y: 0.0, width: 400.0, height: 300.0 };

    #[track_caller]
    fn check(points: &[((f64, f64), f64)]) {
        let dots: Vec<_> = points
            .iter()
            .map(|((x, y), _)| Rect { x: x - 5.0, y: y - 5.0, width: 10.0, height: 10.0 })
            .collect();
        let placed = place(points, 14.0, &dots, BOUNDS);
        for (i, rect) in placed.iter().enumerate() {
            assert!(rect.excess(&BOUNDS) < 1e-6, "label {i} leaves the picture: {rect:?}");
            assert!(dots.iter().all(|dot| rect.overlap(dot) < 1e-6), "label {i} covers a point: {rect:?}");
            assert!(placed[..i].iter().all(|other| rect.overlap(other) < 1e-6), "label {i} covers a label: {rect:?}");
        }
    }

    #[test]
    fn labels_cover_nothing() {
        check(&[((200.0, 150.0), 60.0)]);
        // Equal budgets put all points at one x; some have almost the same height.
        check(&[200.0, 203.0, 206.0, 90.0, 92.0, 280.0, 150.0, 151.0].map(|y| ((370.0, y), 80.0)));
        // Corners.
        check(&[((2.0, 2.0), 90.0), ((398.0, 2.0), 90.0), ((2.0, 298.0), 90.0), ((398.0, 298.0), 90.0)]);
    }
}
