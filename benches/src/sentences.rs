//! Steps of learning vectors of sentences.

use super::{RATE, TrainingStep};
use adv_contrast::sentence::{Encoder, Pooling, SentenceEncoder};
use adv_contrast::{Contrastive, InfoNce, SentenceBatch};
use adv_core::{Carried, Ledger, Passes, TrainingMethod};
use adv_models::text::{Encoded, HeadKind, TextModel, Tokens};
use adv_run::methods::SentenceMethod;
use adv_run::optim::optimiser;
use adv_run::spec::{ContrastSettings, FormName, MethodName, OptimSpec, OptimiserName, RunSpec, Settings};
use burn::tensor::Device;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::error::Error;
use std::path::{Path, PathBuf};

/// A step of a sentence encoder.
pub type SentenceStep<'a> = TrainingStep<'a, 3, Contrastive<SentenceEncoder>>;

/// A method and what a mini-batch of it costs in theory.
pub type SentenceRow = (&'static str, SentenceMethod, Passes);

/// The methods for vectors of sentences, with the runner's numbers.
pub fn sentence_methods() -> Result<Vec<SentenceRow>, Box<dyn Error>> {
    let chunked = ContrastSettings {
        chunk: Some(8),
        ..ContrastSettings::default()
    };
    let anchored = ContrastSettings {
        form: Some(FormName::Anchored),
        ..ContrastSettings::default()
    };
    let rows = [
        ("simcse", MethodName::SimCse, ContrastSettings::default()),
        ("simcse, chunks of 8", MethodName::SimCse, chunked),
        ("uscal", MethodName::Uscal, ContrastSettings::default()),
        ("uscal, anchored", MethodName::Uscal, anchored),
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
        methods.push((label, method, training.expected_cost()?));
    }
    Ok(methods)
}

impl<'a> SentenceStep<'a> {
    /// On random sentences of one length for the encoder of a folder, with AdamW and the mean over the tokens.
    pub fn on_sentences(
        folder: &Path,
        method: &'a dyn TrainingMethod<3, Contrastive<SentenceEncoder>>,
        [batch, length]: [usize; 2],
    ) -> Result<Self, Box<dyn Error>> {
        let device = Device::flex();
        let (model, _) = TextModel::from_folder(folder, HeadKind::None, 0, &device.clone().autodiff())?;
        let encoder = SentenceEncoder::new(model, Pooling::Mean);
        let config = encoder.model().config();
        let mut noise = ChaCha8Rng::seed_from_u64(1);
        let words = config.vocabulary() as u32;
        let sentences: Vec<Encoded> = (0..batch)
            .map(|_| Encoded {
                ids: (0..length).map(|_| noise.next_u32() % words).collect(),
                types: vec![0; length],
                special: vec![0; length],
            })
            .collect();
        let tokens = Tokens::new(&sentences, config, &device)?;
        Ok(Self {
            clean: encoder.model().clean(&tokens),
            targets: SentenceBatch::new(tokens),
            model: Some(Contrastive::new(encoder, InfoNce::default())),
            optimiser: optimiser(&OptimSpec::constant(OptimiserName::Adamw, RATE)),
            method,
            carried: Carried::default(),
            noise,
            ledger: Ledger::new(),
        })
    }
}
