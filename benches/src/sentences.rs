//! Steps of learning vectors of sentences.

use super::{RATE, TrainingStep};
use adv_contrast::sentence::{Encoder, Pooling, SentenceEncoder};
use adv_contrast::{Contrastive, InfoNce, MomentumQueue, SentenceBatch};
use adv_core::{Carried, Ledger, Passes};
use adv_models::text::{Encoded, HeadKind, TextModel, Tokenizer, Tokens};
use adv_prompt::{FittedTemplate, PromptEncoder, Reading, Template};
use adv_run::methods::SentenceMethod;
use adv_run::optim::optimiser;
use adv_run::sentences::SentenceModel;
use adv_run::spec::{
    ContrastSettings, FormName, MethodName, OptimSpec, OptimiserName, QueueNumbers, RunSpec, Settings,
};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::error::Error;
use std::path::{Path, PathBuf};

/// A step of a sentence encoder.
pub type SentenceStep<'a> = TrainingStep<'a, 3, Contrastive<SentenceModel>>;

/// A method, and what a mini-batch of it costs in theory.
pub struct SentenceRow {
    /// Its name in tables.
    pub label: &'static str,
    /// The method.
    pub method: SentenceMethod<Contrastive<SentenceModel>>,
    /// What a mini-batch costs.
    pub cost: Passes,
    /// The queue of vectors of earlier mini-batches, if there is one.
    pub queue: Option<QueueNumbers>,
    /// Whether sentences are read by two templates.
    pub prompted: bool,
}

/// The methods for vectors of sentences, with the runner's numbers.
pub fn sentence_methods() -> Result<Vec<SentenceRow>, Box<dyn Error>> {
    let chunked = ContrastSettings {
        chunk: Some(8),
        ..ContrastSettings::default()
    };
    let queued = ContrastSettings {
        queue: Some(160),
        ..ContrastSettings::default()
    };
    let anchored = ContrastSettings {
        form: Some(FormName::Anchored),
        ..ContrastSettings::default()
    };
    let rows = [
        ("simcse", MethodName::SimCse, ContrastSettings::default()),
        ("simcse, queue of 160", MethodName::SimCse, queued),
        ("simcse, chunks of 8", MethodName::SimCse, chunked),
        ("uscal", MethodName::Uscal, ContrastSettings::default()),
        ("uscal, anchored", MethodName::Uscal, anchored.clone()),
        ("promptbert", MethodName::PromptBert, ContrastSettings::default()),
        ("uscal, anchored, by prompts", MethodName::Uscal, anchored),
    ];
    let mut methods = Vec::new();
    for (label, name, contrast) in rows {
        let spec = RunSpec::resolve(Settings {
            method: Some(name),
            contrast,
            model_dir: Some(PathBuf::from("an encoder").into()),
            train_file: Some(PathBuf::from("lines.txt").into()),
            ..Settings::default()
        })?;
        let training = spec.training();
        let method = adv_run::methods::build_contrastive(&training.method)?;
        methods.push(SentenceRow {
            label,
            method,
            cost: training.expected_cost()?,
            queue: training.method.contrast.queue,
            prompted: label.contains("prompt"),
        });
    }
    Ok(methods)
}

impl<'a> SentenceStep<'a> {
    /// On random sentences of one length for the encoder of a folder, with AdamW, and the mean over the tokens or two templates.
    pub fn on_sentences(
        folder: &Path,
        row: &'a SentenceRow,
        [batch, length]: [usize; 2],
    ) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex();
        let (model, _) = TextModel::from_folder(folder, HeadKind::None, 0, &device.clone().autodiff())?;
        let config = model.config().clone();
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        let words = config.vocabulary() as u32;
        let mut sentence = || {
            (0..length)
                .map(|_| noise.next_u32() % words)
                .collect::<Vec<u32>>()
        };
        let sentences: Vec<Vec<u32>> = (0..batch).map(|_| sentence()).collect();
        let tokens = |encoded: Vec<Encoded>| Tokens::new(&encoded, &config, &device);
        let (encoder, anchors, positives) = if row.prompted {
            let tokenizer = Tokenizer::from_folder(folder)?;
            let fit = |template| FittedTemplate::new(template, &tokenizer, &config);
            let [first, second] = [fit(Template::first())?, fit(Template::second())?];
            let views =
                [&first, &second].map(|fitted| sentences.iter().map(|ids| fitted.around(ids)).collect());
            let [anchors, positives] = views.map(tokens);
            let encoder = PromptEncoder::new(model, vec![first, second], Reading::default())?;
            (SentenceModel::Prompted(encoder), anchors?, Some(positives?))
        } else {
            let plain = |ids: Vec<u32>| Encoded {
                types: vec![0; ids.len()],
                special: vec![0; ids.len()],
                ids,
            };
            let anchors = tokens(sentences.into_iter().map(plain).collect())?;
            let encoder = SentenceEncoder::new(model, Pooling::Mean);
            (SentenceModel::Plain(encoder), anchors, None)
        };
        let clean = encoder.model().clean(&anchors);
        let model = Contrastive::new(encoder, InfoNce::default());
        let model = match row.queue {
            None => model,
            Some(QueueNumbers { size, momentum }) => {
                let encoder = model.encoder();
                let queue =
                    MomentumQueue::gaussian(encoder, [size, encoder.width()], momentum, &mut noise, &device)?;
                model.with_queue(queue)
            }
        };
        Ok(Self {
            clean,
            targets: SentenceBatch {
                positives,
                ..SentenceBatch::new(anchors)
            },
            model: Some(model),
            optimiser: optimiser(&OptimSpec::constant(OptimiserName::Adamw, RATE)),
            method: row.method.as_ref(),
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
            after: |model, batch, ledger| model.after_batch(batch, true, ledger),
        })
    }
}
