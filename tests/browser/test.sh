#!/usr/bin/env bash
# The pages in headless Chromium, once on SQLite and once on PostgreSQL with Redis.
#
#   PROPUSK_TEST_BINARY   the binary to start; by default the debug one of this workspace
#   PROPUSK_TEST_POSTGRES, PROPUSK_TEST_REDIS   addresses of the services
#
# Arguments: `sqlite` or `postgres` for one of the two alone. Screenshots go to tests/artifacts/browser. The last line is
# "N passed, N failed"; a test that was skipped counts as failed. Exit codes: 0 all passed, 1 something failed, 2 wrong usage.
set -euo pipefail
cd "$(dirname "$0")"

case ${1:-both} in
both) backends=(sqlite postgres) ;;
sqlite | postgres) backends=("$1") ;;
*) echo "usage: tests/browser/test.sh [sqlite|postgres]" >&2; exit 2 ;;
esac

export PROPUSK_TEST_BINARY=${PROPUSK_TEST_BINARY:-${CARGO_TARGET_DIR:-$PWD/../../target}/debug/propusk}
[ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --no-audit --no-fund

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0

# count NAME FILE: the number that the summary of a TAP file gives.
count() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$2" | tail -n 1; }

for backend in "${backends[@]}"; do
    echo "--- Chromium against $backend"
    status=0
    PROPUSK_TEST_BACKEND=$backend node --test-reporter=spec --test-reporter-destination=stdout \
        --test-reporter=tap --test-reporter-destination="$scratch/$backend.tap" suite.mjs || status=$?
    good=$(count pass "$scratch/$backend.tap") all=$(count tests "$scratch/$backend.tap")
    # A run that ended early has no summary, or one without tests.
    if [ "${good:-0}" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$good" -eq "$all" ]; }; then failed=$((failed + 1)); fi
    passed=$((passed + ${good:-0}))
    failed=$((failed + ${all:-0} - ${good:-0}))
done

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
