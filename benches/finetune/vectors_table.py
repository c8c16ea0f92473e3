#!/usr/bin/env python3
"""Tables of docs/results/sentences.md from the lines of contrast.sh, prompt.sh and scal.sh.

  vectors_table.py vectors LINES    similarity tasks, how vectors lie, curves of the pairs to choose by
  vectors_table.py scal LINES       accuracies of SCAL beside standard training and FreeLB
"""
import json, sys
from collections import defaultdict
from statistics import mean, stdev

TASKS = ["STS12", "STS13", "STS14", "STS15", "STS16", "STSB-test", "SICK-R"]


def spread(values):
    if len(values) < 2:
        return f"{mean(values):.2f}"
    return f"{mean(values):.2f} ± {stdev(values):.2f}"


def vectors(lines):
    starts, runs = [], defaultdict(list)
    for line in lines:
        if "result" in line:
            runs[line["label"]].append(line)
        else:
            starts.append(line)
    rows = []
    for line in starts:
        sts, dev = line["sts"], line["dev"]
        lies = dev["geometry"]
        rows.append((line["label"], "", [sts[task] for task in TASKS], f'{sts["avg_of_rounded"]:.2f}', f'{dev["avg"]:.2f}',
                     lies["align"], lies["uniform"], lies["mean_cosine"], None))
    for label, of in runs.items():
        of.sort(key=lambda line: line["result"]["seed"])
        metrics = [line["result"]["metrics"] for line in of]
        each = lambda name: [m[name] for m in metrics]
        seeds = ", ".join(str(line["result"]["seed"]) for line in of)
        rows.append((label, seeds, [mean(each(task)) for task in TASKS], spread(each("STS_average")), spread(each("dev_spearman")),
                     mean(each("dev_alignment")), mean(each("dev_uniformity")), mean(each("dev_mean_cosine")), each("STS_average")))
    rows.sort(key=lambda row: (row[0].split(",")[0], row[1] != "", row[0]))
    print("| | seeds | " + " | ".join(TASKS).replace("-test", "") + " | mean of the seven | each seed |")
    print("|---|---|" + "---:|" * (len(TASKS) + 1) + "---|")
    for label, seeds, tasks, average, _, _, _, _, each in rows:
        shown = "" if each is None else ", ".join(f"{value:.2f}" for value in each)
        print(f"| {label} | {seeds} | " + " | ".join(f"{value:.2f}" for value in tasks) + f" | {average} | {shown} |")
    print("\n| | STS-B dev | alignment | uniformity | mean cosine |")
    print("|---|---:|---:|---:|---:|")
    for label, _, _, _, dev, align, uniform, cosine, _ in rows:
        print(f"| {label} | {dev} | {align:.3f} | {uniform:.3f} | {cosine:.3f} |")
    print("\n| | STS-B dev after so many mini-batches |")
    print("|---|---|")
    for label, of in sorted(runs.items()):
        steps = [step for step, _ in of[0]["curve"]]
        points = zip(*[[100 * value for _, value in line["curve"]] for line in of])
        shown = [f"{step}: {spread(list(values))}" for step, values in zip(steps, points)]
        print(f"| {label} | " + "; ".join(shown) + " |")


def scal(lines):
    tables = defaultdict(lambda: defaultdict(list))
    for line in lines:
        tables[line["task"]][line["label"]].append(line)
    for task, rows in tables.items():
        radii = list(next(iter(rows.values()))[0]["result"]["attacks"])
        sets = list((next(iter(rows.values()))[0]["others"] or {}))
        sets = [name for name in sets if name != "test"]
        print(f"\n### {task}\n")
        print("| method | seeds | accuracy | each seed | " + " | ".join(sets + [f"withstands {r.split('@')[1]}" for r in radii]) + " |")
        print("|---|---|---:|---|" + "---:|" * (len(sets) + len(radii)))
        for label, of in rows.items():
            of.sort(key=lambda line: line["seed"])
            accuracy = [line["result"]["clean_accuracy"] for line in of]
            cells = [f"{mean(line['others'][name]['accuracy'] for line in of):.3f}" for name in sets]
            cells += [f"{mean(line['result']['attacks'][radius] for line in of):.2f}" for radius in radii]
            print(f"| {label} | {', '.join(str(line['seed']) for line in of)} | {mean(accuracy):.4f} | "
                  + ", ".join(f"{value:.4f}" for value in accuracy) + " | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in ("vectors", "scal"):
        sys.exit(__doc__)
    lines = [json.loads(line) for line in open(sys.argv[2])]
    (vectors if sys.argv[1] == "vectors" else scal)(lines)
