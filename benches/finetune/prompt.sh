#!/usr/bin/env bash
# PromptBERT from two starts, three seeds each: all-MiniLM-L6-v2 as it is, and after masked-LM training (the start that contrast.sh makes
# in FOLDER/vectors-mlm). Two templates or one, with denoising and without, and with an adversarial view. Each finished run is one line of
# JSON in LINES at once; the same command goes on where it was, and several may work on one queue.
#
#   ADV_MODEL_DIR=... ADV_DATA_DIR=... benches/finetune/prompt.sh LINES FOLDER
#
# LINES: the file of results. FOLDER: the run folders, and the locks. The program: $ADV, or target/release/adv. TAKE: how many
# sentences a run learns from. VALIDATE: mini-batches between two validations. DEVICE: where runs learn. STARTS: one of them, or both.
set -euo pipefail
lines=$1 folder=$2
adv=${ADV:-target/release/adv}
model=$ADV_MODEL_DIR/all-MiniLM-L6-v2
corpus=$ADV_DATA_DIR/corpus/sentences.tsv.gz
words=$folder/vectors-mlm/best
take=${TAKE:-3200}
validate=${VALIDATE:-25}
device=${DEVICE:-flex}
starts=${STARTS:-after-mlm minilm}
one='This sentence of "[X]" means[MASK].'
mkdir -p "$(dirname "$lines")" "$folder"
[[ $starts != *after-mlm* || -d "$words" ]] || { echo "no $words: run contrast.sh first, with the same FOLDER"; exit 1; }

for start in $starts; do
    [ "$start" = minilm ] && from=$model || from=$words
    exec 9> "$folder/prompt-$start.lock"
    flock --nonblock 9 || continue
    grep -qsF "{\"label\":\"$start, untrained prompt\"" "$lines" && continue
    result=$("$adv" sts --model-dir "$from" --prompt "$one" --device "$device" --json)
    dev=$("$adv" sts --model-dir "$from" --prompt "$one" --tasks STSB-dev --geometry --device "$device" --json)
    printf '{"label":"%s, untrained prompt","sts":%s,"dev":%s}\n' "$start" "$result" "$dev" >> "$lines"
done

# Names, methods, and whether there is one template.
methods=(
    "promptbert|--method promptbert|two"
    "promptbert, not denoised|--method promptbert --denoising off|two"
    "promptbert, one template|--method promptbert|one"
    "promptbert, uscal anchored|--method uscal --form anchored --eps 0.3|both"
)
for seed in 0 1 2; do
    for start in $starts; do
        [ "$start" = minilm ] && from=$model || from=$words
        for entry in "${methods[@]}"; do
            IFS='|' read -r name flags templates <<< "$entry"
            prompts=()
            case $templates in
                one) prompts=(--prompt "$one") ;;
                both) prompts=(--prompt "$one" --prompt 'This sentence : "[X]" means[MASK].') ;;
            esac
            label="$start, $name"
            run=$folder/prompt-$seed-$(tr -c 'a-z0-9\n' '-' <<< "$label")
            exec 9> "$run.lock"
            flock --nonblock 9 || continue
            grep -qsF "{\"label\":\"$label\",\"result\":{\"run\":\"$run\"" "$lines" && continue
            if [ -e "$run/spec.toml" ]; then
                result=$("$adv" train --resume "$run" --json | tail -n 1)
            else
                # shellcheck disable=SC2086
                result=$("$adv" train --model-dir "$from" --train-file "$corpus" --columns 2 $flags ${prompts[@]+"${prompts[@]}"} \
                    --take "$take" --batch 64 --lr 3e-5 --validate-every "$validate" --device "$device" --seed "$seed" --out "$run" --json | tail -n 1)
            fi
            curve=$(python3 -c 'import csv,json,sys; print(json.dumps([[int(r["step"]), float(r["clean_spearman"])] for r in csv.DictReader(open(sys.argv[1])) if r["clean_spearman"]]))' "$run/metrics.csv")
            printf '{"label":"%s","result":%s,"curve":%s}\n' "$label" "$result" "$curve" >> "$lines"
            rm -rf "$run/checkpoint.bpk" "$run/last"
        done
    done
done
