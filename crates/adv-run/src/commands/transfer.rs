//! `adv transfer`: sentence vectors measured by linear classifiers.

use super::show;
use crate::progress::fits;
use crate::sentences::{Sentencer, TransferArgs, data_root};
use crate::usage::Stopped;
use adv_contrast::evaluation::{TransferError, TransferProtocol, TransferScore, score_transfer};
use adv_contrast::sentence::Encoding;
use adv_data::text::TransferTask;
use anyhow::{Context, Result};
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicBool, Ordering};

pub(super) fn run(args: &TransferArgs, stop: &AtomicBool) -> Result<()> {
    let root = data_root(args.data_dir.as_deref())?;
    let seven = || TransferTask::SEVEN.map(|(_, task)| task).to_vec();
    let names = args.tasks.clone().unwrap_or_else(seven);
    let tasks = names.into_iter().map(|task| Ok((task, task.read(&root)?)));
    let tasks: Vec<_> = tasks
        .collect::<Result<_>>()
        .context("--data-dir names their folder")?;
    let protocol = match args.full {
        true => TransferProtocol::Full,
        false => TransferProtocol::Usual,
    };
    let encoder = Sentencer::open(&args.encoder)?;
    let mut scores = Vec::new();
    for (task, parts) in &tasks {
        let bar = fits(task.name());
        let score = score_transfer(
            *task,
            parts,
            protocol,
            |texts| encoder.vectors(texts, Encoding::default(), stop),
            |done, all| {
                bar.set_length(all as u64);
                bar.set_position(done as u64);
                !stop.load(Ordering::Relaxed)
            },
        );
        let score = match score {
            Err(error) if matches!(error.downcast_ref(), Some(TransferError::Stopped)) => {
                return Err(Stopped.into());
            }
            score => score,
        };
        bar.finish_and_clear();
        scores.push((*task, score.with_context(|| task.to_string())?));
    }
    if args.json {
        println!("{}", as_json(&scores, protocol));
    } else {
        println!("{}", as_table(&scores));
        println!(
            "Accuracy x 100 of logistic regression on the vectors; its penalty was chosen by {} folds, of SST2 by its part to choose by.",
            protocol.inner_folds()
        );
    }
    Ok(())
}

fn average(scores: &[(TransferTask, TransferScore)]) -> f64 {
    scores.iter().map(|(_, score)| score.accuracy).sum::<f64>() / scores.len().max(1) as f64
}

fn as_table(scores: &[(TransferTask, TransferScore)]) -> String {
    let head = ["task", "accuracy", "F1", "rows"].map(String::from);
    let figure = |value: f64| format!("{value:.2}");
    let mut rows: Vec<Vec<String>> = Vec::new();
    for (task, score) in scores {
        rows.push(vec![
            task.to_string(),
            figure(score.accuracy),
            score.f1.map(figure).unwrap_or_default(),
            score.tested.to_string(),
        ]);
    }
    if scores.len() > 1 {
        rows.push(vec![
            "average".into(),
            figure(average(scores)),
            String::new(),
            String::new(),
        ]);
    }
    show::table(head.to_vec(), rows).to_string()
}

fn as_json(scores: &[(TransferTask, TransferScore)], protocol: TransferProtocol) -> Value {
    let mut object = Map::new();
    for (task, score) in scores {
        object.insert(task.name().into(), json!(score.accuracy));
    }
    object.insert("avg".into(), json!(average(scores)));
    let details = scores.iter().map(|(task, score)| {
        let value = json!({"f1": score.f1, "penalties": score.penalties, "rows": score.tested});
        (task.name().to_string(), value)
    });
    object.insert("details".into(), details.collect::<Map<_, _>>().into());
    object.insert("inner_folds".into(), json!(protocol.inner_folds()));
    object.into()
}
