"""Logits of a model folder by `transformers`, for sentences given as token ids: what adv-models' test compares with.

Reads JSON lines from stdin, {"folder": DIR, "head": "classes" | "regression" | "masked-lm", "ids": [[..], ..],
"types": [[..], ..]}, and prints a JSON line for each: the logits of a sentence, or those of each of its tokens.
"""

import json
import sys

import torch
from transformers import AutoModelForMaskedLM, AutoModelForSequenceClassification

torch.set_num_threads(1)

for line in sys.stdin:
    job = json.loads(line)
    kind = AutoModelForMaskedLM if job["head"] == "masked-lm" else AutoModelForSequenceClassification
    model, info = kind.from_pretrained(job["folder"], output_loading_info=True)
    found = {key: sorted(info[key]) for key in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    logits = []
    with torch.no_grad():
        for ids, types in zip(job["ids"], job["types"]):
            out = model.eval()(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types]))
            logits.append(out.logits[0].flatten().tolist())
    print(json.dumps({"logits": logits, **found}), flush=True)
