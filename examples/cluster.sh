#!/bin/sh
# A cluster of three nodes with certificates, on this host: `sh examples/cluster.sh [DIR]`. Ctrl-C ends it; what was changed is
# there again at the next start. Needs `tidegate` in the PATH, or its path in TIDEGATE.
set -eu

tidegate=${TIDEGATE:-tidegate}
folder=${1:-cluster}
# Three ports for HTTP, then three between the nodes.
set -- ${PORTS:-8081 8082 8083 7401 7402 7403}

mkdir -p "$folder"
cd "$folder"
[ -d certs ] || "$tidegate" cluster init certs "a=127.0.0.1:$4" "b=127.0.0.1:$5" "c=127.0.0.1:$6" >/dev/null 2>&1

serve() {
    "$tidegate" serve --name "$1" --data-dir "$1" --certificates "certs/$1" --listen "127.0.0.1:$2" \
        --cluster-listen "127.0.0.1:$3" --peer "127.0.0.1:$4" --peer "127.0.0.1:$5" &
    nodes="${nodes:-} $!"
}

end() {
    # The nodes that this script has started, by their ids.
    kill $nodes 2>/dev/null || true
}

trap end EXIT
trap 'exit 0' INT TERM
serve a "$1" "$4" "$5" "$6"
serve b "$2" "$5" "$4" "$6"
serve c "$3" "$6" "$4" "$5"
echo "change a flag on one:  $tidegate percentage new_checkout 20 --create --server http://127.0.0.1:$1"
echo "see it on another:     $tidegate flags --server http://127.0.0.1:$3"
echo "see the nodes:         $tidegate cluster status --server http://127.0.0.1:$2"
wait
