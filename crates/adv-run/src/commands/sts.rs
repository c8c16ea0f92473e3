//! `adv sts`: sentence vectors measured by similarity tasks.

use super::show;
use crate::sentences::{Sentencer, StsArgs, sts_tasks};
use adv_contrast::evaluation::{StsGeometry, StsSummary, score_sts};
use adv_contrast::sentence::Encoding;
use adv_data::text::StsTask;
use anyhow::Result;
use serde_json::{Map, Value, json};
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &StsArgs, stop: &AtomicBool) -> Result<()> {
    let names = args.tasks.clone().unwrap_or_else(|| StsTask::SEVEN.to_vec());
    let tasks = sts_tasks(args.data_dir.as_deref(), &names)?;
    let encoder = Sentencer::open(&args.encoder)?;
    let mut geometry = None;
    let summary = score_sts(&tasks, |texts| {
        let vectors = encoder.vectors(texts, Encoding::default(), stop)?;
        if args.geometry {
            geometry = Some(StsGeometry::of(
                &tasks,
                texts,
                &vectors,
                &args.encoder.device.open()?,
            ));
        }
        anyhow::Ok(vectors)
    })?;
    if args.json {
        println!("{}", as_json(&summary, geometry.as_ref()));
        return Ok(());
    }
    println!("{}", as_table(&summary));
    println!(
        "Spearman x 100 of the cosine; all: over all pairs of a task together, as published tables have it."
    );
    if let Some(geometry) = geometry {
        println!(
            "alignment {:.4} ({} pairs with a score above 4)   uniformity {:.4}   mean cosine {:.4} ({} sentences)",
            geometry.alignment,
            geometry.close_pairs,
            geometry.uniformity,
            geometry.mean_cosine,
            geometry.sentences
        );
    }
    Ok(())
}

fn as_table(summary: &StsSummary) -> String {
    let head = ["task", "all", "mean", "weighted mean", "pairs"].map(String::from);
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (task, score) in &summary.tasks {
        let pairs: usize = score.subsets.iter().map(|(_, _, pairs)| pairs).sum();
        let figures = [score.all, score.mean, score.weighted_mean].map(|figure| format!("{figure:.2}"));
        rows.push([vec![task.to_string()], figures.to_vec(), vec![pairs.to_string()]].concat());
    }
    if summary.tasks.len() > 1 {
        let mut last = vec![
            "average".to_string(),
            format!("{:.2}", summary.average_of_rounded),
        ];
        last.resize(head.len(), String::new());
        rows.push(last);
    }
    show::table(head.to_vec(), rows).to_string()
}

fn as_json(summary: &StsSummary, geometry: Option<&StsGeometry>) -> Value {
    let mut object = Map::new();
    for (task, score) in &summary.tasks {
        object.insert(task.name().into(), json!(score.all));
    }
    object.insert("avg".into(), json!(summary.average));
    object.insert("avg_of_rounded".into(), json!(summary.average_of_rounded));
    let details = summary.tasks.iter().map(|(task, score)| {
        let subsets: Map<String, Value> = score
            .subsets
            .iter()
            .map(|(name, figure, pairs)| (name.clone(), json!({"spearman": figure, "pairs": pairs})))
            .collect();
        let value = json!({"mean": score.mean, "wmean": score.weighted_mean, "subsets": subsets});
        (task.name().to_string(), value)
    });
    object.insert("details".into(), details.collect::<Map<_, _>>().into());
    if let Some(geometry) = geometry {
        let value = json!({
            "align": geometry.alignment,
            "align_pairs": geometry.close_pairs,
            "uniform": geometry.uniformity,
            "mean_cosine": geometry.mean_cosine,
            "sentences": geometry.sentences,
        });
        object.insert("geometry".into(), value);
    }
    object.into()
}
