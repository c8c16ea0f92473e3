//! The flags of the commands on prompts.

use super::ReadingArgs;
use crate::device::DeviceKind;
use crate::spec::ModelPlace;
use adv_data::text::StsTask;
use adv_prompt::Template;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// The words of `adv prompt`.
#[derive(Debug, Subcommand)]
pub enum PromptCommand {
    /// Measure the templates of a file on a similarity task, and print the best first
    Search(PromptSearchArgs),
    /// Say what spoils the average of static token embeddings, and how vectors lie, and write a page with pictures
    Analyse(PromptAnalyseArgs),
}

/// Arguments of `adv prompt search`.
#[derive(Debug, Args)]
pub struct PromptSearchArgs {
    /// The model: a folder, or hf://OWNER/NAME or hf://OWNER/NAME@REVISION
    #[arg(long, value_name = "DIR|hf://…")]
    pub model_dir: ModelPlace,
    /// Templates, one a line, each with one `[X]` and one `[MASK]`; - is the standard input
    #[arg(long, value_name = "FILE|-")]
    pub templates: PathBuf,
    /// The folder of data sets [default: $ADV_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// What they are measured on; of several the mean
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "STSB-dev")]
    pub tasks: Vec<StsTask>,
    /// How their masks are read
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The longest sentence in tokens, without the template [default: what the model can]
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Sentences of a pass
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Where to compute
    #[arg(long, value_name = "X", default_value = "flex")]
    pub device: DeviceKind,
    /// Print the ranking as one JSON list
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv prompt analyse`.
#[derive(Debug, Args)]
pub struct PromptAnalyseArgs {
    /// The model: a folder, or hf://OWNER/NAME or hf://OWNER/NAME@REVISION
    #[arg(long, value_name = "DIR|hf://…")]
    pub model_dir: ModelPlace,
    /// Sentences to count tokens in, and to see how vectors lie: a text file with one a line, or a table; gzip-compressed or not
    #[arg(long, value_name = "FILE")]
    pub input: PathBuf,
    /// The column of a table, by name, or by number, from 1, of one without header
    #[arg(long, value_name = "NAME|N", default_value = "sentence")]
    pub column: String,
    /// The first N sentences only
    #[arg(long, value_name = "N", default_value = "10000")]
    pub take: usize,
    /// So many tokens count as frequent
    #[arg(long, value_name = "N", default_value = "36")]
    pub frequent: usize,
    /// The template whose vectors are compared
    #[arg(long, value_name = "TEMPLATE", default_value_t = Template::first())]
    pub prompt: Template,
    /// The folder of data sets [default: $ADV_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The pairs of sentences that vectors are measured on; of several the mean
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "STSB-test")]
    pub tasks: Vec<StsTask>,
    /// Tokens in the pictures: the most frequent ones of the sentences
    #[arg(long, value_name = "N", default_value = "3000")]
    pub points: usize,
    /// The page
    #[arg(long, value_name = "FILE.html", default_value = "prompt-analysis.html")]
    pub out: PathBuf,
    /// Where to compute
    #[arg(long, value_name = "X", default_value = "flex")]
    pub device: DeviceKind,
    /// Print the figures as one JSON object
    #[arg(long)]
    pub json: bool,
}
