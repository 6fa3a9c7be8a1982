#!/usr/bin/env bash
# A sweep as an array of jobs, and a merge that waits for them.
#
#   OUT=/shared/space.jsonl SHARDS=64 benches/cluster/slurm.sh --all --measures log-synflow,naswot
#
# Arguments are those of `etnas-fast score` but for --shard, --format, -o and --resume. Without sbatch (or with SLURM=no) the shards run here one
# after the other; any other scheduler runs `STEP=shard SHARD=I` for I = 1 … SHARDS, and `STEP=merge` after them. Started again it goes on where
# each shard's file ends, so a job that was killed or requeued loses a chunk at most.
#
#   OUT       the file of the whole (required); shards stand beside it as OUT.I-N
#   SHARDS    how many (default 8; of few cells a shard may have none)
#   ETNAS     the program (default etnas-fast)
#   SBATCH    more options for sbatch's array, such as "--gpus=1 --cpus-per-task=8 --time=1:00:00"
#   MERGE     more options of `etnas-fast merge`, such as --allow-mixed
set -euo pipefail

: "${OUT:?OUT names the file of the whole sweep.}"
shards=${SHARDS:-8}
etnas=${ETNAS:-etnas-fast}
[[ $shards =~ ^[1-9][0-9]*$ ]] || { echo "SHARDS: expected a whole number of at least 1, found $shards." >&2; exit 2; }

shard() {
    "$etnas" score "${@:2}" --shard "$1/$shards" --format jsonl -o "$OUT.$1-$shards" --resume --quiet
}

merge() {
    local files=() i
    for ((i = 1; i <= shards; i++)); do files+=("$OUT.$i-$shards"); done
    # Several options in one variable: it is split on purpose.
    # shellcheck disable=SC2086
    "$etnas" merge "${files[@]}" -o "$OUT" --force --quiet ${MERGE:-}
}

case ${STEP:-submit} in
    shard)
        # An array's numbers begin at 0.
        number=${SHARD:-$((${SLURM_ARRAY_TASK_ID:?STEP=shard needs SHARD or SLURM_ARRAY_TASK_ID.} + 1))}
        shard "$number" "$@"
        ;;
    merge)
        merge
        ;;
    submit)
        if [ "${SLURM:-yes}" = no ] || ! command -v sbatch > /dev/null; then
            for ((i = 1; i <= shards; i++)); do shard "$i" "$@"; done
            merge
            exit
        fi
        export OUT SHARDS=$shards ETNAS=$etnas MERGE=${MERGE:-}
        # shellcheck disable=SC2086
        array=$(STEP=shard sbatch --parsable --export=ALL --requeue --array="0-$((shards - 1))" --job-name=etnas ${SBATCH:-} "$0" "$@")
        # "id;cluster" where there are several clusters.
        STEP=merge sbatch --parsable --export=ALL --dependency="afterok:${array%%;*}" --job-name=etnas-merge "$0"
        ;;
    *)
        echo "STEP: expected shard, merge or submit, found $STEP." >&2
        exit 2
        ;;
esac
