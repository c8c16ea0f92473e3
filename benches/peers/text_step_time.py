"""Milliseconds per training step of a sentence classifier in PyTorch and transformers: text beside `step_time.py`.

A step is what its name says, as a user of eager PyTorch writes it: `forward-backward` (no update), and with an update by
AdamW `standard`, `pgd3` (three gradients of the word embeddings alone, then one of the weights) and `freelb3` (three
passes for embeddings and weights); `simcse` (the contrast of 32 sentences under two dropout masks, mean over the tokens, both views in
one forward of 64). Batches of 32 sentences of 32 tokens, dropout active. Prints one JSON object: times by
step name, such as `minilm/freelb3/b32`, and facts as texts.
"""

import argparse
import json
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForSequenceClassification

from step_time import median_ms

BATCH, LENGTH, STEP, MAGNITUDE = 32, 32, 0.1, 0.2


def unit(gradient: Tensor) -> Tensor:
    """Divided by its norm over each sentence."""
    return gradient / gradient.flatten(1).norm(dim=1).clamp_min(1e-8)[:, None, None]


class Classifier:
    """A model with one fixed batch."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2).train()
        self.ids = torch.randint(1000, 30000, (BATCH, LENGTH))
        self.mask = torch.ones_like(self.ids)
        self.labels = torch.randint(0, 2, (BATCH,))
        self.table = self.model.get_input_embeddings()
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-6)

    def loss(self, delta: Tensor | None) -> Tensor:
        """The mean cross entropy, `delta` added to the word embeddings."""
        words = self.table(self.ids)
        words = words if delta is None else words + delta
        logits = self.model(inputs_embeds=words, attention_mask=self.mask).logits
        return nn.functional.cross_entropy(logits, self.labels)

    def start(self) -> Tensor:
        """FreeLB's start."""
        shape = (BATCH, LENGTH, self.table.embedding_dim)
        return torch.empty(shape).uniform_(-1, 1) * MAGNITUDE / (LENGTH * shape[2]) ** 0.5

    def forward_backward(self) -> None:
        """Gradients of the weights, dropped."""
        self.optimiser.zero_grad()
        self.loss(None).backward()

    def standard(self) -> None:
        """One clean update."""
        self.forward_backward()
        self.optimiser.step()

    def pgd3(self) -> None:
        """Three steps of ascent, then an update."""
        delta = self.start()
        for _ in range(3):
            delta.requires_grad_()
            (gradient,) = torch.autograd.grad(self.loss(delta), delta)
            delta = delta.detach() + STEP * unit(gradient)
        self.optimiser.zero_grad()
        self.loss(delta).backward()
        self.optimiser.step()

    def freelb3(self) -> None:
        """Three passes, each for the weights, two steps between them, then an update."""
        delta = self.start()
        self.optimiser.zero_grad()
        for step in range(3):
            delta.requires_grad_()
            (self.loss(delta) / 3).backward()
            if step < 2:
                delta = delta.detach() + STEP * unit(delta.grad)
        self.optimiser.step()


class Contrast:
    """SimCSE on one fixed batch."""

    def __init__(self, folder: Path) -> None:
        torch.manual_seed(0)
        self.model = AutoModel.from_pretrained(folder).train()
        self.ids = torch.randint(1000, 30000, (BATCH, LENGTH)).repeat(2, 1)
        self.mask = torch.ones_like(self.ids)
        self.partners = torch.arange(BATCH)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=1e-6)

    def simcse(self) -> None:
        """One update."""
        self.optimiser.zero_grad()
        hidden = self.model(self.ids, attention_mask=self.mask).last_hidden_state
        mask = self.mask[:, :, None].float()
        vectors = nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
        scores = vectors[:BATCH] @ vectors[BATCH:].T / 0.05
        nn.functional.cross_entropy(scores, self.partners).backward()
        self.optimiser.step()


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--model-dir", type=Path, required=True, help="a folder in the layout of Hugging Face")
    parser.add_argument("--seconds", type=float, default=8.0, help="time for each measurement")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    work = Classifier(args.model_dir)
    steps: dict[str, Callable[[], None]] = {
        "forward-backward": work.forward_backward,
        "standard": work.standard,
        "pgd3": work.pgd3,
        "freelb3": work.freelb3,
        "simcse": Contrast(args.model_dir).simcse,
    }
    result: dict[str, float | str] = {"transformers": transformers.__version__}
    for name, step in steps.items():
        key = f"minilm/{name}/b{BATCH}"
        result[key] = round(median_ms(step, args.seconds), 3)
        print(f"{key}: {result[key]} ms", file=sys.stderr)
    result["PyTorch's peak memory on text"] = f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB"
    print(json.dumps(result))


if __name__ == "__main__":
    main()
