"""Milliseconds per adversarial training step in PyTorch: the other side of `cargo xtask bench --peers`.

One step is the ascent (gradients of the input only, by `torch.autograd.grad`) and one update of the weights, as a user
of eager PyTorch writes it. Prints one JSON object: times by step name, such as `wong_cnn/pgd7/b50`, and facts as texts.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nets import NETS

EPS = 0.3


def gradient_of(model: nn.Module, x: Tensor, y: Tensor, delta: Tensor) -> Tensor:
    """The gradient of the loss at `x + delta` with respect to `delta` alone."""
    delta = delta.requires_grad_()
    return torch.autograd.grad(F.cross_entropy(model(x + delta), y), delta)[0]


def pgd7(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """PGD-7 from a uniform start, in the pixel range after each step."""
    delta = torch.empty_like(x).uniform_(-EPS, EPS)
    delta = (x + delta).clamp(0, 1) - x
    for _ in range(7):
        gradient = gradient_of(model, x, y, delta)
        delta = (delta.detach() + 0.1 * gradient.sign()).clamp(-EPS, EPS)
        delta = (x + delta).clamp(0, 1) - x
    return x + delta


def fgsm_rs(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """FGSM-RS: one step of 1.25 eps from a uniform start, in the pixel range at the end only."""
    delta = torch.empty_like(x).uniform_(-EPS, EPS)
    gradient = gradient_of(model, x, y, delta)
    delta = (delta.detach() + 1.25 * EPS * gradient.sign()).clamp(-EPS, EPS)
    return (x + delta).clamp(0, 1)


METHODS = {"pgd7": pgd7, "fgsm-rs": fgsm_rs}


def training_step(name: str, method: str, batch: int, optimiser_name: str) -> Callable[[], None]:
    """A closure that does one step on one fixed batch."""
    torch.manual_seed(0)
    model = NETS[name]().train()
    x, y = torch.rand(batch, 1, 28, 28), torch.randint(0, 10, (batch,))
    ascend = METHODS[method]
    if optimiser_name == "adam":
        optimiser = torch.optim.Adam(model.parameters(), lr=1e-4)
    else:
        optimiser = torch.optim.SGD(model.parameters(), lr=1e-2)

    def step() -> None:
        adversarial = ascend(model, x, y)
        optimiser.zero_grad()
        F.cross_entropy(model(adversarial), y).backward()
        optimiser.step()

    return step


def median_ms(step: Callable[[], None], seconds: float) -> float:
    """Median over as many steps as fit, at least five, after two for warming up."""
    for _ in range(2):
        step()
    times: list[float] = []
    while len(times) < 5 or sum(times) < seconds:
        begin = time.perf_counter()
        step()
        times.append(time.perf_counter() - begin)
    return 1e3 * statistics.median(times)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count())
    parser.add_argument("--optimizer", choices=["adam", "sgd"], default="adam")
    parser.add_argument("--seconds", type=float, default=3.0, help="time for each measurement")
    parser.add_argument("--nets", nargs="+", choices=list(NETS), default=list(NETS))
    parser.add_argument("--methods", nargs="+", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--batches", type=int, nargs="+", default=[50, 128])
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    result: dict[str, float | str] = {"PyTorch": torch.__version__, "optimiser": args.optimizer}
    for net in args.nets:
        for method in args.methods:
            for batch in args.batches:
                key = f"{net}/{method}/b{batch}"
                result[key] = round(median_ms(training_step(net, method, batch, args.optimizer), args.seconds), 3)
                print(f"{key}: {result[key]} ms", file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
