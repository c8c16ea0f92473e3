#!/usr/bin/env bash
# Fine-tunes all-MiniLM-L6-v2 with every method on four tasks (docs/results/text.md has the tables). Each finished run is one line of
# JSON in LINES at once; the same command goes on where it was, and several may work on one queue.
#
#   ADV_MODEL_DIR=... ADV_DATA_DIR=... benches/finetune/run.sh LINES FOLDER
#
# LINES: the file of results. FOLDER: the run folders, and the locks. The program: $ADV, or target/release/adv.
set -euo pipefail
lines=$1 folder=$2
adv=${ADV:-target/release/adv}
model=$ADV_MODEL_DIR/all-MiniLM-L6-v2
mkdir -p "$folder" "$(dirname "$lines")"

# Radius and step of each family, the better of 0.05 with 0.02 and 0.1 with 0.04 on the part of SST-2 to choose by. YOPO's inner step is
# once as long as FreeLB's, and once such that the inner steps of a pass make up one of them.
near="--eps 0.05 --step 0.02" far="--eps 0.1 --step 0.04"
methods=(
    "standard|--method standard"
    "fgm|--method fgm --eps 0.05"
    "pgd-3|--method pgd --steps 3 $near"
    "freeat-3|--method freeat --m 3 $near"
    "yopo-3-2, inner step 0.02|--method yopo --m 3 --n-inner 2 --eps 0.1 --step 0.02"
    "yopo-3-2, inner step 0.04|--method yopo --m 3 --n-inner 2 $far"
    "yopo-3-3, inner step 0.013|--method yopo --m 3 --n-inner 3 --eps 0.1 --step 0.0133"
    "yopo-3-3, inner step 0.04|--method yopo --m 3 --n-inner 3 $far"
    "freelb-3|--method freelb --steps 3 $far"
    "freelb-3, fresh masks|--method freelb --steps 3 $far --masks fresh"
    "smart|--method smart"
    "r3f|--method r3f"
)

# Task, training rows, epochs, seeds.
tasks=(
    "sst2-sentences 640 3 0" "sick-e 640 3 0" "sst2-sentences 640 3 1" "sick-e 640 3 1" "sst2-sentences 640 3 2"
    "sick-e 640 3 2" "rte 640 3 0" "mrpc 640 3 0"
)

for task in "${tasks[@]}"; do
    read -r name take epochs seed <<< "$task"
    for entry in "${methods[@]}"; do
        label=${entry%%|*} flags=${entry#*|}
        run=$folder/$name-$seed-$(tr -c 'a-z0-9\n' '-' <<< "$label")
        exec 9> "$run.lock"
        flock --nonblock 9 || continue
        # A finished run whose line was lost with a kill is asked for its result again.
        grep -qsF "{\"label\":\"$label\",\"result\":{\"run\":\"$run\"" "$lines" && continue
        # A mini-batch is worth three updates to FreeAT; the epochs above are multiples of three.
        [[ $label == freeat* ]] && epochs_here=$((epochs / 3)) || epochs_here=$epochs
        if [ -e "$run/spec.toml" ]; then
            result=$("$adv" train --resume "$run" --json | tail -n 1)
        else
            # shellcheck disable=SC2086
            result=$("$adv" train --model-dir "$model" --task "$name" $flags --take "$take" --epochs "$epochs_here" \
                --lr 1e-4 --batch 16 --seed "$seed" --n 100 --eval-eps 0.05,0.1,0.2 --out "$run" --json | tail -n 1)
        fi
        printf '{"label":"%s","result":%s}\n' "$label" "$result" >> "$lines"
        rm -rf "$run/checkpoint.bpk" "$run/last"
    done
done
