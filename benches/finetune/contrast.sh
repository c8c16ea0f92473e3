#!/usr/bin/env bash
# SimCSE and both forms of USCAL from two starts, three seeds each (docs/results/sentences.md has the tables): all-MiniLM-L6-v2 as it is,
# and the same after 2000 updates of masked-LM training, so that there is something to gain. Each finished run is one line of JSON in
# LINES at once; the same command goes on where it was, and several may work on one queue.
#
#   ADV_MODEL_DIR=... ADV_DATA_DIR=... benches/finetune/contrast.sh LINES FOLDER
#
# LINES: the file of results. FOLDER: the run folders, and the locks. The program: $ADV, or target/release/adv. TAKE: how many sentences a
# run learns from. VALIDATE: mini-batches between two validations. DEVICE: where runs learn. STARTS: one of them, or both.
set -euo pipefail
lines=$1 folder=$2
adv=${ADV:-target/release/adv}
model=$ADV_MODEL_DIR/all-MiniLM-L6-v2
corpus=$ADV_DATA_DIR/corpus/sentences.tsv.gz
words=$folder/vectors-mlm
take=${TAKE:-6400}
validate=${VALIDATE:-25}
device=${DEVICE:-flex}
starts=${STARTS:-after-mlm minilm}
mkdir -p "$(dirname "$lines")" "$folder"

# The second start: one worker makes it, others wait.
if [[ $starts == *after-mlm* ]]; then
    exec 8> "$words.lock"
    flock 8
    if [ ! -e "$words/result.json" ]; then
        if [ -e "$words/spec.toml" ]; then
            "$adv" train --resume "$words" --json
        else
            "$adv" train --method mlm --model-dir "$model" --train-file "$corpus" --columns 2 --take 32000 --updates 2000 --batch 16 \
                --max-length 32 --lr 5e-5 --device "$device" --out "$words" --json
        fi
    fi
    flock -u 8
fi

# The starts themselves, measured once.
for start in $starts; do
    [ "$start" = minilm ] && from=$model || from=$words/best
    exec 9> "$folder/vectors-$start.lock"
    flock --nonblock 9 || continue
    grep -qsF "{\"label\":\"$start, untrained\"" "$lines" && continue
    result=$("$adv" sts --model-dir "$from" --pooling mean --device "$device" --json)
    dev=$("$adv" sts --model-dir "$from" --pooling mean --tasks STSB-dev --geometry --device "$device" --json)
    printf '{"label":"%s, untrained","sts":%s,"dev":%s}\n' "$start" "$result" "$dev" >> "$lines"
done

# The radius is the better of 0.1 and 0.3 on the STS benchmark's dev part after 20 mini-batches with seed 100.
methods=(
    "simcse|--method simcse"
    "uscal, article|--method uscal --eps 0.3"
    "uscal, anchored|--method uscal --form anchored --eps 0.3"
)
for seed in 0 1 2; do
    for start in $starts; do
        [ "$start" = minilm ] && from=$model || from=$words/best
        for entry in "${methods[@]}"; do
            label="$start, ${entry%%|*}" flags=${entry#*|}
            run=$folder/vectors-$seed-$(tr -c 'a-z0-9\n' '-' <<< "$label")
            exec 9> "$run.lock"
            flock --nonblock 9 || continue
            grep -qsF "{\"label\":\"$label\",\"result\":{\"run\":\"$run\"" "$lines" && continue
            if [ -e "$run/spec.toml" ]; then
                result=$("$adv" train --resume "$run" --json | tail -n 1)
            else
                # shellcheck disable=SC2086
                result=$("$adv" train --model-dir "$from" --train-file "$corpus" --columns 2 $flags --take "$take" --pooling mean \
                    --validate-every "$validate" --device "$device" --seed "$seed" --out "$run" --json | tail -n 1)
            fi
            curve=$(python3 -c 'import csv,json,sys; print(json.dumps([[int(r["step"]), float(r["clean_spearman"])] for r in csv.DictReader(open(sys.argv[1])) if r["clean_spearman"]]))' "$run/metrics.csv")
            printf '{"label":"%s","result":%s,"curve":%s}\n' "$label" "$result" "$curve" >> "$lines"
            rm -rf "$run/checkpoint.bpk" "$run/last"
        done
    done
done
