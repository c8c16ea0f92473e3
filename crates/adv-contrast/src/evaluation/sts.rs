//! Semantic textual similarity: Spearman's correlation of cosines with people's scores.

use crate::sentence::Vectors;
use adv_data::metrics::spearman;
use adv_data::text::{StsSubset, StsTask};
use std::collections::HashMap;

/// The figures of a task, Spearman's correlation times 100.
#[derive(Debug, Clone, PartialEq)]
pub struct StsScore {
    /// Over the pairs of all subsets together (the setting "all" of SimCSE's tables).
    pub all: f64,
    /// The mean over the subsets.
    pub mean: f64,
    /// The same, each weighed by its number of pairs.
    pub weighted_mean: f64,
    /// Each subset: name, figure, pairs.
    pub subsets: Vec<(String, f64, usize)>,
}

/// The figures of several tasks.
#[derive(Debug, Clone, PartialEq)]
pub struct StsSummary {
    /// Each task, in the order asked for.
    pub tasks: Vec<(StsTask, StsScore)>,
    /// The mean of the tasks' figures over all pairs.
    pub average: f64,
    /// The mean of these rounded to two digits, as published tables have it.
    pub average_of_rounded: f64,
}

/// The sentences of the tasks, each once.
pub(crate) fn sentences(tasks: &[(StsTask, Vec<StsSubset>)]) -> Vec<&str> {
    let mut seen: HashMap<&str, ()> = HashMap::new();
    let pairs = tasks
        .iter()
        .flat_map(|(_, subsets)| subsets)
        .flat_map(|subset| &subset.pairs);
    pairs
        .flat_map(|pair| [pair.first.as_str(), pair.second.as_str()])
        .filter(|text| seen.insert(text, ()).is_none())
        .collect()
}

/// Measures the vectors that `encode` makes of the tasks' sentences; each sentence is encoded once. A cosine that is no number counts
/// as 0 (SentEval as changed by SimCSE).
///
/// Errors: those of `encode`.
///
/// # Panics
///
/// If `encode` does not give one vector for each sentence.
pub fn score_sts<E>(
    tasks: &[(StsTask, Vec<StsSubset>)],
    encode: impl FnOnce(&[&str]) -> Result<Vectors, E>,
) -> Result<StsSummary, E> {
    let texts = sentences(tasks);
    let vectors = encode(&texts)?;
    assert_eq!(vectors.len(), texts.len(), "one vector for each sentence");
    let places: HashMap<&str, usize> = texts
        .iter()
        .enumerate()
        .map(|(place, text)| (*text, place))
        .collect();
    let cosine = |first: &str, second: &str| {
        let cosine = vectors.cosine(places[first], places[second]);
        if cosine.is_finite() { cosine } else { 0.0 }
    };
    let tasks: Vec<(StsTask, StsScore)> = tasks
        .iter()
        .map(|(task, subsets)| (*task, score(subsets, &cosine)))
        .collect();
    let mean = |figures: &dyn Fn(f64) -> f64| {
        let sum: f64 = tasks.iter().map(|(_, score)| figures(score.all)).sum();
        sum / tasks.len() as f64
    };
    Ok(StsSummary {
        average: mean(&|figure| figure),
        average_of_rounded: mean(&|figure| (figure * 100.0).round() / 100.0),
        tasks,
    })
}

fn score(subsets: &[StsSubset], cosine: &dyn Fn(&str, &str) -> f64) -> StsScore {
    let (mut all_cosines, mut all_scores) = (Vec::new(), Vec::new());
    let mut figures = Vec::new();
    for subset in subsets {
        let pairs = subset.pairs.iter();
        let cosines: Vec<f64> = pairs
            .clone()
            .map(|pair| cosine(&pair.first, &pair.second))
            .collect();
        let scores: Vec<f64> = pairs.map(|pair| pair.score).collect();
        figures.push((
            subset.name.clone(),
            100.0 * spearman(&cosines, &scores),
            scores.len(),
        ));
        all_cosines.extend(cosines);
        all_scores.extend(scores);
    }
    let count = all_scores.len() as f64;
    StsScore {
        all: 100.0 * spearman(&all_cosines, &all_scores),
        mean: figures.iter().map(|(_, figure, _)| figure).sum::<f64>() / figures.len() as f64,
        weighted_mean: figures
            .iter()
            .map(|(_, figure, pairs)| figure * *pairs as f64)
            .sum::<f64>()
            / count,
        subsets: figures,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use adv_data::text::StsPair;

    fn subset(name: &str, pairs: &[(&str, &str, f64)]) -> StsSubset {
        let pairs = pairs.iter().map(|(first, second, score)| StsPair {
            first: (*first).into(),
            second: (*second).into(),
            score: *score,
        });
        StsSubset {
            name: name.into(),
            pairs: pairs.collect(),
        }
    }

    /// Vectors on the circle, at the angle that the text names.
    fn on_circle(texts: &[&str]) -> Result<Vectors, ()> {
        let point = |text: &&str| {
            let angle = text.parse::<f32>().unwrap().to_radians();
            [angle.cos(), angle.sin()]
        };
        Ok(Vectors::new(texts.iter().flat_map(point).collect(), 2))
    }

    #[test]
    fn all_mean_and_weighted_mean_are_those_of_the_definitions() {
        // Right order in the first, wrong in the second.
        let tasks = [(
            StsTask::Sts12,
            vec![
                subset("right", &[("0", "10", 5.0), ("0", "20", 4.0), ("0", "90", 0.0)]),
                subset("wrong", &[("0", "30", 1.0), ("0", "40", 2.0)]),
            ],
        )];
        let mut asked = 0;
        let summary = score_sts(&tasks, |texts| {
            asked = texts.len();
            on_circle(texts)
        });
        let summary = summary.unwrap();
        assert_eq!(asked, 6);
        let score = &summary.tasks[0].1;
        for (found, expected) in score
            .subsets
            .iter()
            .zip([("right", 100.0, 3), ("wrong", -100.0, 2)])
        {
            assert_eq!((found.0.as_str(), found.2), (expected.0, expected.2));
            assert!((found.1 - expected.1).abs() < 1e-9, "{found:?}");
        }
        assert!(score.mean.abs() < 1e-9);
        assert!((score.weighted_mean - 20.0).abs() < 1e-9);
        // Ranks of the cosines 5 4 1 3 2, of the scores 5 4 1 2 3: 1 - 6 * 2 / (5 * 24).
        assert!((score.all - 90.0).abs() < 1e-9, "{}", score.all);
        assert_eq!(summary.average, score.all);
    }
}
