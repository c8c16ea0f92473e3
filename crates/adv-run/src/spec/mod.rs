//! What a run is: settings as given, and the specification that defaults and checks make of them.

mod image;
mod method;
mod names;
mod settings;
mod text;
mod training;

pub use image::{EvalSpec, ImageSpec};
pub use method::{MethodSpec, Space};
pub use names::{
    AscentModeName, AxesName, FirstLayerName, KeepName, MasksName, MethodName, NormName, OptimiserName,
    PlaceName, ScheduleName, SpecialName, StartName, Uses,
};
pub use settings::{Settings, number};
pub use text::{TextEvalSpec, TextSource, TextSpec};
pub use training::{OptimSpec, Training};

use crate::attack::AttackName;
use crate::usage::UsageError;
use std::path::PathBuf;

/// A run with nothing left open.
#[derive(Debug, Clone, PartialEq)]
pub enum RunSpec {
    /// On images.
    Image(Box<ImageSpec>),
    /// On text.
    Text(Box<TextSpec>),
}

impl RunSpec {
    /// Fills in defaults and checks every value. A run is on text where the settings name a model folder, a task or a table.
    pub fn resolve(settings: Settings) -> Result<Self, UsageError> {
        if settings.is_on_text() {
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
        }
    }

    /// How it is trained.
    pub fn training(&self) -> &Training {
        match self {
            RunSpec::Image(spec) => &spec.training,
            RunSpec::Text(spec) => &spec.training,
        }
    }

    /// What it is trained on, in one word.
    pub fn subject(&self) -> String {
        match self {
            RunSpec::Image(spec) => spec.dataset.to_string(),
            RunSpec::Text(spec) => spec.source.name(),
        }
    }

    /// Files that must be there before a run begins, and the flags that name them.
    pub fn inputs(&self) -> Vec<(&'static str, PathBuf)> {
        let s = self.settings();
        let files = [
            ("--init", &s.init),
            ("--model-dir", &s.model_dir),
            ("--train-file", &s.train_file),
            ("--dev-file", &s.dev_file),
            ("--test-file", &s.test_file),
            ("--advglue", &s.advglue),
        ];
        let given = files
            .into_iter()
            .filter_map(|(flag, path)| Some((flag, path.clone()?)));
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
