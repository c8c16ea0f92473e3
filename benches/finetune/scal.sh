#!/usr/bin/env bash
# SCAL beside standard training and FreeLB, three seeds each: on SST-2's sentences, and on inference in three classes (SICK-E and SNLI)
# with adversarially changed rows to test on (docs/results/sentences.md has the tables). Each finished run is one line of JSON in LINES at
# once; the same command goes on where it was, and several may work on one queue.
#
#   ADV_MODEL_DIR=... ADV_DATA_DIR=... benches/finetune/scal.sh LINES FOLDER
#
# LINES: the file of results. FOLDER: the run folders, and the locks. The program: $ADV, or target/release/adv. ANLI_DIR: a folder with
# files of ANLI, to be measured too.
set -euo pipefail
lines=$1 folder=$2
here=$(dirname "$0")
adv=${ADV:-target/release/adv}
model=$ADV_MODEL_DIR/all-MiniLM-L6-v2
nli=$folder/nli
mkdir -p "$(dirname "$lines")" "$folder"
python3 "$here/nli.py" make "$nli"

# The radii of FreeLB as in run.sh.
methods=(
    "standard|--method standard"
    "freelb-3|--method freelb --steps 3 --eps 0.1 --step 0.04"
    "scal 0.05|--method scal --eps 0.05"
    "scal 0.1|--method scal --eps 0.1"
    "scal 0.3|--method scal --eps 0.3"
)
for seed in 0 1 2; do
    for task in nli sst2-sentences; do
        case $task in
            nli) data=(--train-file "$nli/train.tsv" --dev-file "$nli/dev.tsv" --test-file "$nli/test.tsv"
                --columns "premise,hypothesis,label" --take 1280) ;;
            *) data=(--task "$task" --take 640) ;;
        esac
        for entry in "${methods[@]}"; do
            label=${entry%%|*} flags=${entry#*|}
            # These lines are in the table of run.sh.
            [[ $task == sst2-sentences && $label != scal* ]] && continue
            run=$folder/scal-$task-$seed-$(tr -c 'a-z0-9.\n' '-' <<< "$label")
            exec 9> "$run.lock"
            flock --nonblock 9 || continue
            grep -qsF "{\"label\":\"$label\",\"task\":\"$task\",\"seed\":$seed," "$lines" && continue
            if [ -e "$run/spec.toml" ]; then
                result=$("$adv" train --resume "$run" --json | tail -n 1)
            else
                # shellcheck disable=SC2086
                result=$("$adv" train --model-dir "$model" "${data[@]}" $flags --epochs 3 --lr 1e-4 --batch 16 --seed "$seed" --n 100 \
                    --eval-eps 0.05,0.1,0.2 --out "$run" --json | tail -n 1)
            fi
            others=null
            [ "$task" = nli ] && others=$(python3 "$here/nli.py" score "$nli" "$run" "$adv")
            printf '{"label":"%s","task":"%s","seed":%s,"result":%s,"others":%s}\n' "$label" "$task" "$seed" "$result" "$others" >> "$lines"
            rm -rf "$run/checkpoint.bpk" "$run/last"
        done
    done
done
