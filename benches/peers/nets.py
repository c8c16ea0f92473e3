"""The two networks of the peer scripts, written as `adv-models` defines them: inputs are pixels in [0, 1], no normalisation."""

from torch import nn


def wong_cnn() -> nn.Module:
    """The MNIST network of "Fast is better than free": two strided 4x4 convolutions, two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(1568, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


def madry_cnn() -> nn.Module:
    """The MNIST network of Madry's challenge: two SAME 5x5 convolutions with max pooling, two linear layers."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(3136, 1024),
        nn.ReLU(),
        nn.Linear(1024, 10),
    )


NETS = {"wong_cnn": wong_cnn, "madry_cnn": madry_cnn}
