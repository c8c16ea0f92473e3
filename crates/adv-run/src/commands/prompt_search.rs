//! `adv prompt search`: which template reads sentences best.

use super::show;
use crate::hub;
use crate::progress::measuring;
use crate::sentences::{EncoderChoice, PromptChoice, PromptSearchArgs, SentenceEmbedder, sts_tasks, texts};
use crate::usage::UsageError;
use adv_contrast::evaluation::score_sts;
use adv_contrast::sentence::Encoding;
use adv_prompt::Template;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &PromptSearchArgs, stop: &AtomicBool) -> Result<()> {
    let templates = read(args)?;
    let tasks = sts_tasks(args.data_dir.as_deref(), &args.tasks)?;
    let device = args.device.open()?;
    let folder = hub::folder(&args.model_dir)?;
    let encoding = Encoding {
        batch: args.batch as usize,
        ..Encoding::default()
    };
    let mut ranking = Vec::new();
    for (number, template) in templates.iter().enumerate() {
        let choice = EncoderChoice {
            prompt: Some(PromptChoice {
                templates: vec![template.clone()],
                averaged: false,
                reading: args.reading.reading(),
            }),
            longest: args.max_length,
            ..EncoderChoice::default()
        };
        let embedder = SentenceEmbedder::open(&folder, &choice, &device)?;
        let summary = score_sts(&tasks, |texts| {
            let progress = measuring(format!("template {}", number + 1), texts.len(), stop);
            let (vectors, _) = embedder.encode::<anyhow::Error>(texts, &encoding, progress)?;
            anyhow::Ok(vectors)
        })?;
        // At once, so that a search which is stopped has told what it found.
        eprintln!(
            "{}/{}  {:6.2}  {template}",
            number + 1,
            templates.len(),
            summary.average
        );
        ranking.push((summary.average, template));
    }
    ranking.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    if args.json {
        let ranking = ranking
            .iter()
            .map(|(figure, template)| json!({"template": template, "spearman": figure}));
        println!("{}", Value::from(ranking.collect::<Vec<_>>()));
        return Ok(());
    }
    let head = ["Spearman", "template"].map(String::from);
    let rows = ranking
        .iter()
        .map(|(figure, template)| vec![format!("{figure:.2}"), template.to_string()]);
    let mut shown = show::table(head.to_vec(), rows.collect());
    if let Some(column) = shown.column_mut(1) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    println!("{shown}");
    let tasks: Vec<String> = args.tasks.iter().map(ToString::to_string).collect();
    println!(
        "Spearman x 100 of the cosine with people's scores, {}.",
        tasks.join(", ")
    );
    Ok(())
}

/// The templates of the file; empty lines, and lines that begin with #, are none.
fn read(args: &PromptSearchArgs) -> Result<Vec<Template>> {
    let mut templates = Vec::new();
    for (line, number) in texts(&args.templates, "template")?.iter().zip(1..) {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let template: Template = line
            .parse()
            .with_context(|| format!("{}, line {number}", args.templates.display()))?;
        if !templates.contains(&template) {
            templates.push(template);
        }
    }
    if templates.is_empty() {
        return Err(UsageError(format!("{} has no template", args.templates.display())).into());
    }
    Ok(templates)
}
