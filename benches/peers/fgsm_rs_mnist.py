"""FGSM-RS on MNIST in PyTorch: the recipe of Wong, Rice and Kolter, "Fast is better than free" (2020).

Training (their MNIST defaults): Adam, 10 epochs, batch 100, learning rate 0 -> 0.005 -> 0 with its peak at 2/5 of
training, set at each update by interpolation; eps 0.3, alpha 0.375; delta ~ U(-eps, eps), not clamped to the pixel
range before the first pass; delta <- clip(delta + alpha sign(g), -eps, eps); the update sees clamp(x + delta, 0, 1)
only. PyTorch's default initialisation.

Evaluation of the last weights: accuracy on all test images, and PGD-50 with step 0.01 and 10 restarts on the first
`--n` test images. Only samples that are still classified correctly move, and a sample counts as robust when no restart
fools it. (The authors keep the restart of the highest loss, which can only be milder.)

One JSON line per seed on stdout with `--json`, else a readable line:

    python fgsm_rs_mnist.py --data-dir MNIST_FOLDER --seed 0 1 2 --json >> results.jsonl

With `--save-init FOLDER` the first weights of each seed go to FOLDER/seedN.safetensors, for `adv train --init`: the same
seed draws other numbers here and there, and much of a run's outcome is decided by its first weights.
"""

import argparse
import gzip
import json
import os
import struct
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from nets import wong_cnn

EPS, ALPHA, LR_MAX, BATCH = 0.3, 0.375, 5e-3, 100
ATTACK_STEP, ATTACK_STEPS, RESTARTS = 0.01, 50, 10


def read_idx(folder: Path, name: str) -> np.ndarray:
    """One IDX file of unsigned bytes, raw or gz."""
    raw, packed = folder / name, folder / f"{name}.gz"
    data = raw.read_bytes() if raw.exists() else gzip.decompress(packed.read_bytes())
    rank = data[3]
    shape = np.frombuffer(data, ">u4", rank, 4).astype(int)
    return np.frombuffer(data, np.uint8, -1, 4 + 4 * rank).reshape(shape)


def load(folder: Path, part: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images as float [N, 1, 28, 28] in [0, 1], labels as int64 [N]."""
    images = torch.from_numpy(read_idx(folder, f"{part}-images-idx3-ubyte").copy()).float().div_(255).unsqueeze(1)
    labels = torch.from_numpy(read_idx(folder, f"{part}-labels-idx1-ubyte").astype(np.int64))
    return images, labels


def train(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, epochs: int) -> None:
    """Trains in place."""
    optimiser = torch.optim.Adam(model.parameters(), lr=LR_MAX)
    batches = -(-len(x) // BATCH)
    model.train()
    for epoch in range(epochs):
        order = torch.randperm(len(x))
        total = 0.0
        for i in range(batches):
            index = order[i * BATCH : (i + 1) * BATCH]
            xb, yb = x[index], y[index]
            now = epoch + (i + 1) / batches
            optimiser.param_groups[0]["lr"] = float(np.interp(now, [0, epochs * 2 / 5, epochs], [0, LR_MAX, 0]))

            delta = torch.empty_like(xb).uniform_(-EPS, EPS).requires_grad_()
            (gradient,) = torch.autograd.grad(F.cross_entropy(model(xb + delta), yb), delta)
            delta = (delta.detach() + ALPHA * gradient.sign()).clamp(-EPS, EPS)

            loss = F.cross_entropy(model((xb + delta).clamp(0, 1)), yb)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: adversarial loss {total / batches:.4f}", file=sys.stderr)


@torch.no_grad()
def accuracy(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Fraction of samples classified correctly."""
    right = sum((model(xb).argmax(1) == yb).sum().item() for xb, yb in zip(x.split(1000), y.split(1000)))
    return right / len(x)


def pgd_robust(model: torch.nn.Module, x: torch.Tensor, y: torch.Tensor) -> float:
    """Fraction of samples that no restart of PGD fools. A fooled sample keeps its delta, so it is dropped."""
    alive = torch.arange(len(x))
    for _ in range(RESTARTS):
        x0, y0 = x[alive], y[alive]
        delta = torch.empty_like(x0).uniform_(-EPS, EPS)
        delta = (x0 + delta).clamp(0, 1) - x0
        for step in range(ATTACK_STEPS + 1):
            delta.requires_grad_()
            logits = model(x0 + delta)
            keep = logits.detach().argmax(1) == y0
            if not keep.any():
                return 0.0
            if step < ATTACK_STEPS:
                loss = F.cross_entropy(logits, y0, reduction="sum")
                (gradient,) = torch.autograd.grad(loss, delta)
                delta = (delta.detach() + ATTACK_STEP * gradient.sign()).clamp(-EPS, EPS)
                delta = (x0 + delta).clamp(0, 1) - x0
            else:
                delta = delta.detach()
            if not keep.all():
                alive, x0, y0, delta = alive[keep], x0[keep], y0[keep], delta[keep]
    return len(alive) / len(x)


def save_weights(model: torch.nn.Module, path: Path) -> None:
    """Writes a safetensors file with the names of adv's `wong_cnn`."""
    layers = {"0": "conv1", "2": "conv2", "5": "fc1", "7": "fc2"}
    header, body = {}, b""
    for name, value in model.state_dict().items():
        layer, kind = name.split(".")
        data = value.numpy().astype("<f4").tobytes()
        span = [len(body), len(body) + len(data)]
        header[f"{layers[layer]}.{kind}"] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": span}
        body += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def main() -> None:
    """Command line."""
    root = os.environ.get("ADV_DATA_DIR")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", type=Path, default=Path(root, "mnist") if root else None, help="folder of the four IDX files (default: $ADV_DATA_DIR/mnist)")
    parser.add_argument("--seed", type=int, nargs="+", default=[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--n", type=int, default=1000, help="test images attacked")
    parser.add_argument("--threads", type=int, default=None, help="default: PyTorch's own choice")
    parser.add_argument("--save-init", type=Path, default=None, help="folder for the first weights")
    parser.add_argument("--json", action="store_true", help="one JSON line per seed")
    args = parser.parse_args()
    if args.data_dir is None:
        parser.error("give --data-dir or set ADV_DATA_DIR")
    if args.threads:
        torch.set_num_threads(args.threads)

    x, y = load(args.data_dir, "train")
    x_test, y_test = load(args.data_dir, "t10k")
    for seed in args.seed:
        torch.manual_seed(seed)
        model = wong_cnn()
        if args.save_init:
            args.save_init.mkdir(parents=True, exist_ok=True)
            save_weights(model, args.save_init / f"seed{seed}.safetensors")
        started = time.perf_counter()
        train(model, x, y, args.epochs)
        trained = time.perf_counter()
        model.eval().requires_grad_(False)
        row = {
            "seed": seed,
            "epochs": args.epochs,
            "n": args.n,
            "clean": accuracy(model, x_test, y_test),
            "pgd-50-10": pgd_robust(model, x_test[: args.n], y_test[: args.n]),
            "train_seconds": round(trained - started, 1),
            "seconds": round(time.perf_counter() - started, 1),
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
        }
        if args.json:
            print(json.dumps(row), flush=True)
        else:
            print(f"seed {seed}: clean {row['clean']:.4f}, PGD-50-10 on {args.n} {row['pgd-50-10']:.4f}, {row['seconds']} s", flush=True)


if __name__ == "__main__":
    main()
