//! The card of a saved folder.

use crate::PromptSettings;

/// What a reader of the folder has to know.
pub(crate) fn card(settings: &PromptSettings) -> String {
    let mut templates = String::new();
    for template in &settings.templates {
        templates += &format!("- `{template}`\n");
    }
    let full_stop = match settings.full_stop {
        true => "A sentence that ends in none of `. ? \" '` gets a full stop first.",
        false => "Sentences are taken as they stand.",
    };
    format!(
        "# Sentence vectors from a prompt\n\n\
         A sentence becomes a vector at the mask of a template (PromptBERT; Jiang et al. 2022). {full_stop} Templates, the first one for use:\n\n\
         {templates}\n\
         **Neither sentence-transformers nor the usual servers of embeddings can say this**: they would average the tokens, or take the first \
         one, and give other vectors. Use it with `adv`, which reads `prompt.json`:\n\n\
         ```text\n\
         adv encode --model-dir THIS-FOLDER --input sentences.txt --out vectors.npy\n\
         adv serve --embed --model-dir THIS-FOLDER --port 8080\n\
         ```\n"
    )
}
