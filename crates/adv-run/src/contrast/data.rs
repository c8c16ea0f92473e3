//! What vectors are learnt from, and what they are measured by.

use crate::hub;
use crate::sentences::SentenceEmbedder;
use crate::spec::ContrastSpec;
use crate::usage::UsageError;
use adv_contrast::sentence::SentenceError;
use adv_data::text::{
    Answer, Columns, Problem, StsPair, StsSubset, StsTask, read_columns, read_sentences, read_table,
};
use adv_models::text::{Encoded, Overlong};
use adv_prompt::PromptError;
use anyhow::{Context, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Sentences, pairs or triplets as token ids.
#[derive(Clone)]
pub(super) struct Examples {
    pub(super) anchors: Arc<Vec<Encoded>>,
    pub(super) positives: Option<Arc<Vec<Encoded>>>,
    pub(super) negatives: Option<Arc<Vec<Encoded>>>,
}

/// Some of them.
pub(super) struct Picked {
    pub(super) anchors: Vec<Encoded>,
    pub(super) positives: Option<Vec<Encoded>>,
    pub(super) negatives: Option<Vec<Encoded>>,
    /// Gaussian vectors, one after the other.
    pub(super) gaussian: Vec<f32>,
}

impl Examples {
    /// Reads what a spec names; cut sentences are a note.
    pub(super) fn read(
        spec: &ContrastSpec,
        embedder: &SentenceEmbedder,
        notes: &mut Vec<String>,
    ) -> Result<Self> {
        let path = hub::file(&spec.source.file)?;
        let rows = match spec.source.columns.as_slice() {
            [] => {
                let set = read_sentences(&path)?;
                set.rows().iter().map(|row| vec![row.first.clone()]).collect()
            }
            columns => read_columns(&path, columns)?,
        };
        let rows = match spec.training.take {
            Some(n) if n > rows.len() => {
                return Err(UsageError(format!("--take {n}: there are {} rows", rows.len())).into());
            }
            Some(n) => &rows[..n],
            None => &rows[..],
        };
        if rows.len() < 2 {
            return Err(UsageError(format!(
                "{} has a single row: a sentence is told apart from others",
                spec.source.file
            ))
            .into());
        }
        let mut cut = Overlong::default();
        let mut column = |place: usize, first: bool| -> Result<Option<Arc<Vec<Encoded>>>> {
            let texts = rows.iter().map(|row| row.get(place).map(String::as_str));
            match texts.collect::<Option<Vec<&str>>>() {
                None => Ok(None),
                Some(texts) => {
                    let (encoded, overlong) = encoded(embedder, first, &texts, spec.max_length)?;
                    // The same sentences in another template are not counted again.
                    if first || place > 0 {
                        cut.cut += overlong.cut;
                        cut.texts += overlong.texts;
                    }
                    Ok(Some(Arc::new(encoded)))
                }
            }
        };
        let anchors = column(0, true)?.context("a row has no sentence")?;
        let positives = match column(1, false)? {
            // The same sentences, in another template.
            None if embedder.kinds_of_tokens() > 1 => column(0, false)?,
            positives => positives,
        };
        let negatives = column(2, false)?;
        if cut.cut > 0 {
            let text = format!(
                "{} of {} training sentences were too long and were cut: see --max-length",
                cut.cut, cut.texts
            );
            eprintln!("warning: {text}");
            notes.push(text);
        }
        Ok(Self {
            anchors,
            positives,
            negatives,
        })
    }

    pub(super) fn pick(&self, places: &[usize]) -> Picked {
        let of = |all: &Arc<Vec<Encoded>>| places.iter().map(|&place| all[place].clone()).collect();
        Picked {
            anchors: of(&self.anchors),
            positives: self.positives.as_ref().map(of),
            negatives: self.negatives.as_ref().map(of),
            gaussian: Vec::new(),
        }
    }
}

fn encoded(
    embedder: &SentenceEmbedder,
    first: bool,
    texts: &[&str],
    longest: usize,
) -> Result<(Vec<Encoded>, Overlong)> {
    embedder.tokens(first, texts, longest).map_err(|error| {
        let index = match error.downcast_ref::<SentenceError>() {
            Some(SentenceError::NoToken { index }) => Some(*index),
            _ => match error.downcast_ref::<PromptError>() {
                Some(PromptError::Sentence(SentenceError::NoToken { index })) => Some(*index),
                _ => None,
            },
        };
        match index {
            None => error,
            Some(index) => UsageError(format!(
                "the training sentence `{}` has no token that the model knows: leave it out",
                texts[index].escape_debug()
            ))
            .into(),
        }
    })
}

/// Tasks with their pairs.
pub(super) type Tasks = Vec<(StsTask, Vec<StsSubset>)>;

/// The folder of data sets, if there is one.
fn root(spec: &ContrastSpec) -> Option<PathBuf> {
    let usual = || std::env::var_os("ADV_DATA_DIR").map(PathBuf::from);
    spec.data_dir.clone().or_else(usual)
}

/// The pairs to choose weights by: the STS benchmark's, or a user's own.
pub(super) fn dev(spec: &ContrastSpec) -> Result<Tasks> {
    let task = StsTask::StsBDev;
    let Some(file) = &spec.dev_file else {
        const HOW: &str = "weights are chosen by the STS benchmark's dev part: name the folder of data sets with --data-dir, set ADV_DATA_DIR, or give pairs with --dev-file";
        let root = root(spec).ok_or_else(|| UsageError(HOW.into()))?;
        return Ok(vec![(task, task.read(&root).context(HOW)?)]);
    };
    let columns = Columns {
        first: "sentence1".into(),
        second: Some("sentence2".into()),
        answer: "score".into(),
    };
    let set = read_table(&hub::file(file)?, &columns, Some(&Problem::Score))
        .context("--dev-file needs the columns sentence1, sentence2 and score")?;
    let pairs = set.rows().iter().filter_map(|row| match row.answer {
        Answer::Score(score) => Some(StsPair {
            first: row.first.clone(),
            second: row.second.clone()?,
            score: f64::from(score),
        }),
        Answer::Class(_) | Answer::Nothing => None,
    });
    let name = file.name();
    let pairs = pairs.collect();
    Ok(vec![(task, vec![StsSubset { name, pairs }])])
}

/// The seven tasks, where their files are; else why they are not measured.
pub(super) fn seven(spec: &ContrastSpec) -> Result<Tasks, String> {
    let root = root(spec).ok_or("there is no folder of data sets")?;
    let tasks = StsTask::SEVEN.into_iter().map(|task| {
        let subsets = task.read(&root).map_err(|error| error.to_string())?;
        Ok((task, subsets))
    });
    tasks.collect()
}
