//! The flags of the commands on sentence vectors.

use crate::device::DeviceKind;
use crate::spec::{DenoisingName, GuesserName, ModelPlace, PoolingName};
use adv_data::text::{StsTask, TransferTask};
use adv_prompt::{Reading, Representation, Template};
use clap::{ArgGroup, Args};
use std::path::PathBuf;

/// Which encoder, and how it is used.
#[derive(Debug, Args)]
pub struct EncoderArgs {
    /// The encoder: a folder of sentence-transformers or of a plain model, or hf://OWNER/NAME or hf://OWNER/NAME@REVISION
    #[arg(long, value_name = "DIR|hf://…")]
    pub model_dir: ModelPlace,
    /// How tokens become a sentence [default: what the folder says, else mean]
    #[arg(long, value_name = "P", conflicts_with = "prompt")]
    pub pooling: Option<PoolingName>,
    /// Put each sentence into a template with one `[X]` and one `[MASK]`, and take the vector of the mask (PromptBERT); repeatable: the
    /// vectors of all templates are averaged [default: what the folder says]
    #[arg(long, value_name = "TEMPLATE")]
    pub prompt: Vec<Template>,
    /// How its mask is read
    #[command(flatten)]
    pub reading: ReadingArgs,
    /// The longest sentence in tokens, special ones included, with a prompt those of the sentence alone [default: what the folder says,
    /// else what the model can]
    #[arg(long, value_name = "N")]
    pub max_length: Option<usize>,
    /// Sentences of a pass
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: u32,
    /// Where to compute
    #[arg(long, value_name = "X", default_value = "flex")]
    pub device: DeviceKind,
}

/// How the masks of templates are read.
#[derive(Debug, Clone, Copy, Args)]
pub struct ReadingArgs {
    /// Of a prompt: whether the vector of the template without the sentence is taken off [default: off]
    #[arg(long, value_name = "D")]
    pub denoising: Option<DenoisingName>,
    /// Of a prompt: average the static embeddings of the K tokens that are likeliest at the mask, instead of taking its vector
    #[arg(long, value_name = "K", value_parser = clap::value_parser!(u32).range(1..))]
    pub likely_tokens: Option<u32>,
    /// Who finds them likely [default: head]
    #[arg(long, value_name = "G", requires = "likely_tokens")]
    pub guesser: Option<GuesserName>,
}

impl ReadingArgs {
    /// One of its flags that was given.
    pub(crate) fn given(&self) -> Option<&'static str> {
        let denoising = self.denoising.map(|_| "--denoising");
        denoising.or(self.likely_tokens.map(|_| "--likely-tokens"))
    }

    /// As the encoder takes it.
    pub(crate) fn reading(&self) -> Reading {
        let guesser = self.guesser.unwrap_or_default();
        Reading {
            representation: Representation::of(self.likely_tokens.map(|k| k as usize), guesser.into()),
            denoising: self.denoising.unwrap_or(DenoisingName::Off).into(),
            ..Reading::default()
        }
    }
}

/// Arguments of `adv sts`.
#[derive(Debug, Args)]
pub struct StsArgs {
    /// The encoder
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// The folder of data sets, with sts/STS12 and so on, or STS/STS12-en-test as SentEval has them [default: $ADV_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The tasks [default: STS12,STS13,STS14,STS15,STS16,STSB-test,SICK-R]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub tasks: Option<Vec<StsTask>>,
    /// Say how vectors lie, too: alignment and uniformity on the pairs and sentences of the tasks, and their mean cosine
    #[arg(long)]
    pub geometry: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv transfer`.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// The encoder
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// The folder of data sets, with textcls/, sst2/glue/ and glue/MRPC/ [default: $ADV_DATA_DIR]
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// The tasks [default: MR,CR,SUBJ,MPQA,SST2,TREC,MRPC]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub tasks: Option<Vec<TransferTask>>,
    /// Choose each penalty by ten folds, as published tables do, instead of five: twice the time
    #[arg(long)]
    pub full: bool,
    /// Print the result as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv encode`.
#[derive(Debug, Args)]
pub struct EncodeArgs {
    /// The encoder
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// Sentences: a text file with one a line, or a table (.tsv, .csv, .jsonl, .parquet); gzip-compressed or not; - is the standard input
    #[arg(long, value_name = "FILE|-")]
    pub input: PathBuf,
    /// The column of a table, by name, or by number, from 1, of one without header
    #[arg(long, value_name = "NAME|N", default_value = "sentence")]
    pub column: String,
    /// Where vectors go: .npy, .safetensors (tensor `embeddings`) or .jsonl; - writes JSON lines to the standard output
    #[arg(long, value_name = "FILE|-", default_value = "-")]
    pub out: PathBuf,
    /// Scale vectors to length 1, where the folder does not ask for it anyway
    #[arg(long)]
    pub normalise: bool,
    /// Keep the first N numbers of each vector, for models trained to be cut
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub truncate_dim: Option<u32>,
}

/// Arguments of `adv similarity`.
#[derive(Debug, Args)]
pub struct SimilarityArgs {
    /// The encoder
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// Pairs, one a line: with a tab between them, or JSON objects with `first` and `second`; - is the standard input
    #[arg(long, value_name = "FILE|-")]
    pub input: PathBuf,
    /// The names of the sentences in JSON objects [default: first,second]
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub columns: Option<Vec<String>>,
    /// Write JSON objects, one a line, instead of a table with tabs
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `adv search`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("asked").required(true).args(["query", "queries"])))]
pub struct SearchArgs {
    /// The encoder
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// What to search: sentences as of `adv encode --input`
    #[arg(long, value_name = "FILE|-")]
    pub corpus: PathBuf,
    /// The column of a table, by name, or by number, from 1, of one without header
    #[arg(long, value_name = "NAME|N", default_value = "sentence")]
    pub column: String,
    /// What to look for, repeatable
    #[arg(long, value_name = "TEXT")]
    pub query: Vec<String>,
    /// The same from a file, one a line
    #[arg(long, value_name = "FILE|-")]
    pub queries: Option<PathBuf>,
    /// How many to show
    #[arg(long, value_name = "K", default_value = "5", value_parser = clap::value_parser!(u32).range(1..))]
    pub top_k: u32,
    /// The smallest cosine to show
    #[arg(long, value_name = "C", default_value = "-1", allow_negative_numbers = true, value_parser = crate::spec::number)]
    pub threshold: f64,
    /// Write JSON objects, one a hit, instead of a table with tabs
    #[arg(long)]
    pub json: bool,
}
