#!/usr/bin/env bash
# Writes crates/cli/functions.order: the functions that the service runs at its start, then those that answer requests, each in the order
# in which the linker would lay them anyway. The linker puts them side by side (crates/cli/build.rs), so that they are resident and not,
# with their neighbours, most of the program. The names hold hashes of the versions of all dependencies and of the compiler, so record again
# after either changed; a name that no longer exists is passed over.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/packages.sh
need_rust
need_packages "${build_packages[@]}" valgrind=valgrind binutils=nm curl=curl

target=${CARGO_TARGET_DIR:-target}
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
cargo rustc --release --locked -p propusk -- -C strip=none
cp "$target/release/propusk" "$scratch/propusk"
cargo build --release --locked -p propusk-tests --bin bench

while port=$((10000 + RANDOM % 22000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
export PROPUSK__HTTP__LISTEN=127.0.0.1:$port PROPUSK__ISSUER=http://127.0.0.1:$port PROPUSK__DATABASE__URL=sqlite:$scratch/propusk.db

# The first start creates database and keys, the second finds them.
for start in first second; do
    valgrind --tool=callgrind --demangle=no --callgrind-out-file="$scratch/$start" "$scratch/propusk" serve >"$scratch/log" 2>&1 &
    server=$!
    for _ in $(seq 600); do
        curl -fsS -o /dev/null --max-time 5 "$PROPUSK__ISSUER/readyz" 2>/dev/null && break
        kill -0 "$server" || { cat "$scratch/log" >&2; exit 1; }
        sleep 0.2
    done
    # What the threads of the background do in their first round belongs to the start.
    sleep 10
    kill "$server"
    wait "$server" || true
    server=
done

# Every row of the benchmark once. It ends its server without a farewell, so the record is asked for now and then.
cat >"$scratch/recorded" <<RECORDED
#!/bin/sh
exec valgrind --tool=callgrind --demangle=no --callgrind-out-file="$scratch/load.%p" "$scratch/propusk" "\$@"
RECORDED
chmod +x "$scratch/recorded"
"$target/release/bench" --binary "$scratch/recorded" --seconds 1 --sqlite &
server=$!
while sleep 2 && kill -0 "$server" 2>/dev/null; do timeout 10 callgrind_control --dump >/dev/null 2>&1 || true; done
wait "$server"
server=

# names FILE…: what ran. It is told as fn=(id) name, where the name is met first; a recursive call by a quote and a number behind it.
names() { sed -nE "s/^c?fn=\([0-9]+\) (.+)$/\1/p" "$@" | sed "s/'[0-9]*$//" | LC_ALL=C sort -u; }
names "$scratch/first" "$scratch/second" >"$scratch/start"
names "$scratch"/load.* | LC_ALL=C comm -13 "$scratch/start" - >"$scratch/serving"
# laid FILE: the names in it that the program has, as they lie now.
laid() { nm --defined-only -n "$scratch/propusk" | awk 'NR == FNR { run[$1]; next } $2 ~ /^[tTwW]$/ && ($3 in run) && !seen[$3]++ { print $3 }' "$1" -; }
{
    echo '# Written by tests/bench/order.sh: the functions of a start, then those of requests, which the linker lays side by side.'
    laid "$scratch/start"
    laid "$scratch/serving"
} >crates/cli/functions.order
wc -l crates/cli/functions.order
