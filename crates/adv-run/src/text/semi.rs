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
        let part = |samples: usize| self.vat.of_part(samples, labelled + unlabelled);
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
