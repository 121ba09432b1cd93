#!/usr/bin/env bash
# kill -9 under load, again and again, on SQLite and on PostgreSQL with Redis; what is checked after each kill is written at the
# beginning of tests/src/bin/crash/main.rs. The last line is `N passed, N failed`.
#
#   tests/crash/run.sh [--rounds N]     30 rounds unless told otherwise
#
# Uses PROPUSK_TEST_BINARY, PROPUSK_TEST_POSTGRES and PROPUSK_TEST_REDIS where they are set, builds and starts what is missing.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/packages.sh

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
need_rust

if [ -z "${PROPUSK_TEST_BINARY:-}" ]; then
    need_packages "${build_packages[@]}"
    cargo build --release --locked -p propusk
    export PROPUSK_TEST_BINARY=$target/release/propusk
fi
if [ -z "${PROPUSK_TEST_POSTGRES:-}" ] || [ -z "${PROPUSK_TEST_REDIS:-}" ]; then
    need_packages postgresql redis-server=redis-server
    services=$(mktemp -d)
    trap 'tests/services.sh stop "$services/run"; rm -rf "$services"' EXIT
    # PostgreSQL runs as a user of its own and must be able to pass through.
    chmod 711 "$services"
    lines=$(tests/services.sh start "$services/run")
    while IFS='=' read -r name value; do export "$name=$value"; done <<<"$lines"
fi
cargo build --locked -p propusk-tests --bin crash
"$target/debug/crash" --binary "$PROPUSK_TEST_BINARY" "$@"
