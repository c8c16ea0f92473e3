//! What settings are about, and which of them would be read by nobody.

use super::contrast_settings::ContrastSettings;
use super::method_name::MethodName;
use super::settings::Settings;

impl Settings {
    /// Whether they are about text: a model folder, an LSTM, a task or a table is named.
    pub fn is_on_text(&self) -> bool {
        self.model_dir.is_some()
            || self.task.is_some()
            || self.train_file.is_some()
            || self.model.as_deref() == Some(super::network::TextNetwork::LSTM)
            || self.dataset.as_deref() == Some(super::source::SYNTHETIC)
    }

    /// A setting that was given and has a meaning on text only, by its flag.
    pub(super) fn text_only(&self) -> Option<&'static str> {
        first_given(&[
            (self.updates.is_some(), "--updates"),
            (self.dev_file.is_some(), "--dev-file"),
            (self.test_file.is_some(), "--test-file"),
            (self.unlabelled.is_some(), "--unlabelled"),
            (self.columns.is_some(), "--columns"),
            (self.scores.is_some(), "--scores"),
            (self.max_length.is_some(), "--max-length"),
            (self.place.is_some(), "--place"),
            (self.axes.is_some(), "--axes"),
            (self.special_tokens.is_some(), "--special-tokens"),
            (self.masks.is_some(), "--masks"),
            (self.init_mag.is_some(), "--init-mag"),
            (self.freeze.is_some(), "--freeze"),
            (self.layer_decay.is_some(), "--layer-decay"),
            (self.keep.is_some(), "--keep"),
            (self.advglue.is_some(), "--advglue"),
        ])
    }

    /// A setting that was given and has a meaning where there are answers only, by its flag.
    pub(super) fn classes_only(&self) -> Option<&'static str> {
        let given = first_given(&[
            (self.dataset.is_some(), "--dataset"),
            (self.task.is_some(), "--task"),
            (self.model.is_some(), "--model"),
            (self.test_file.is_some(), "--test-file"),
            (self.unlabelled.is_some(), "--unlabelled"),
            (self.scores.is_some(), "--scores"),
            (self.freeze.is_some(), "--freeze"),
            (self.layer_decay.is_some(), "--layer-decay"),
            (self.advglue.is_some(), "--advglue"),
        ]);
        given.or_else(|| self.of_attacks())
    }

    /// A setting that was given and has a meaning on images only, by its flag.
    pub(super) fn image_only(&self) -> Option<&'static str> {
        first_given(&[
            (self.init.is_some(), "--init"),
            (self.hold_out.is_some(), "--hold-out"),
        ])
    }

    /// These without what belongs to their method alone: another one has numbers of its own. Norm and radius stay: they say what is to
    /// be withstood.
    pub(super) fn without_numbers_of_method(self) -> Self {
        Self {
            step: None,
            steps: None,
            m: None,
            n_inner: None,
            first_layer: None,
            noise: None,
            start: None,
            init_mag: None,
            clean_share: None,
            ascent_mode: None,
            penalty: None,
            axes: None,
            masks: None,
            special_tokens: None,
            unlabelled: None,
            eps_warmup: None,
            contrast: ContrastSettings {
                pooling: self.contrast.pooling,
                ..ContrastSettings::default()
            },
            ..self
        }
    }

    /// A setting of the attacks at the end that was given, by its flag.
    pub(super) fn of_attacks(&self) -> Option<&'static str> {
        first_given(&[
            (self.attack.is_some(), "--attack"),
            (
                self.eval_eps.is_some(),
                "the radii of the evaluation (--eval-eps of train, --eps of eval)",
            ),
            (self.eval_step.is_some(), "--eval-step"),
            (self.n.is_some(), "--n"),
        ])
    }

    /// The settings that were given and play no part in this method, by their flags.
    pub fn without_part(&self, method: MethodName, on_text: bool) -> Vec<&'static str> {
        let uses = method.uses(!on_text);
        let unused = |given: bool, used: bool| given && !used;
        let flags = [
            (unused(self.steps.is_some(), uses.steps), "--steps"),
            (unused(self.m.is_some(), uses.m), "--m"),
            (unused(self.n_inner.is_some(), uses.n_inner), "--n-inner"),
            (unused(self.first_layer.is_some(), uses.n_inner), "--first-layer"),
            (unused(self.noise.is_some(), uses.noise), "--noise"),
            (unused(self.start.is_some(), uses.start), "--start"),
            (unused(self.init_mag.is_some(), uses.start), "--init-mag"),
            (
                unused(self.clean_share.is_some(), uses.clean_share),
                "--clean-share",
            ),
            (unused(self.ascent_mode.is_some(), uses.ascends), "--ascent-mode"),
            (unused(self.penalty.is_some(), uses.penalty), "--penalty"),
            (
                unused(self.unlabelled.is_some(), method == MethodName::Vat),
                "--unlabelled",
            ),
            (unused(self.step.is_some(), uses.step), "--step"),
            (unused(self.eps_warmup.is_some(), uses.perturbs), "--eps-warmup"),
            (unused(self.begin_step.is_some(), uses.perturbs), "--begin-step"),
            (on_text && unused(self.eps.is_some(), uses.radius), "--eps"),
            (on_text && unused(self.axes.is_some(), uses.axes), "--axes"),
            (on_text && unused(self.norm.is_some(), uses.norm), "--norm"),
            (on_text && unused(self.place.is_some(), uses.perturbs), "--place"),
            (
                on_text && unused(self.special_tokens.is_some(), uses.perturbs),
                "--special-tokens",
            ),
        ];
        let unread = flags
            .into_iter()
            .filter_map(|(unread, flag)| unread.then_some(flag));
        let tables = self
            .contrast
            .without_part(method)
            .into_iter()
            .chain(self.prompt.without_part(method));
        unread.chain(tables).collect()
    }
}

/// The flag of the first that is true.
fn first_given(flags: &[(bool, &'static str)]) -> Option<&'static str> {
    flags.iter().find(|(given, _)| *given).map(|(_, flag)| *flag)
}
