//! `adv methods`: what there is and what it costs.

use super::show::table;
use crate::cli::MethodsArgs;
use crate::result::PassCounts;
use crate::spec::{MethodName, RunSpec, Settings};
use anyhow::Result;
use clap::ValueEnum;
use std::path::PathBuf;

pub(super) fn run(args: &MethodsArgs) -> Result<()> {
    let mut rows = Vec::new();
    let mut json = serde_json::Map::new();
    for name in MethodName::ALL {
        let vectors = name.is_contrastive();
        let task = (!name.is_for_images() && !vectors).then(|| "synth-sentiment".to_string());
        let some = |name: &str| vectors.then(|| PathBuf::from(name));
        let spec = RunSpec::resolve(Settings {
            method: Some(name),
            task,
            model_dir: some("encoder").map(Into::into),
            train_file: some("lines.txt").map(Into::into),
            ..Settings::default()
        })?;
        let cost: PassCounts = spec.training().expected_cost()?.into();
        let about = name
            .to_possible_value()
            .and_then(|value| value.get_help().map(ToString::to_string));
        json.insert(name.to_string(), serde_json::to_value(cost)?);
        let mut row = vec![name.to_string()];
        row.extend(
            cost.named()
                .map(|(_, n)| if n == 0 { "".into() } else { n.to_string() }),
        );
        row.push(about.unwrap_or_default());
        rows.push(row);
    }
    if args.json {
        println!("{}", serde_json::Value::Object(json));
        return Ok(());
    }
    let head = [
        "method",
        "forward",
        "backward\nweights",
        "backward\ninput",
        "first layer\nforward",
        "first layer\nbackward",
        "updates",
        "with the default numbers for images: steps 7, m 8 or 5, n 10, K 3",
    ];
    let mut shown = table(head.map(String::from).to_vec(), rows);
    if let Some(column) = shown.column_mut(7) {
        column.set_cell_alignment(comfy_table::CellAlignment::Left);
    }
    println!("Passes per mini-batch\n{shown}");
    Ok(())
}
