//! Virtual adversarial training with sentences without labels beside the labelled ones.

use crate::methods::vat;
use crate::spec::MethodSpec;
use adv_core::{
    Batch, Carried, Ledger, Noise, ParamError, PassError, Passes, TrainingMethod, Update, Vat, gradients,
};
use adv_models::text::{SpecialTokens, TextBatch, TextModel};

/// The loss of the labelled sentences, plus a weight times the mean of VAT's penalty over all sentences of the mini-batch, the unlabelled
/// ones of [`TextBatch::unlabelled`] included (Miyato et al. 2017, eq. 6).
///
/// The unlabelled ones go through passes of their own, since nothing flows back through their clean outputs: one full backward less.
#[derive(Debug, Clone, Copy)]
pub struct SemiSupervised {
    vat: Vat,
    special: SpecialTokens,
}

impl SemiSupervised {
    /// VAT with the numbers of a spec.
    pub fn new(spec: &MethodSpec, special: SpecialTokens) -> Result<Self, ParamError> {
        Ok(Self {
            vat: vat(spec)?,
            special,
        })
    }
}

/// What the sentences without labels add to VAT's cost: they make no update of their own.
pub(crate) fn added_cost(vat: Vat) -> Passes {
    Passes {
        updates: 0,
        ..TrainingMethod::<3, TextModel>::expected_cost(&vat.unlabelled())
    }
}

impl TrainingMethod<3, TextModel> for SemiSupervised {
    fn expected_cost(&self) -> Passes {
        TrainingMethod::<3, TextModel>::expected_cost(&self.vat) + added_cost(self.vat)
    }

    fn scaled(&self, share: f64) -> Result<Box<dyn TrainingMethod<3, TextModel>>, ParamError> {
        Ok(Box::new(Self {
            vat: self.vat.with_radius_share(share)?,
            ..*self
        }))
    }

    fn gradients(
        &self,
        model: &TextModel,
        batch: &Batch<'_, 3, TextBatch>,
        carried: &mut Carried<3>,
        noise: &mut dyn Noise,
        ledger: &mut Ledger,
    ) -> Result<Update, PassError> {
        let Some(bare) = batch.targets().unlabelled() else {
            return self.vat.gradients(model, batch, carried, noise, ledger);
        };
        let [labelled, unlabelled] = [batch.targets(), bare].map(|batch| batch.tokens().shape()[0]);
        let all = (labelled + unlabelled).max(1) as f64;
        let part = |samples: usize| {
            let part = self.vat.with_weight_share(samples as f64 / all);
            part.expect("a part is no more than all")
        };
        let mask = model.mask(bare.tokens(), self.special);
        let beside = Batch::new(model.clean(bare.tokens()), bare).with_mask(mask);

        let first = part(labelled).gradients(model, batch, carried, noise, ledger)?;
        let second = part(unlabelled)
            .unlabelled()
            .gradients(model, &beside, carried, noise, ledger)?;
        let losses = first.losses.iter().chain(&second.losses);
        Ok(Update {
            losses: vec![losses.fold(0.0, |sum, loss| sum + loss)],
            gradients: gradients::sum(first.gradients, second.gradients, model),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{MethodName, RunSpec, Settings};
    use adv_core::{Phase, Standard};
    use adv_models::Labels;
    use adv_models::text::{Answers, Encoded, HeadKind, TextConfig, Tokens};
    use burn::tensor::Device;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;
    use std::path::Path;

    fn model() -> TextModel {
        let raw = serde_json::json!({"model_type": "miyato_lstm", "vocab_size": 9, "embedding_size": 6, "hidden_size": 8,
            "embedding_dropout": 0.0});
        let raw = raw.as_object().cloned().expect("an object");
        let config = TextConfig::from_json(raw, Path::new("config.json")).expect("sizes");
        TextModel::new(config, HeadKind::Classes(2), 1, &Device::flex().autodiff())
    }

    fn batch(model: &TextModel, sentences: &[&[u32]], labels: Option<&[u8]>) -> TextBatch {
        let device = Device::flex();
        let encoded: Vec<Encoded> = sentences
            .iter()
            .map(|ids| Encoded {
                ids: ids.to_vec(),
                types: vec![0; ids.len()],
                special: vec![0; ids.len()],
            })
            .collect();
        let tokens = Tokens::new(&encoded, model.config(), &device).expect("tokens");
        let answers = match labels {
            Some(labels) => {
                Answers::Classes(Labels::new(labels.iter().copied(), 2, &device).expect("labels"))
            }
            None => Answers::None,
        };
        TextBatch::new(model, tokens, answers).expect("a batch")
    }

    /// The loss and the counted cost of one update.
    fn update(
        method: &dyn TrainingMethod<3, TextModel>,
        model: &TextModel,
        batch: &TextBatch,
        noise: &mut ChaCha8Rng,
    ) -> (f64, Passes) {
        let mut ledger = Ledger::new();
        ledger.begin_batch(Phase::Training);
        let given = Batch::new(model.clean(batch.tokens()), batch)
            .with_mask(model.mask(batch.tokens(), SpecialTokens::Perturbed));
        let update = method
            .gradients(model, &given, &mut Carried::default(), noise, &mut ledger)
            .expect("an update");
        ledger.update(&update.gradients).expect("gradients");
        (update.mean_loss(), ledger.batch())
    }

    #[test]
    fn the_penalty_is_the_mean_over_all_sentences() {
        let settings = Settings {
            method: Some(MethodName::Vat),
            task: Some("mr".into()),
            model: Some("lstm".into()),
            unlabelled: Some("more.txt".into()),
            penalty: Some(20.0),
            ..Settings::default()
        };
        let spec = RunSpec::resolve(settings).expect("a spec");
        let numbers = spec.training().method;
        let semi = SemiSupervised::new(&numbers, SpecialTokens::Perturbed).expect("a method");
        let model = model();
        let labelled = batch(&model, &[&[3, 4, 2], &[5, 2], &[8, 7, 6, 2]], Some(&[0, 1, 1]));
        let bare = batch(&model, &[&[6, 3, 2]], None);

        let noise = &mut ChaCha8Rng::seed_from_u64(4);
        let (clean, _) = update(&Standard, &model, &labelled, noise);
        let (of_labelled, _) = update(&semi.vat, &model, &labelled, noise);
        let (of_bare, _) = update(&semi.vat.unlabelled(), &model, &bare, noise);
        let both = labelled.with_unlabelled(bare);
        let (loss, cost) = update(&semi, &model, &both, &mut ChaCha8Rng::seed_from_u64(4));
        let expected = clean + 0.75 * (of_labelled - clean) + 0.25 * of_bare;
        // Far more than rounding.
        assert!(
            of_bare > 1e-3 && of_labelled - clean > 1e-3,
            "{of_bare}, {of_labelled}, {clean}"
        );
        assert!((loss - expected).abs() < 1e-6, "{loss}, {expected}");
        assert_eq!(cost, semi.expected_cost());
        assert_eq!(cost, spec.training().expected_cost().expect("a cost"));
    }
}
