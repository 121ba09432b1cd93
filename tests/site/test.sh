#!/usr/bin/env bash
# The sample site: its own tests, then `make demo` with a person in headless Chromium who walks through all of it.
#
#   PROPUSK_TEST_BINARY   the binary to start; by default the debug one of this workspace
#
# Screenshots go to tests/artifacts/site. The last line is "N passed, N failed"; a test that was skipped counts as failed.
# Exit codes: 0 all passed, 1 something failed.
set -euo pipefail
cd "$(dirname "$0")"

target=${CARGO_TARGET_DIR:-$PWD/../../target}
export DEMO_PROPUSK=${PROPUSK_TEST_BINARY:-$target/debug/propusk}
export DEMO_PYTHON=${DEMO_PYTHON:-$PWD/../.venv/bin/python} PYTHONDONTWRITEBYTECODE=1
browser=../browser
[ $browser/node_modules/.package-lock.json -nt $browser/package-lock.json ] || npm ci --prefix $browser --no-audit --no-fund
cargo build --locked --quiet -p propusk-tests --bin chat

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export DEMO_DATA=$scratch/demo SITE_DATA=$scratch/site DEMO_CHAT=$scratch/chat DEMO_CHAT_HEADERS=$scratch/chat.headers
# The stand-in, with what the tests put in front of it.
printf '#!/bin/sh\nexec "%s" "$@" --proxy-headers "%s"\n' "$target/debug/chat" "$DEMO_CHAT_HEADERS" >"$DEMO_CHAT"
chmod +x "$DEMO_CHAT"
passed=0 failed=0

# add ALL GOOD STATUS: counts a run; one that ended early, or badly without a bad test, is a failure.
add() {
    local all=${1:-0} good=${2:-0} status=$3
    if [ "$good" -eq 0 ] || { [ "$status" -ne 0 ] && [ "$good" -eq "$all" ]; }; then failed=$((failed + 1)); fi
    passed=$((passed + good))
    failed=$((failed + all - good))
}

echo '--- the site by itself'
status=0
"$DEMO_PYTHON" -W error::DeprecationWarning ../../deploy/site/manage.py test --noinput community >"$scratch/django.log" 2>&1 || status=$?
all=$(sed -n 's/^Ran \([0-9]*\) tests\{0,1\} in .*/\1/p' "$scratch/django.log")
bad=$(sed -n 's/^FAILED (\(.*\))$/\1/p; s/^OK (\(.*\))$/\1/p' "$scratch/django.log" | tr -c '0-9\n' ' ' | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { print sum + 0 }')
[ "$status" -eq 0 ] || tail -n 60 "$scratch/django.log"
add "${all:-0}" $((${all:-0} - bad)) "$status"

echo '--- Chromium against make demo'
status=0
node --test-reporter=spec --test-reporter-destination=stdout --test-reporter=tap --test-reporter-destination="$scratch/walk.tap" walk.mjs || status=$?
count() { sed -n "s/^# $1 \([0-9]*\)$/\1/p" "$scratch/walk.tap" | tail -n 1; }
add "$(count tests)" "$(count pass)" "$status"
[ "$status" -eq 0 ] || tail -n 20 "$DEMO_DATA"/*.log || true

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
