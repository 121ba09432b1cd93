#!/usr/bin/env bash
# Speed and memory of the release binary as ratios to floors measured in the same run: a table on standard output, the numbers in
# tests/artifacts/bench.json.
#
#   tests/bench/run.sh [--large] [--seconds N] [--only TEXT]
#
# --large measures twice, the second time on 100,000 people and 1,000,000 grants. PostgreSQL is started with fsync off, so its rows
# say what the program costs and not what a disk does.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/packages.sh

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
need_rust
need_packages "${build_packages[@]}" wrk=wrk postgresql redis-server=redis-server
cargo build --release --locked -p propusk
cargo build --release --locked -p propusk-tests --bin bench

if [ -z "${PROPUSK_TEST_POSTGRES:-}" ] || [ -z "${PROPUSK_TEST_REDIS:-}" ]; then
    services=$(mktemp -d)
    trap 'tests/services.sh stop "$services/run"; rm -rf "$services"' EXIT
    # PostgreSQL runs as a user of its own and must be able to pass through.
    chmod 711 "$services"
    lines=$(tests/services.sh start "$services/run")
    while IFS='=' read -r name value; do export "$name=$value"; done <<<"$lines"
fi
"$target/release/bench" --binary "$target/release/propusk" "$@"
