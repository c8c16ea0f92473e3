//! The flags of `adv serve`.

use crate::sentences::EncoderArgs;
use clap::{ArgGroup, Args};
use std::net::IpAddr;

/// Arguments of `adv serve`.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("what").required(true).args(["embed"])))]
pub struct ServeArgs {
    /// Serve vectors of sentences, at /v1/embeddings, as OpenAI's programs ask for them
    #[arg(long)]
    pub embed: bool,
    /// The encoder; --batch is the most sentences that requests share a pass for
    #[command(flatten)]
    pub encoder: EncoderArgs,
    /// The address to listen on; 0.0.0.0 is all of this machine's
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub host: IpAddr,
    /// The port; 0 takes a free one and says which
    #[arg(long, value_name = "N", default_value = "8080")]
    pub port: u16,
    /// The name of the model in answers, and in requests that name one [default: the folder's]
    #[arg(long, value_name = "NAME")]
    pub model_name: Option<String>,
    /// How long a request waits for others to share a pass with
    #[arg(long, value_name = "MS", default_value = "2")]
    pub max_wait_ms: u32,
    /// Sentences of a request
    #[arg(long, value_name = "N", default_value = "2048", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_inputs: u32,
    /// Sentences that may wait; requests beyond them are sent away, with status 429
    #[arg(long, value_name = "N", default_value = "8192", value_parser = clap::value_parser!(u32).range(1..))]
    pub max_queue: u32,
    /// Size of a request
    #[arg(long, value_name = "MIB", default_value = "8", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub max_body_mib: u32,
    /// Time for a request, its arrival included
    #[arg(long, value_name = "S", default_value = "60", value_parser = clap::value_parser!(u32).range(1..))]
    pub timeout_seconds: u32,
    /// Time for the requests at hand when it is told to end
    #[arg(long, value_name = "S", default_value = "30")]
    pub drain_seconds: u32,
    /// What requests must bear as `Authorization: Bearer KEY`; /health alone is open to all [default: nothing is asked for]
    #[arg(long, value_name = "KEY", env = "ADV_API_KEY", hide_env_values = true)]
    pub api_key: Option<String>,
}
