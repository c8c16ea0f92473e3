#!/usr/bin/env python3
"""sentence-transformers beside `adv encode`, on one folder: are the vectors equal, and how long does each take?

  sentence_vectors.py ADV FOLDER LINES [--threads N] [--batch N] [--repeat N]

ADV: the program. FOLDER: a folder of sentence-transformers, such as one that `adv train` saved. LINES: a file of sentences. Prints the
largest difference of two vectors' entries, the least cosine, and the seconds of each repetition: of sentence-transformers those of
`encode`, of `adv` those of the whole program, so with its start and the writing of the file.
"""
import argparse, os, subprocess, sys, tempfile, time

parser = argparse.ArgumentParser()
parser.add_argument("adv")
parser.add_argument("folder")
parser.add_argument("lines")
parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--repeat", type=int, default=1)
args = parser.parse_args()
for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = str(args.threads)

import numpy as np
import torch
from sentence_transformers import SentenceTransformer

torch.set_num_threads(args.threads)
lines = open(args.lines, encoding="utf-8").read().splitlines()
model = SentenceTransformer(args.folder, device="cpu")
model.encode(lines[: args.batch])
theirs_seconds, our_seconds = [], []
with tempfile.TemporaryDirectory() as folder:
    out = os.path.join(folder, "vectors.npy")
    for _ in range(args.repeat):
        begin = time.perf_counter()
        theirs = model.encode(lines, batch_size=args.batch)
        theirs_seconds.append(time.perf_counter() - begin)
        begin = time.perf_counter()
        command = [args.adv, "encode", "--model-dir", args.folder, "--input", args.lines, "--out", out, "--batch", str(args.batch)]
        subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
        our_seconds.append(time.perf_counter() - begin)
        ours = np.load(out)
assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
off = np.abs(ours - theirs).max()
unit = lambda x: x / np.linalg.norm(x, axis=1, keepdims=True)
cosine = (unit(ours) * unit(theirs)).sum(1).min()
print(f"{len(lines)} sentences, {ours.shape[1]} numbers each; largest difference {off:.1e}, least cosine {cosine:.7f}")
shown = lambda seconds: ", ".join(f"{s:.1f}" for s in seconds)
print(f"sentence-transformers: {shown(theirs_seconds)} s    adv encode: {shown(our_seconds)} s    {args.threads} threads")
print(f"adv over sentence-transformers: {min(our_seconds) / min(theirs_seconds):.2f}")
sys.exit(0 if off < 1e-5 else 1)
