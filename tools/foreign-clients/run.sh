#!/usr/bin/env bash
# Runs other people's client libraries against the replay gateway, each from its registry in a folder
# that is thrown away. Prints a table; fails if a client did not log in, lost an event, or did not
# resume after op 7 and after a reset. Needs cargo, python3 with venv, node with npm, the network.
#
#   tools/foreign-clients/run.sh [FOLDER]     FOLDER is kept, and used again if it is there
#   ONLY=hikari tools/foreign-clients/run.sh  one of them
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
if [ $# -gt 0 ]; then
    folder=$1
    mkdir -p "$folder"
else
    folder=$(mktemp -d)
    trap 'rm -rf "$folder"' EXIT
fi
# Its first part is the bot's id in base64: hikari reads it.
export TOKEN=MTIxNjQ0OTg3Njc3NzIwOTQ3Mg.foreign.token EVENTS=${EVENTS:-1000} SECONDS_MAX=${SECONDS_MAX:-30}

(cd "$root" && cargo build --quiet -p replay-gateway)
gateway=${CARGO_TARGET_DIR:-$root/target}/debug/replay-gateway
if [ ! -x "$folder/venv/bin/python" ]; then
    python3 -m venv "$folder/venv"
    "$folder/venv/bin/pip" install --quiet discord.py hikari zstandard backports.zstd
fi
if [ ! -d "$folder/node_modules" ]; then
    # The zlib-sync of the registry compiles C++; without a compiler its line says so.
    (cd "$folder" && npm init -y >/dev/null && npm install --silent --no-audit --no-fund \
        @discordjs/ws @discordjs/rest && { npm install --silent --no-audit --no-fund zlib-sync ||
        echo "zlib-sync is not to be had here"; }) >&2
fi
cp "$here"/*.py "$here"/*.mjs "$folder"

runs=$folder/runs
rm -rf "$runs" && mkdir -p "$runs"
number=0
# run NAME COMPRESSION COMMAND…: a gateway of its own, then the client.
run() {
    local name=$1 compression=$2
    shift 2
    [[ $name == *${ONLY:-}* ]] || return 0
    number=$((number + 1))
    local out
    out=$runs/$(printf '%02d' "$number")-$name-$compression
    mkdir -p "$out"
    # The second fault comes long after what the first one made it miss.
    printf '%s with %s …\n' "$name" "$compression" >&2
    mkfifo "$out/stdin"
    "$gateway" --tls --tls-ca-out "$out/ca.pem" --token "$TOKEN" --rate 150 --guilds 3 \
        --heartbeat-interval 10000 --demand-user-agent --json --exit-on-stdin \
        --fault '{"shard": 0, "connection": 1, "at": {"events": 120}, "do": "reconnect"}' \
        --fault '{"shard": 0, "connection": 2, "at": {"events": 700}, "do": "reset"}' \
        <"$out/stdin" >"$out/gateway.out" 2>"$out/gateway.err" &
    local pid=$!
    exec 9>"$out/stdin"
    until grep -q '^listening' "$out/gateway.out" 2>/dev/null; do sleep 0.05; done
    local url
    url=$(sed -n 's/^listening ws//p' "$out/gateway.out")
    (cd "$folder" && GATEWAY_HTTP="http$url" COMPRESSION=$compression SSL_CERT_FILE="$out/ca.pem" \
        NODE_EXTRA_CA_CERTS="$out/ca.pem" timeout 120 "$@") \
        >"$out/client.out" 2>"$out/client.err" 9>&- || true
    exec 9>&-
    wait "$pid" || true
    rm -f "$out/stdin"
}

python=$folder/venv/bin/python
run discord.py zlib "$python" discord_py_client.py
run discord.py zstd "$python" discord_py_client.py
run hikari zlib "$python" hikari_client.py
run hikari zstd "$python" hikari_client.py
run discordjs none node discordjs_client.mjs
run discordjs payload node discordjs_client.mjs
run discordjs native node discordjs_client.mjs
run discordjs zlib-sync node discordjs_client.mjs
"$python" "$here/table.py" "$runs"
