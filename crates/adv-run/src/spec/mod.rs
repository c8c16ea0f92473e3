//! What a run is: settings as given, and the specification that defaults and checks make of them.

mod contrast;
mod contrast_settings;
mod image;
mod method;
mod method_name;
mod names;
mod network;
mod place;
mod prompt_settings;
mod prompt_spec;
mod refusals;
mod settings;
mod source;
mod text;
mod training;

pub use contrast::{ContrastSpec, PairSource};
pub use contrast_settings::{
    ContrastNumbers, ContrastSettings, DuplicatesName, FormName, HeadName, NegativesName, PoolingName,
    QueueNumbers, ViewMaskName,
};
pub use image::{EvalSpec, ImageSpec};
pub use method::{MethodSpec, Space};
pub use method_name::{MethodName, Uses};
pub use names::{
    AscentModeName, AxesName, FirstLayerName, KeepName, MasksName, NormName, OptimiserName, PlaceName,
    ScheduleName, SpecialName, StartName,
};
pub use network::TextNetwork;
pub use place::{FilePlace, ModelPlace, Place};
pub use prompt_settings::{BiasPositionsName, DenoisingName, GuesserName, PromptFlags};
pub use prompt_spec::PromptSpec;
pub use settings::{Settings, number};
pub use source::TextSource;
pub(crate) use source::sentence_column;
pub use text::{TextEvalSpec, TextSpec};
pub use training::{OptimSpec, Training};

use crate::attack::AttackName;
use crate::usage::UsageError;
use std::path::{Path, PathBuf};

/// A run with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub enum RunSpec {
    /// On images.
    Image(Box<ImageSpec>),
    /// On text.
    Text(Box<TextSpec>),
    /// On sentences, for their vectors.
    Contrast(Box<ContrastSpec>),
}

impl RunSpec {
    /// Fills in defaults and checks every value. A run is on text where the settings name a model folder, a task or a table, and for
    /// vectors where the method is contrastive.
    pub fn resolve(settings: Settings) -> Result<Self, UsageError> {
        if settings.method.is_some_and(MethodName::is_contrastive) {
            ContrastSpec::resolve(settings).map(|spec| RunSpec::Contrast(Box::new(spec)))
        } else if settings.is_on_text() {
            TextSpec::resolve(settings).map(|spec| RunSpec::Text(Box::new(spec)))
        } else {
            ImageSpec::resolve(settings).map(|spec| RunSpec::Image(Box::new(spec)))
        }
    }

    /// The settings, defaults filled in.
    pub fn settings(&self) -> &Settings {
        match self {
            RunSpec::Image(spec) => &spec.settings,
            RunSpec::Text(spec) => &spec.settings,
            RunSpec::Contrast(spec) => &spec.settings,
        }
    }

    /// How it is trained.
    pub fn training(&self) -> &Training {
        match self {
            RunSpec::Image(spec) => &spec.training,
            RunSpec::Text(spec) => &spec.training,
            RunSpec::Contrast(spec) => &spec.training,
        }
    }

    /// What it is trained on, in one word.
    pub fn subject(&self) -> String {
        match self {
            RunSpec::Image(spec) => spec.dataset.to_string(),
            RunSpec::Text(spec) => spec.source.name(),
            RunSpec::Contrast(spec) => spec.source.file.name(),
        }
    }

    /// The network's name in tables.
    pub fn model(&self) -> String {
        match self {
            RunSpec::Image(spec) => spec.model.to_string(),
            RunSpec::Text(spec) => spec.model_name(),
            RunSpec::Contrast(spec) => spec.model_dir.name(),
        }
    }

    /// Files of this machine that must be there before a run begins, and the flags that name them.
    pub fn inputs(&self) -> Vec<(&'static str, PathBuf)> {
        let s = self.settings();
        let local = |place: &Option<FilePlace>| Some(place.as_ref()?.local()?.to_path_buf());
        let model = s.model_dir.as_ref().and_then(ModelPlace::local);
        let files = [
            ("--init", s.init.clone()),
            ("--model-dir", model.map(Path::to_path_buf)),
            ("--train-file", local(&s.train_file)),
            ("--dev-file", local(&s.dev_file)),
            ("--test-file", local(&s.test_file)),
            ("--unlabelled", s.unlabelled.clone()),
            ("--advglue", s.advglue.clone()),
        ];
        let given = files.into_iter().filter_map(|(flag, path)| Some((flag, path?)));
        given.collect()
    }
}

/// The attacks asked for, else the usual ones; each once, since results go by name.
fn attacks(s: &Settings, usual: &[&str]) -> Result<Vec<AttackName>, UsageError> {
    let asked = s.attack.iter().flatten().map(String::as_str);
    let names: Vec<&str> = match s.attack {
        Some(_) => asked.collect(),
        None => usual.to_vec(),
    };
    let mut attacks = Vec::new();
    for name in names {
        let attack = name
            .parse()
            .map_err(|error| UsageError(format!("--attack: {error}")))?;
        if !attacks.contains(&attack) {
            attacks.push(attack);
        }
    }
    Ok(attacks)
}

/// The path from the root. One that cannot be made so is left to whoever reads it.
fn absolute(path: &PathBuf) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Through the text of a `spec.toml`, as a resumed run reads it.
    fn check(settings: Settings, what: &str) -> RunSpec {
        let spec = RunSpec::resolve(settings).unwrap_or_else(|error| panic!("{what}: {error}"));
        let text = toml::to_string(spec.settings()).expect("TOML");
        let again: Settings = toml::from_str(&text).expect("settings");
        assert_eq!(RunSpec::resolve(again).as_ref(), Ok(&spec), "{what}");
        spec
    }

    #[test]
    fn the_settings_of_a_spec_give_the_same_spec_again() {
        for method in MethodName::ALL {
            for (task, model, model_dir) in [
                (None, None, None),
                (Some("synth-sentiment"), None, None),
                (Some("stsb"), None, Some("m")),
                (Some("cola"), None, Some("m")),
                (Some("mr"), Some("lstm"), None),
                (Some("mr"), Some("lstm"), Some("m")),
            ] {
                let lost = model.is_some() && method == MethodName::Mlm || method.is_contrastive();
                if task.is_none() && !method.is_for_images() || lost {
                    continue;
                }
                let settings = Settings {
                    method: Some(method),
                    task: task.map(String::from),
                    model: model.map(String::from),
                    model_dir: model_dir.map(|folder| PathBuf::from(folder).into()),
                    patience: Some(3),
                    validate_every: Some(7),
                    ..Settings::default()
                };
                check(settings, &format!("{method} on {task:?}"));
            }
        }
        let own = Settings {
            train_file: Some(PathBuf::from("a.csv").into()),
            dev_file: "hf://datasets/o/n/b.parquet".parse().ok(),
            columns: Some(["x", "y", "z"].map(String::from).to_vec()),
            scores: Some(true),
            freeze: Some(2),
            updates: Some(70),
            warmup: Some(12.0),
            accumulate: Some(4),
            keep: Some(KeepName::Last),
            special_tokens: Some(SpecialName::Kept),
            ..Settings::default()
        };
        let spec = check(own, "tables");
        // Three updates an epoch of ten mini-batches: 23 epochs, and four mini-batches more.
        assert_eq!(spec.training().mini_batches(10), 234);
        // Updates of FreeAT, of which the first mini-batches make one each.
        for (begin, usual, updates, expected) in [
            (Some(0), "m", 90, 30),
            (Some(4), "m", 90, 33),
            (Some(200), "m", 90, 90),
            // A third of the mini-batches at most by default: 12 of 38.
            (None, "", 90, 38),
            (None, "", 2000, 834),
        ] {
            let free = Settings {
                task: Some("synth-sentiment".into()),
                model_dir: Some(usual)
                    .filter(|m| !m.is_empty())
                    .map(|m| PathBuf::from(m).into()),
                method: Some(MethodName::FreeAt),
                begin_step: begin,
                ..Settings::default()
            };
            let spec = check(free, "freeat");
            let batches = spec.training().replayed(updates);
            assert_eq!(batches, expected, "{begin:?}, {updates}");
            let standard = spec.training().begin(batches);
            assert!(
                standard + 3 * (batches - standard) >= updates,
                "{begin:?}, {updates}"
            );
        }
        let beside = Settings {
            task: Some("mr".into()),
            method: Some(MethodName::Vat),
            unlabelled: Some("lines.txt".into()),
            ..Settings::default()
        };
        let cost = check(beside, "unlabelled")
            .training()
            .expected_cost()
            .expect("a cost");
        // VAT's own, and a penalty that needs no gradient through the clean outputs.
        assert_eq!(
            (
                cost.forwards,
                cost.full_backwards,
                cost.input_backwards,
                cost.updates
            ),
            (6, 3, 2, 1)
        );
        let lines = Settings {
            train_file: Some(PathBuf::from("lines.txt").into()),
            method: Some(MethodName::Mlm),
            ..Settings::default()
        };
        check(lines.clone(), "lines");
        let next = Settings {
            method: Some(MethodName::Lm),
            ..lines
        };
        let next = check(next, "lines for an LSTM");
        assert_eq!(next.settings().model.as_deref(), Some("lstm"));
        for column in ["2", "text"] {
            let corpus = Settings {
                train_file: Some(PathBuf::from("corpus.tsv.gz").into()),
                model_dir: "hf://owner/name@v1".parse().ok(),
                method: Some(MethodName::Mlm),
                columns: Some(vec![column.into()]),
                ..Settings::default()
            };
            check(corpus, column);
        }
    }

    #[test]
    fn the_settings_of_a_contrast_give_the_same_spec_again() {
        let base = || Settings {
            model_dir: Some(PathBuf::from("m").into()),
            train_file: Some(PathBuf::from("a.tsv").into()),
            ..Settings::default()
        };
        let columns = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect());
        for (method, columns, contrast) in [
            (MethodName::SimCse, None, ContrastSettings::default()),
            (
                MethodName::SimCse,
                columns(&["1", "2", "3"]),
                ContrastSettings {
                    hard_weight: Some(2.0),
                    chunk: Some(8),
                    queue: Some(5),
                    pooling: Some(PoolingName::Cls),
                    negatives: Some(NegativesName::Symmetric),
                    ..ContrastSettings::default()
                },
            ),
            (
                MethodName::Uscal,
                columns(&["a", "b"]),
                ContrastSettings {
                    alpha: Some(0.25),
                    form: Some(FormName::Anchored),
                    adversarial_mask: Some(ViewMaskName::Own),
                    head: Some(HeadName::Always),
                    duplicates: Some(DuplicatesName::Kept),
                    ..ContrastSettings::default()
                },
            ),
        ] {
            let settings = Settings {
                method: Some(method),
                columns,
                contrast,
                ..base()
            };
            let spec = check(settings.clone(), &format!("{settings:?}"));
            assert!(matches!(spec, RunSpec::Contrast(_)));
        }
        let convex = |convex| Settings {
            method: Some(MethodName::Scal),
            task: Some("sst2".into()),
            contrast: ContrastSettings {
                convex,
                ..ContrastSettings::default()
            },
            ..Settings::default()
        };
        check(convex(None), "scal");
        check(convex(Some(0.3)), "convex scal");
        // A flag wins over the file, also where two say the same thing.
        let flags = Settings {
            contrast: ContrastSettings {
                alpha: Some(2.0),
                ..ContrastSettings::default()
            },
            ..Settings::default()
        };
        let merged = flags.over(convex(Some(0.3))).expect("merged");
        assert_eq!((merged.contrast.alpha, merged.contrast.convex), (Some(2.0), None));
        let error = toml::from_str::<Settings>("[contrast]\ntemprature = 1").expect_err("an unknown key");
        assert!(
            error.to_string().contains("unknown field `temprature`"),
            "{error}"
        );
    }

    #[test]
    fn the_published_settings_are_valid() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs/freelb");
        let mut seen = 0;
        for model in std::fs::read_dir(&root).expect("specs") {
            for file in std::fs::read_dir(model.expect("a folder").path()).expect("specs") {
                let path = file.expect("a file").path();
                let settings = Settings {
                    model_dir: Some(PathBuf::from("m").into()),
                    ..Settings::read(&path).expect("settings")
                };
                let task = settings.task.clone();
                let spec = check(settings, &path.display().to_string());
                assert_eq!(spec.training().method.name, MethodName::FreeLb);
                assert_eq!(Some(spec.subject()), task);
                seen += 1;
            }
        }
        assert_eq!(seen, 15);
    }
}
