#!/usr/bin/env python3
"""Inference in three classes: the tables of `scal.sh`, and what a run says of rows that it was not measured on.

  nli.py make FOLDER            train.tsv (SICK's training part and SNLI's dev part), dev.tsv (SICK's trial part and 500 rows of SNLI's
                                dev part, which train.tsv lacks), test.tsv (SICK's), snli.tsv (SNLI's test part), advglue.tsv (mnli and
                                mnli-mm), and every *.jsonl of ANLI_DIR, if that is set
  nli.py score FOLDER RUN ADV   one JSON object: the accuracy of a run on each table of FOLDER but train.tsv and dev.tsv, and its rows

ADV_DATA_DIR must be set for `make`.
"""
import csv, gzip, json, os, subprocess, sys
from pathlib import Path

LABELS = ["entailment", "neutral", "contradiction"]


def write(path, rows):
    with open(path, "w", encoding="utf-8") as out:
        out.write("premise\thypothesis\tlabel\n")
        for row in rows:
            out.write("\t".join(" ".join(cell.split()) for cell in row) + "\n")


def sick(path):
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            yield row["sentence_A"], row["sentence_B"], row["entailment_judgment"].strip().lower()


def snli(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        for line in file:
            first, second, label = line.rstrip("\n").split("\t")
            yield first, second, LABELS[int(label)]


def make(folder):
    data = Path(os.environ["ADV_DATA_DIR"])
    folder.mkdir(parents=True, exist_ok=True)
    held = list(snli(data / "nli/snli-dev.txt.gz"))
    write(folder / "train.tsv", [*sick(data / "sts/SICK/SICK_train.txt"), *held[500:]])
    write(folder / "dev.tsv", [*sick(data / "sts/SICK/SICK_trial.txt"), *held[:500]])
    write(folder / "test.tsv", sick(data / "sts/SICK/SICK_test_annotated.txt"))
    write(folder / "snli.tsv", snli(data / "nli/snli-test.txt.gz"))
    changed = json.load(open(data / "advglue/dev.json", encoding="utf-8"))
    rows = [*changed["mnli"], *changed["mnli-mm"]]
    write(folder / "advglue.tsv", [(row["premise"], row["hypothesis"], LABELS[row["label"]]) for row in rows])
    for path in sorted(Path(os.environ["ANLI_DIR"]).glob("*.jsonl")) if "ANLI_DIR" in os.environ else []:
        rows = [json.loads(line) for line in open(path, encoding="utf-8")]
        names = {"e": LABELS[0], "n": LABELS[1], "c": LABELS[2]}
        write(folder / f"anli-{path.stem}.tsv", [(row["context"], row["hypothesis"], names[row["label"]]) for row in rows])


def score(folder, run, adv):
    found = {}
    for path in sorted(folder.glob("*.tsv")):
        if path.stem in ("train", "dev"):
            continue
        rows = [line.rstrip("\n").split("\t") for line in open(path, encoding="utf-8")][1:]
        pairs = "".join(f"{first}\t{second}\n" for first, second, _ in rows)
        out = subprocess.run([adv, "predict", "--run", run, "--input", "-", "--json"], input=pairs, text=True, check=True, stdout=subprocess.PIPE)
        said = [json.loads(line)["label"] for line in out.stdout.splitlines()]
        assert len(said) == len(rows), (path, len(said), len(rows))
        right = sum(label == row[2] for label, row in zip(said, rows))
        found[path.stem] = {"accuracy": right / len(rows), "rows": len(rows)}
    print(json.dumps(found))


if sys.argv[1] == "make":
    make(Path(sys.argv[2]))
else:
    score(Path(sys.argv[2]), sys.argv[3], sys.argv[4])
