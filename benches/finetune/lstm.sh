#!/usr/bin/env bash
# Trains the LSTM of Miyato et al. on MR: first as a language model on the training sentences, then as a classifier by four methods
# (docs/results/text.md has the table). Radii of 1 and 5 with seed 0; the better one on the part to choose by with seeds 1 and 2. Each
# finished run is one line of JSON in LINES at once; the same command goes on where it was.
#
#   ADV_DATA_DIR=... benches/finetune/lstm.sh LINES FOLDER
#
# LINES: the file of results. FOLDER: the run folders. The program: $ADV, or target/release/adv.
set -euo pipefail
lines=$1 folder=$2
adv=${ADV:-target/release/adv}
mkdir -p "$(dirname "$lines")" "$folder"
words=$folder/mr-lm
if [ ! -e "$words/result.json" ]; then
    if [ -e "$words/spec.toml" ]; then
        "$adv" train --resume "$words" --json
    else
        "$adv" train --method lm --task mr --epochs 4 --out "$words" --json
    fi
fi

# LABEL SEED FLAGS...
run() {
    local label=$1 seed=$2 folder_of
    shift 2
    folder_of=$folder/mr-$seed-$(tr -c 'a-z0-9.\n' '-' <<< "$label")
    grep -qsF "{\"label\":\"$label\",\"result\":{\"run\":\"$folder_of\"" "$lines" && return
    local result
    if [ -e "$folder_of/spec.toml" ]; then
        result=$("$adv" train --resume "$folder_of" --json | tail -n 1)
    else
        result=$("$adv" train --model-dir "$words/best" --task mr "$@" --epochs 3 --lr 1e-3 --seed "$seed" --n 100 --out "$folder_of" \
            --json | tail -n 1)
    fi
    printf '{"label":"%s","result":%s}\n' "$label" "$result" >> "$lines"
    rm -rf "$folder_of/checkpoint.bpk" "$folder_of/last"
}

# The radius of a method with the better figure on the part to choose by.
better() {
    python3 - "$lines" "$1" <<'PYTHON'
import json, sys
runs = [json.loads(line) for line in open(sys.argv[1])]
runs = [run for run in runs if run["label"].startswith(sys.argv[2] + " ") and run["result"]["seed"] == 0]
print(max(runs, key=lambda run: run["result"]["best"]["validation"]["clean"])["label"].split()[-1])
PYTHON
}

run standard 0 --method standard
for method in random fgm vat; do
    for eps in 1 5; do
        run "$method eps $eps" 0 --method "$method" --eps "$eps"
    done
done
for seed in 1 2; do
    run standard "$seed" --method standard
    for method in random fgm vat; do
        eps=$(better "$method")
        run "$method eps $eps" "$seed" --method "$method" --eps "$eps"
    done
done
