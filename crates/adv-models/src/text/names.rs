//! The names of tensors: ours, and those of `transformers`.

use super::config::{EncoderConfig, Family};
use super::head::HeadKind;

/// The layer parts, ours and BERT's and ALBERT's.
const LAYER: [(&str, &str, &str); 8] = [
    ("query", "attention.self.query", "attention.query"),
    ("key", "attention.self.key", "attention.key"),
    ("value", "attention.self.value", "attention.value"),
    ("attention_output", "attention.output.dense", "attention.dense"),
    (
        "attention_norm",
        "attention.output.LayerNorm",
        "attention.LayerNorm",
    ),
    ("intermediate", "intermediate.dense", "ffn"),
    ("output", "output.dense", "ffn_output"),
    ("output_norm", "output.LayerNorm", "full_layer_layer_norm"),
];

/// Tensors of a file that carry nothing: position numbers, and the decoder of a masked language model, which is the word table
/// again.
const IDLE: [&str; 8] = [
    "embeddings.position_ids",
    "embeddings.token_type_ids",
    "cls.predictions.decoder.weight",
    "cls.predictions.decoder.bias",
    "lm_head.decoder.weight",
    "lm_head.decoder.bias",
    "predictions.decoder.weight",
    "predictions.decoder.bias",
];

/// The starts of heads, and of what pre-training leaves: not part of another head, and no mistake.
const HEADS: [&str; 8] = [
    "cls.",
    "pooler.",
    "classifier.",
    "lm_head.",
    "predictions.",
    "sop_classifier.",
    "qa_outputs.",
    "score.",
];

/// The name in a file of a whole model, prefix included, of one of our tensors (with PyTorch's last part, `weight` or `bias`).
pub(super) fn in_file(config: &EncoderConfig, head: HeadKind, ours: &str) -> String {
    let family = config.family;
    match ours.split_once('.') {
        Some(("encoder", rest)) => format!("{}{}", family.prefix(), encoder(family, rest)),
        Some(("head", rest)) => of_head(family, head, rest),
        _ => ours.into(),
    }
}

fn encoder(family: Family, ours: &str) -> String {
    match ours {
        "words" => return "embeddings.word_embeddings.weight".into(),
        "positions" => return "embeddings.position_embeddings.weight".into(),
        "types" => return "embeddings.token_type_embeddings.weight".into(),
        _ => {}
    }
    if let Some(part) = ours.strip_prefix("norm.") {
        return format!("embeddings.LayerNorm.{part}");
    }
    if let Some(part) = ours.strip_prefix("up.") {
        return format!("encoder.embedding_hidden_mapping_in.{part}");
    }
    let parts: Vec<&str> = ours.split('.').collect();
    if let ["layer", index, layer, last] = parts[..]
        && let Some((_, bert, albert)) = LAYER.iter().find(|(name, ..)| *name == layer)
    {
        return match family {
            Family::Albert => format!("encoder.albert_layer_groups.0.albert_layers.{index}.{albert}.{last}"),
            Family::Bert | Family::Roberta => format!("encoder.layer.{index}.{bert}.{last}"),
        };
    }
    ours.into()
}

fn of_head(family: Family, head: HeadKind, ours: &str) -> String {
    let names: &[(&str, &str)] = match (head, family) {
        (HeadKind::MaskedLm, Family::Bert) => &[
            ("dense.", "cls.predictions.transform.dense."),
            ("norm.", "cls.predictions.transform.LayerNorm."),
            ("bias", "cls.predictions.bias"),
        ],
        (HeadKind::MaskedLm, Family::Roberta) => &[
            ("dense.", "lm_head.dense."),
            ("norm.", "lm_head.layer_norm."),
            ("bias", "lm_head.bias"),
        ],
        (HeadKind::MaskedLm, Family::Albert) => &[
            ("dense.", "predictions.dense."),
            ("norm.", "predictions.LayerNorm."),
            ("bias", "predictions.bias"),
        ],
        (_, Family::Bert) => &[("dense.", "bert.pooler.dense."), ("out.", "classifier.")],
        (_, Family::Roberta) => &[("dense.", "classifier.dense."), ("out.", "classifier.out_proj.")],
        (_, Family::Albert) => &[("dense.", "albert.pooler."), ("out.", "classifier.")],
    };
    let hit = names.iter().find_map(|(mine, theirs)| {
        let last = ours.strip_prefix(mine)?;
        Some(format!("{theirs}{last}"))
    });
    hit.unwrap_or_else(|| ours.into())
}

/// The name as a file of a whole model has it: with the family's prefix, which files of a bare encoder leave out, and without
/// TensorFlow's names of layer normalisation.
pub(super) fn whole(family: Family, name: &str) -> String {
    let name = name
        .strip_suffix("LayerNorm.gamma")
        .map(|start| format!("{start}LayerNorm.weight"))
        .or_else(|| {
            name.strip_suffix("LayerNorm.beta")
                .map(|start| format!("{start}LayerNorm.bias"))
        })
        .unwrap_or_else(|| name.into());
    let bare = ["embeddings.", "encoder.", "pooler."]
        .iter()
        .any(|start| name.starts_with(start));
    if bare {
        format!("{}{name}", family.prefix())
    } else {
        name
    }
}

/// Whether a tensor that a model does not have may be in its file: it carries nothing, or belongs to another head.
pub(super) fn may_be_left_over(family: Family, whole: &str) -> bool {
    let name = whole.strip_prefix(family.prefix()).unwrap_or(whole);
    IDLE.contains(&name) || HEADS.iter().any(|start| name.starts_with(start))
}

/// Whether a tensor of ours belongs to the head.
pub(super) fn is_head(ours: &str) -> bool {
    ours.starts_with("head.")
}
