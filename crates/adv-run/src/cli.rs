//! The command line.

use crate::attack::Target;
use crate::sentences::{EncodeArgs, PromptCommand, SearchArgs, SimilarityArgs, StsArgs, TransferArgs};
use crate::serve::ServeArgs;
use crate::spec::Settings;
use clap::{ArgGroup, Args, Parser, Subcommand};
use std::path::PathBuf;

/// Adversarial training of neural networks.
#[derive(Debug, Parser)]
#[command(name = "adv", version, about, propagate_version = true)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
}

/// The words of `adv`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Train a network; without arguments: PGD on the bundled digits, and a standard network beside it
    Train(TrainArgs),
    /// Measure clean accuracy and accuracy under attacks of trained weights
    Eval(EvalArgs),
    /// Say what a trained text model makes of sentences
    Predict(PredictArgs),
    /// Train several methods under an equal budget and print one table
    Compare(CompareArgs),
    /// Measure sentence vectors by similarity tasks: STS12 to STS16, STS-B and SICK-R
    Sts(StsArgs),
    /// Measure sentence vectors by transfer tasks: MR, CR, SUBJ, MPQA, SST2, TREC and MRPC
    Transfer(TransferArgs),
    /// Turn sentences into vectors
    Encode(EncodeArgs),
    /// Say how similar two sentences are, for pairs of them
    Similarity(SimilarityArgs),
    /// Find the sentences of a file that are nearest to a query
    Search(SearchArgs),
    /// Serve an encoder over HTTP
    Serve(ServeArgs),
    /// Templates of prompts: look for good ones, and see what they are good against
    #[command(subcommand)]
    Prompt(PromptCommand),
    /// List the training methods with their cost
    Methods(MethodsArgs),
}

/// Arguments of `adv train`.
#[derive(Debug, Args)]
pub struct TrainArgs {
    /// The settings
    #[command(flatten)]
    pub settings: Settings,
    /// Settings from a TOML file; flags win
    #[arg(long, value_name = "FILE.toml", conflicts_with = "resume")]
    pub spec: Option<PathBuf>,
    /// The run folder [default: runs/DATASET-METHOD-seedS]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Go on with an interrupted run, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with = "out")]
    pub resume: Option<PathBuf>,
    /// Print the result as one JSON object, the last line of stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv eval`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).args(["run", "weights"])))]
pub struct EvalArgs {
    /// A run folder: its network, data set and weights
    #[arg(long, value_name = "DIR")]
    pub run: Option<PathBuf>,
    /// With --run: the weights of the best validation [default: the last ones; on text those of the run's --keep]
    #[arg(long, requires = "run")]
    pub best: bool,
    /// A safetensors file with PyTorch names
    #[arg(long, value_name = "F", requires = "model")]
    pub weights: Option<PathBuf>,
    /// The network of --weights
    #[arg(long, value_name = "N")]
    pub model: Option<String>,
    /// The data set [default: that of the run, else digits]
    #[arg(long, value_name = "D")]
    pub dataset: Option<String>,
    /// The data set's own folder
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Where to compute [default: flex]
    #[arg(long, value_name = "X")]
    pub device: Option<crate::device::DeviceKind>,
    /// Attack, repeatable: fgsm, fgm, pgd-50-10 (steps, restarts), pgd-l2-20, mi-fgsm-10 [default: those of the
    /// run, else fgsm, pgd-20]
    #[arg(long, value_name = "A")]
    pub attack: Option<Vec<String>>,
    /// Radius; on text several, separated by commas [default: that of the run, else by data set]
    #[arg(long, value_parser = crate::spec::number, value_delimiter = ',')]
    pub eps: Option<Vec<f64>>,
    /// Step size [default: 2.5 eps / steps]
    #[arg(long, value_parser = crate::spec::number)]
    pub step: Option<f64>,
    /// Attack the first N test images [default: 1000]
    #[arg(long, value_name = "N")]
    pub n: Option<usize>,
    /// Aim at a class: next, least-likely or its number; a sample withstands unless it is taken for that class
    #[arg(long, value_name = "T")]
    pub target: Option<Target>,
    /// Seed of the random starts [default: 0]
    #[arg(long)]
    pub seed: Option<u64>,
    /// Write clean and adversarial images, labels and success to this safetensors file
    #[arg(long, value_name = "FILE")]
    pub save_examples: Option<PathBuf>,
    /// Print the result as one JSON object, the last line of stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv predict`.
#[derive(Debug, Args)]
pub struct PredictArgs {
    /// The folder of a run on text
    #[arg(long, value_name = "DIR")]
    pub run: PathBuf,
    /// Sentences, one a line, a tab between those of a pair; or JSON objects, one a line, with the names of --columns; - is the
    /// standard input
    #[arg(long, value_name = "FILE|-")]
    pub input: PathBuf,
    /// The names of the sentences in JSON objects [default: sentence, or first,second of a pair]
    #[arg(long, value_name = "A[,B]", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Where to compute [default: where the run was]
    #[arg(long, value_name = "X")]
    pub device: Option<crate::device::DeviceKind>,
    /// Write JSON objects, one a line, instead of a table with tabs
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv compare`.
#[derive(Debug, Args)]
pub struct CompareArgs {
    /// Methods with their numbers [default: standard,fgsm,fgsm-rs,free-8,pgd-7,yopo-5-10,freelb-3; text:
    /// standard,fgm,free-3,pgd-3,yopo-3-2,freelb-3]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub methods: Option<Vec<String>>,
    /// Equal gradient calls instead of equal epochs: this many per mini-batch of the data set in all
    #[arg(long, value_name = "C", conflicts_with = "epochs", value_parser = crate::spec::number)]
    pub calls: Option<f64>,
    /// The settings that all methods share
    #[command(flatten)]
    pub settings: Settings,
    /// Settings from a TOML file; flags win
    #[arg(long, value_name = "FILE.toml")]
    pub spec: Option<PathBuf>,
    /// The folder of the comparison; methods that are done there are not trained again
    #[arg(long, value_name = "DIR", default_value = "runs/compare")]
    pub out: PathBuf,
    /// Print the results as one JSON object, the last line of stdout
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv methods`.
#[derive(Debug, Args)]
pub struct MethodsArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}
