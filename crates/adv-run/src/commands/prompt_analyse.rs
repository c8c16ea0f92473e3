//! `adv prompt analyse`: what spoils the average of static token embeddings (Jiang et al. 2022, section 2).

use super::show;
use crate::files::write_atomically;
use crate::hub;
use crate::progress::measuring;
use crate::report::{AnalysisReport, Cloud, Table, render_analysis};
use crate::report_of::environment;
use crate::sentences::{EncoderChoice, PromptAnalyseArgs, PromptChoice, SentenceEmbedder, sts_tasks, texts};
use crate::spec::PoolingName;
use crate::usage::UsageError;
use adv_contrast::evaluation::score_sts;
use adv_contrast::mean_cosine;
use adv_contrast::sentence::{Encoding, Vectors};
use adv_data::text::{StsSubset, StsTask};
use adv_models::text::Encoded;
use adv_prompt::Reading;
use adv_prompt::analysis::{Influence, Removed, StaticVectors, TokenKind, TokenKinds, principal_plane};
use anyhow::Result;
use burn::tensor::Device;
use serde_json::json;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

pub(super) fn run(args: &PromptAnalyseArgs, line: &str, stop: &AtomicBool) -> Result<()> {
    let tasks = sts_tasks(args.data_dir.as_deref(), &args.tasks)?;
    let mut corpus = texts(&args.input, &args.column)?;
    corpus.retain(|text| !text.trim().is_empty());
    corpus.truncate(args.take);
    if corpus.len() < 2 {
        return Err(UsageError(format!("{} has less than two sentences", args.input.display())).into());
    }
    let corpus: Vec<&str> = corpus.iter().map(String::as_str).collect();
    let device = args.device.open()?;
    let folder = hub::folder(&args.model_dir)?;
    let plain = EncoderChoice {
        pooling: Some(PoolingName::Mean),
        ..EncoderChoice::default()
    };
    let opened = SentenceEmbedder::open(&folder, &plain, &device)?;
    let SentenceEmbedder::Plain(embedder) = &opened else {
        unreachable!("a pooling was asked for");
    };
    let (encoded, _) = embedder.tokens(&corpus)?;
    let vocabulary = opened.model().config().vocabulary();
    let kinds = TokenKinds::new(embedder.tokenizer(), vocabulary, &encoded, args.frequent);
    let fixed = StaticVectors::new(opened.model(), embedder.tokenizer(), &kinds);

    let mut rows: Vec<(String, f64, f64)> = Vec::new();
    let mut influence = None;
    for removed in Removed::ALL {
        let score = score_sts(&tasks, |texts| {
            let vectors = fixed.of(texts, removed)?;
            if removed == Removed::Nothing {
                influence = Some(influence_of(&tasks, texts, &vectors, &fixed)?);
            }
            anyhow::Ok(vectors)
        })?;
        let cosine = anisotropy(&fixed.of(&corpus, removed)?, &device);
        rows.push((
            format!("static embeddings, {}", removed.name()),
            score.average,
            cosine,
        ));
    }
    let prompted = EncoderChoice {
        prompt: Some(PromptChoice {
            templates: vec![args.prompt.clone()],
            averaged: false,
            reading: Reading {
                denoising: adv_prompt::Denoising::Off,
                ..Reading::default()
            },
        }),
        ..EncoderChoice::default()
    };
    let mut warnings = Vec::new();
    for (name, choice) in [
        ("last layer, mean", plain),
        (
            "first and last layer, mean",
            EncoderChoice {
                pooling: Some(PoolingName::FirstLast),
                ..EncoderChoice::default()
            },
        ),
        ("prompt, mask", prompted),
    ] {
        match SentenceEmbedder::open(&folder, &choice, &device) {
            Ok(embedder) => {
                let encode = |texts: &[&str]| {
                    let progress = measuring(name.into(), texts.len(), stop);
                    let (vectors, _) =
                        embedder.encode::<anyhow::Error>(texts, &Encoding::default(), progress)?;
                    anyhow::Ok(vectors)
                };
                let score = score_sts(&tasks, encode)?;
                rows.push((name.into(), score.average, anisotropy(&encode(&corpus)?, &device)));
            }
            Err(error) => warnings.push(format!("{name}: not measured: {error}")),
        }
    }
    let influence = influence.unwrap_or(Influence::of(&[], &[], &[]));
    let page = AnalysisReport {
        title: "What spoils static token embeddings".into(),
        subtitle: format!(
            "{}, {} sentences of {}",
            args.model_dir.name(),
            corpus.len(),
            args.input.display()
        ),
        warnings,
        tables: tables(&rows, &influence, &args.tasks),
        clouds_title: "Static token embeddings".into(),
        clouds: clouds(&fixed, &kinds, &encoded, args.points),
        environment: environment(line),
        notes: notes(args),
    };
    write_atomically(&args.out, render_analysis(&page)?.as_bytes())?;
    for warning in &page.warnings {
        eprintln!("warning: {warning}");
    }
    if args.json {
        let rows = rows.iter().map(
            |(name, spearman, cosine)| json!({"vectors": name, "spearman": spearman, "mean_cosine": cosine}),
        );
        let influence = json!({"frequent": influence.frequent, "subwords": influence.subwords,
            "upper_case": influence.upper_case, "punctuation": influence.punctuation});
        println!(
            "{}",
            json!({"rows": rows.collect::<Vec<_>>(), "influence": influence})
        );
    } else {
        for table in &page.tables {
            let head = table.columns.iter().map(|(name, _)| name.clone()).collect();
            println!("{}\n{}", table.caption, show::table(head, table.rows.clone()));
        }
    }
    eprintln!("the page: {}", args.out.display());
    Ok(())
}

/// The mean cosine of two sentences, times 100.
fn anisotropy(vectors: &Vectors, device: &Device) -> f64 {
    100.0 * mean_cosine(vectors.tensor(device))
}

fn influence_of(
    tasks: &[(StsTask, Vec<StsSubset>)],
    texts: &[&str],
    vectors: &Vectors,
    fixed: &StaticVectors<'_>,
) -> Result<Influence> {
    let places: HashMap<&str, usize> = texts.iter().copied().zip(0..).collect();
    let shares = fixed.shares(texts)?;
    let pairs: Vec<_> = tasks
        .iter()
        .flat_map(|(_, subsets)| subsets)
        .flat_map(|subset| &subset.pairs)
        .collect();
    let ends = pairs
        .iter()
        .map(|pair| [places[pair.first.as_str()], places[pair.second.as_str()]]);
    let ends: Vec<[usize; 2]> = ends.collect();
    let cosines: Vec<f64> = ends.iter().map(|[a, b]| vectors.cosine(*a, *b)).collect();
    let scores: Vec<f64> = pairs.iter().map(|pair| pair.score).collect();
    let shares: Vec<_> = ends.iter().map(|ends| ends.map(|end| shares[end])).collect();
    Ok(Influence::of(&cosines, &scores, &shares))
}

fn tables(rows: &[(String, f64, f64)], influence: &Influence, tasks: &[StsTask]) -> Vec<Table> {
    let tasks: Vec<String> = tasks.iter().map(ToString::to_string).collect();
    let figures = Table {
        caption: format!(
            "Sentence vectors: Spearman x 100 on {}, and mean cosine x 100 of two sentences",
            tasks.join(", ")
        ),
        columns: [("vectors", false), ("Spearman", true), ("mean cosine", true)]
            .map(|(name, number)| (name.to_string(), number))
            .to_vec(),
        rows: rows
            .iter()
            .map(|(name, spearman, cosine)| {
                vec![name.clone(), format!("{spearman:.2}"), format!("{cosine:.2}")]
            })
            .collect(),
    };
    let shares = [
        ("frequent tokens", influence.frequent),
        ("subwords", influence.subwords),
        ("upper case", influence.upper_case),
        ("punctuation", influence.punctuation),
    ];
    let shown = |value: f64| {
        if value.is_finite() {
            format!("{value:.3}")
        } else {
            "none there".into()
        }
    };
    let influence = Table {
        caption: "How the error on a pair goes with its share of tokens of a kind: Spearman's correlation"
            .into(),
        columns: vec![("share of".into(), false), ("correlation".into(), true)],
        rows: shares
            .iter()
            .map(|(name, value)| vec![(*name).to_string(), shown(*value)])
            .collect(),
    };
    vec![figures, influence]
}

/// A group's name, and whether a token of this rank and kind belongs to it.
type Group<'a> = (&'a str, &'a dyn Fn(usize, TokenKind) -> bool);

fn clouds(fixed: &StaticVectors<'_>, kinds: &TokenKinds, encoded: &[Encoded], points: usize) -> Vec<Cloud> {
    let special: std::collections::HashSet<u32> = encoded
        .iter()
        .flat_map(|text| text.ids.iter().zip(&text.special))
        .filter_map(|(id, special)| (*special == 1).then_some(*id))
        .collect();
    let mut shown: Vec<u32> = (0..kinds.all().len() as u32)
        .filter(|id| kinds.of(*id).count > 0 && !special.contains(id))
        .collect();
    shown.sort_by_key(|id| std::cmp::Reverse(kinds.of(*id).count));
    shown.truncate(points);
    let Some(width) = shown.first().map(|id| fixed.row(*id).len()) else {
        return Vec::new();
    };
    let values: Vec<f32> = shown
        .iter()
        .flat_map(|id| fixed.row(*id).iter().copied())
        .collect();
    let (places, share) = principal_plane(&values, width);
    let x_name = format!("two principal components, {:.0} % of the variance", 100.0 * share);
    let grouped = |title: &str, groups: &[Group<'_>]| Cloud {
        title: title.into(),
        x_name: x_name.clone(),
        groups: groups
            .iter()
            .map(|(name, belongs)| {
                let members = shown
                    .iter()
                    .enumerate()
                    .filter(|(rank, id)| belongs(*rank, kinds.of(**id)));
                (
                    (*name).to_string(),
                    members.map(|(rank, _)| places[rank]).collect(),
                )
            })
            .collect(),
    };
    let third = shown.len().div_ceil(3);
    vec![
        grouped(
            "By frequency",
            &[
                ("rarest third", &|rank, _| rank >= 2 * third),
                ("middle third", &|rank, _| (third..2 * third).contains(&rank)),
                ("most frequent third", &|rank, _| rank < third),
            ],
        ),
        grouped(
            "By subword",
            &[
                ("begins a word", &|_, kind| !kind.is_subword),
                ("continues a word", &|_, kind| kind.is_subword),
            ],
        ),
        grouped(
            "By case and punctuation",
            &[
                ("lower case", &|_, kind| {
                    !kind.has_upper_case && !kind.is_punctuation
                }),
                ("upper case", &|_, kind| kind.has_upper_case),
                ("punctuation", &|_, kind| kind.is_punctuation),
            ],
        ),
    ]
}

fn notes(args: &PromptAnalyseArgs) -> Vec<String> {
    vec![
        format!(
            "Static embeddings are the rows of the word table, averaged over a sentence without special tokens. Frequent are the {} most \
             frequent tokens of the sentences counted.",
            args.frequent
        ),
        "The conditions are those of PromptBERT's program. Its figures per condition are not known to us, so these are our own.".into(),
        "The error on a pair is how far its rank by cosine lies from its rank by people's score: our own measure.".into(),
        format!("The prompt: {}", args.prompt),
    ]
}
