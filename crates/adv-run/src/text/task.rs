//! Sentences to be learnt from.

use super::data::Sentences;
use super::evaluate::{guessed_tokens, main_metric, metrics, outputs};
use crate::streams::{Purpose, stream};
use crate::trainer::{Files, Kept, Sample, Task, Validation, commonest_share};
use adv_core::{AscentMode, Ledger};
use adv_data::BatchPlan;
use adv_data::text::{Answer, Problem};
use adv_models::Labels;
use adv_models::text::{
    Answers, Encoded, HiddenTokens, Masking, SpecialTokens, TextBatch, TextModel, Tokenizer, Tokens,
    copy_tokenizer,
};
use anyhow::Result;
use burn::module::ParamGroup;
use burn::optim::lr_scheduler::module_lr_scheduler::{ModuleLearningRate, ModuleLrScheduler};
use burn::tensor::Device;
use rand_core::Rng;
use std::path::{Path, PathBuf};

/// A mini-batch as the prefetch thread leaves it.
pub enum TextHost {
    /// Sentences and what is right for them.
    Answered(Vec<Encoded>, Vec<Answer>),
    /// The same, and sentences without labels.
    Beside(Vec<Encoded>, Vec<Answer>, Vec<Encoded>),
    /// Sentences with tokens to be guessed.
    Hidden(HiddenTokens),
}

/// What a language model has to guess.
#[derive(Debug, Clone, Copy)]
pub enum Guessing {
    /// Tokens that are hidden.
    Hidden(Masking),
    /// The next token, everywhere.
    Next,
}

impl Guessing {
    /// Sentences with what is to be guessed.
    pub fn ask(&self, sentences: &[Encoded], rng: &mut impl Rng) -> HiddenTokens {
        match self {
            Guessing::Hidden(masking) => masking.hide(sentences, rng),
            Guessing::Next => HiddenTokens::next(sentences),
        }
    }
}

/// Sentences without labels in an order of their own.
#[derive(Debug, Clone)]
pub struct Beside {
    /// The sentences.
    pub sentences: Sentences,
    /// How they are cut into mini-batches.
    pub batches: BatchPlan,
}

impl Beside {
    /// The sentences that go with a mini-batch: its number alone decides, so that a resumed run finds the same. An epoch of their own is
    /// ordered once.
    fn picker(self) -> impl FnMut(u64) -> Vec<Encoded> + Send + 'static {
        let mut epoch: Option<(u64, Vec<Vec<usize>>)> = None;
        move |number| {
            let at = self.batches.position(number);
            let (_, cut) = match epoch.take() {
                Some(known) if known.0 == at.epoch => epoch.insert(known),
                _ => epoch.insert((at.epoch, self.batches.epoch(at.epoch).collect())),
            };
            self.sentences.pick(&cut[at.batch])
        }
    }
}

/// A text model and its sentences.
pub struct TextTask {
    /// To train on.
    pub train: Sentences,
    /// Without labels, to learn from too.
    pub unlabelled: Option<Beside>,
    /// To choose by.
    pub dev: Sentences,
    /// What a language model has to guess.
    pub guessing: Option<Guessing>,
    /// What becomes of special tokens.
    pub special: SpecialTokens,
    /// The share of its rate that a layer gets of that above it.
    pub layer_decay: f64,
    /// Which figure decides.
    pub metric: &'static str,
    /// Seed of the hidden tokens.
    pub seed: u64,
    /// The device, without autodiff.
    pub device: Device,
    /// What makes a folder of a model complete.
    pub companions: Companions,
}

/// What stands beside the weights in a model's folder.
pub struct Companions {
    /// The folder whose tokenizer is copied; none: the tokenizer itself is written.
    pub origin: Option<PathBuf>,
    /// The tokenizer.
    pub tokenizer: Tokenizer,
    /// The names of the classes.
    pub labels: Option<Vec<String>>,
}

impl Companions {
    /// Writes a model's folder, weights and configuration last.
    pub fn save(&self, model: &TextModel, folder: &Path) -> Result<()> {
        match &self.origin {
            Some(origin) => copy_tokenizer(origin, folder)?,
            None => self.tokenizer.save(folder)?,
        }
        Ok(model.save(folder, self.labels.as_deref())?)
    }
}

/// Answers on the device.
fn upload_answers(answers: &[Answer], problem: &Problem, device: &Device) -> Result<Answers> {
    Ok(match problem {
        Problem::Nothing => Answers::None,
        Problem::Classes(names) => {
            let classes = answers.iter().map(|answer| match answer {
                Answer::Class(class) => i64::from(*class),
                Answer::Score(_) | Answer::Nothing => -1,
            });
            Answers::Classes(Labels::new(classes, names.len(), device)?)
        }
        Problem::Score => {
            let scores = answers.iter().map(|answer| match answer {
                Answer::Score(score) => *score,
                Answer::Class(_) | Answer::Nothing => f32::NAN,
            });
            Answers::scores(scores.collect(), device)?
        }
    })
}

impl Task<3> for TextTask {
    type Model = TextModel;
    type Host = TextHost;

    fn prepare(&self) -> impl FnMut(u64, Vec<usize>) -> TextHost + Send + 'static {
        let (train, guessing, seed) = (self.train.clone(), self.guessing, self.seed);
        let mut beside = self.unlabelled.clone().map(Beside::picker);
        move |number, places| {
            let sentences = train.pick(&places);
            match guessing {
                Some(guessing) => {
                    let mut rng = stream(seed, Purpose::Masking, number);
                    TextHost::Hidden(guessing.ask(&sentences, &mut rng))
                }
                None => {
                    let answers = places.iter().map(|&place| train.answers[place]).collect();
                    match &mut beside {
                        Some(pick) => TextHost::Beside(sentences, answers, pick(number)),
                        None => TextHost::Answered(sentences, answers),
                    }
                }
            }
        }
    }

    fn upload(&self, model: &TextModel, host: TextHost) -> Result<Sample<3, TextBatch>> {
        let config = model.config();
        let answered = |sentences: &[Encoded], answers: &[Answer]| -> Result<(Tokens, Answers)> {
            Ok((
                Tokens::new(sentences, config, &self.device)?,
                upload_answers(answers, &self.train.problem, &self.device)?,
            ))
        };
        let mut beside = None;
        let (tokens, answers) = match host {
            TextHost::Answered(sentences, answers) => answered(&sentences, &answers)?,
            TextHost::Beside(sentences, answers, bare) => {
                let tokens = Tokens::new(&bare, config, &self.device)?;
                beside = Some(TextBatch::new(model, tokens, Answers::None)?);
                answered(&sentences, &answers)?
            }
            TextHost::Hidden(hidden) => {
                let tokens = Tokens::new(&hidden.sentences, config, &self.device)?;
                let answers = hidden.answers(&tokens, config.vocabulary(), &self.device)?;
                (tokens, answers)
            }
        };
        let (clean, mask) = (model.clean(&tokens), model.mask(&tokens, self.special));
        let targets = TextBatch::new(model, tokens, answers)?;
        Ok(Sample {
            clean,
            mask: Some(mask),
            targets: match beside {
                Some(beside) => targets.with_unlabelled(beside),
                None => targets,
            },
        })
    }

    fn begin_batch(&self, model: &TextModel, seed: u64) {
        model.begin_batch(seed);
    }

    fn metric(&self) -> &'static str {
        self.metric
    }

    fn validate(&self, model: &TextModel, ledger: &mut Ledger) -> Result<Validation> {
        let frozen = AscentMode::Eval.freeze(model);
        let clean = match &self.guessing {
            Some(guessing) => {
                guessed_tokens(&frozen, &self.dev, guessing, self.seed, &self.device, ledger)?.share
            }
            None => {
                let outputs = outputs(&frozen, &self.dev, &self.device, ledger, |_| Ok(()))?;
                main_metric(&metrics(&outputs, &self.dev), self.metric)
            }
        };
        let robust = None;
        Ok(Validation { clean, robust })
    }

    fn guess(&self) -> Option<f64> {
        let classes = self.dev.classes().filter(|_| self.metric == "accuracy")?;
        Some(commonest_share(&classes))
    }

    fn rates(&self, model: &TextModel, rate: f64) -> ModuleLearningRate {
        if self.layer_decay == 1.0 {
            return rate.into();
        }
        let depths = model.depths();
        let top = depths.len() - 1;
        let scheduler = ModuleLrScheduler::new(rate);
        let below = depths.into_iter().enumerate().take(top);
        below
            .fold(scheduler, |all, (depth, group): (usize, ParamGroup)| {
                all.with_group(group, rate * self.layer_decay.powi((top - depth) as i32))
            })
            .step()
    }

    fn save(&self, model: &TextModel, files: &Files, kept: Kept) -> Result<()> {
        let folder = match kept {
            Kept::Best => files.best_model(),
            Kept::Last => files.last_model(),
        };
        self.companions.save(model, &folder)
    }
}
