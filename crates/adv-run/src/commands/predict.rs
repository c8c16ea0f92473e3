//! `adv predict`: labels and probabilities, or scores, of sentences.

use crate::cli::PredictArgs;
use crate::spec::{RunSpec, Settings};
use crate::text::data::Sentences;
use crate::text::evaluate::{class_of, outputs};
use crate::text::{Plan, kept_model};
use crate::trainer::Files;
use crate::usage::UsageError;
use adv_core::Ledger;
use adv_data::text::{Answer, Problem};
use adv_models::text::HeadKind;
use anyhow::{Context, Result};
use burn::module::Module;
use serde_json::{Map, Value, json};
use std::io::{Read, Write};
use std::path::Path;

pub(super) fn run(args: &PredictArgs) -> Result<()> {
    let files = Files {
        folder: args.run.clone(),
    };
    let settings = Settings::read(&files.spec())
        .map_err(|error| UsageError(format!("--run {}: {error:#}", args.run.display())))?;
    let spec = match RunSpec::resolve(settings)? {
        RunSpec::Text(spec) => spec,
        RunSpec::Image(_) => return Err(UsageError("adv predict is for runs on text".into()).into()),
        RunSpec::Contrast(spec) => {
            return Err(UsageError(format!(
                "this run learns vectors, not answers: use adv encode --model-dir {}",
                args.run.join(spec.keep.to_string()).display()
            ))
            .into());
        }
    };
    let folder = kept_model(&spec, &files);
    if !folder.join("config.json").is_file() {
        let run = args.run.display();
        return Err(UsageError(format!(
            "--run {run}: there is no model in {} yet: go on with `adv train --resume {run}`",
            folder.display()
        ))
        .into());
    }
    let problem = problem(&folder)?;
    let plan = Plan::of_saved(&spec, &problem, &folder)?;
    if !matches!(plan.head, HeadKind::Classes(_) | HeadKind::Regression) {
        return Err(
            UsageError("adv predict: a language model has nothing to say of a sentence".into()).into(),
        );
    }
    let texts = read(&args.input, args.columns.as_deref())?;
    let device = args.device.unwrap_or(spec.training.device).open()?;
    let model = plan.saved(&folder, &device)?;

    let pairs: Vec<(&str, Option<&str>)> = texts
        .iter()
        .map(|(first, second)| (first.as_str(), second.as_deref()))
        .collect();
    let (encoded, overlong) = plan.tokenizer.encode(&pairs)?;
    if overlong.cut > 0 {
        eprintln!(
            "warning: {} of {} inputs were too long and were cut",
            overlong.cut, overlong.texts
        );
    }
    let sentences = Sentences {
        answers: vec![Answer::Nothing; encoded.len()].into(),
        problem: problem.clone(),
        encoded: encoded.into(),
    };
    let outputs = outputs(
        &model.valid(),
        &sentences,
        &device,
        &mut Ledger::new(),
        |_| Ok(()),
    )?;
    let mut out = std::io::stdout().lock();
    for ((first, second), row) in texts.iter().zip(&outputs) {
        let line = if args.json {
            as_json(first, second.as_deref(), row, &problem).to_string()
        } else {
            as_cells(first, second.as_deref(), row, &problem)
        };
        match writeln!(out, "{line}") {
            // Whoever reads has had enough.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(()),
            written => written?,
        }
    }
    Ok(())
}

/// What the model of a folder says of a sentence.
fn problem(folder: &Path) -> Result<Problem> {
    let config = adv_models::text::TextConfig::read(folder)?;
    let regression = config.raw().get("problem_type").and_then(Value::as_str) == Some("regression");
    let labels = config.labels().unwrap_or_default();
    Ok(if regression {
        Problem::Score
    } else if labels.is_empty() {
        Problem::Nothing
    } else {
        Problem::classes(labels.iter().map(String::as_str))
    })
}

type Text = (String, Option<String>);

/// Sentences or pairs, one a line; empty lines are left out.
pub(super) fn read(path: &Path, columns: Option<&[String]>) -> Result<Vec<Text>> {
    let shown = path.display();
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes)?;
    } else {
        bytes = std::fs::read(path).with_context(|| format!("--input: cannot read {shown}"))?;
    }
    let mut texts = Vec::new();
    for (index, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
        let at = || format!("{shown}, line {}", index + 1);
        let line = std::str::from_utf8(line).with_context(|| format!("{}: not UTF-8", at()))?;
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() {
            continue;
        }
        let text = match line.trim_start().starts_with('{') {
            true => from_json(line, columns).map_err(|problem| UsageError(format!("{}: {problem}", at())))?,
            false => match line.split_once('\t') {
                Some((first, second)) => (first.to_string(), Some(second.to_string())),
                None => (line.to_string(), None),
            },
        };
        texts.push(text);
    }
    if texts.is_empty() {
        return Err(UsageError(format!("--input: {shown} holds no sentence")).into());
    }
    Ok(texts)
}

fn from_json(line: &str, columns: Option<&[String]>) -> Result<Text, String> {
    let object: Map<String, Value> = serde_json::from_str(line).map_err(|error| error.to_string())?;
    let cell = |name: &str| object.get(name).and_then(Value::as_str).map(String::from);
    let needed =
        |name: &str| cell(name).ok_or_else(|| format!("the object has no text `{name}`: see --columns"));
    match columns {
        Some([first]) => Ok((needed(first)?, None)),
        Some([first, second]) => Ok((needed(first)?, Some(needed(second)?))),
        Some(_) => Err("--columns names one or two".into()),
        None if object.contains_key("first") => Ok((needed("first")?, cell("second"))),
        None => Ok((needed("sentence")?, None)),
    }
}

/// Probabilities of logits.
fn softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let terms: Vec<f64> = logits.iter().map(|z| f64::from(z - largest).exp()).collect();
    let sum: f64 = terms.iter().sum(); // tidy: small
    terms.iter().map(|term| term / sum).collect()
}

fn as_json(first: &str, second: Option<&str>, outputs: &[f32], problem: &Problem) -> Value {
    let mut object = Map::new();
    match second {
        Some(second) => {
            object.insert("first".into(), first.into());
            object.insert("second".into(), second.into());
        }
        None => {
            object.insert("sentence".into(), first.into());
        }
    }
    match problem {
        Problem::Classes(names) => {
            let label = &names[class_of(outputs) as usize];
            object.insert("label".into(), label.as_str().into());
            let shares = names.iter().cloned().zip(softmax(outputs));
            let shares: Map<String, Value> = shares.map(|(name, share)| (name, json!(share))).collect();
            object.insert("probabilities".into(), shares.into());
        }
        Problem::Score | Problem::Nothing => {
            object.insert("score".into(), json!(outputs[0]));
        }
    }
    object.into()
}

/// Label and probability, or score, then the sentences.
fn as_cells(first: &str, second: Option<&str>, outputs: &[f32], problem: &Problem) -> String {
    let said = match problem {
        Problem::Classes(names) => {
            let class = class_of(outputs) as usize;
            format!("{}\t{:.4}", names[class], softmax(outputs)[class])
        }
        Problem::Score | Problem::Nothing => format!("{:.4}", outputs[0]),
    };
    match second {
        Some(second) => format!("{said}\t{first}\t{second}"),
        None => format!("{said}\t{first}"),
    }
}
