#!/usr/bin/env bash
# What `make test` does: installs and starts what the tests need, on free loopback ports and in directories of its own, runs
# everything, and fails if anything failed or was skipped. Prints how long each stage took.
#
# A suite that is not Rust is an executable tests/*/test.sh; it finds PROPUSK_TEST_POSTGRES, PROPUSK_TEST_REDIS (addresses) and
# PROPUSK_TEST_BINARY (the release binary) in its environment.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh

target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
scratch=$(mktemp -d)
# PostgreSQL runs as a user of its own and must be able to pass through.
chmod 711 "$scratch"
timings=
export PROPUSK_TEST_BINARY=$target/release/propusk
# Debian's chromium is used; the packages of the suites must not fetch another.
export PUPPETEER_SKIP_DOWNLOAD=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 CARGO_TERM_COLOR=never

# Node 18, which is Debian 12's, has the Web Cryptography that the clients need behind a switch.
offer_web_crypto() {
    if ! node -e 'process.exit(globalThis.crypto ? 0 : 1)'; then export NODE_OPTIONS=--experimental-global-webcrypto; fi
}

clean_up() {
    local status=$?
    tests/services.sh stop "$scratch/services" || true
    if [ $status -ne 0 ]; then
        echo "FAILED (status $status). Logs of the servers:" >&2
        tail -n 20 "$scratch"/*/server.log 2>/dev/null >&2 || true
    fi
    rm -rf "$scratch"
}

fail() { echo "tests/run.sh: $*" >&2; exit 1; }

# stage NAME COMMAND…
stage() {
    local name=$1 started=$SECONDS
    shift
    printf '\n=== %s\n' "$name"
    "$@"
    timings+=$(printf '%6d s  %s' $((SECONDS - started)) "$name")$'\n'
}

install_packages() {
    need_rust
    need_packages "${build_packages[@]}" curl=curl git=git openssl=openssl \
        postgresql redis-server=redis-server nginx=/usr/sbin/nginx systemd=systemd-analyze \
        chromium=chromium nodejs=node npm=npm python3-venv
}

install_clients() {
    local lock requirements
    for lock in tests/*/package-lock.json; do
        [ "${lock%/*}/node_modules/.package-lock.json" -nt "$lock" ] || npm ci --prefix "${lock%/*}" --no-audit --no-fund
    done
    offer_web_crypto
    [ -x tests/.venv/bin/python ] || python3 -m venv tests/.venv
    for requirements in tests/*/requirements.txt; do
        if ! cmp -s "$requirements" "tests/.venv/$(basename "${requirements%/*}").installed"; then
            tests/.venv/bin/pip install --quiet --disable-pip-version-check -r "$requirements"
            cp "$requirements" "tests/.venv/$(basename "${requirements%/*}").installed"
        fi
    done
}

start_services() {
    local lines name value
    lines=$(tests/services.sh start "$scratch/services")
    while IFS='=' read -r name value; do export "$name=$value"; done <<<"$lines"
    [ -n "${PROPUSK_TEST_POSTGRES:-}" ] && [ -n "${PROPUSK_TEST_REDIS:-}" ] || fail "a service was not started"
}

build() {
    cargo build --release --locked -p propusk
    # The suite runs the binary of its own profile.
    cargo build --locked -p propusk
}

rust_tests() {
    cargo test --workspace --locked --no-fail-fast 2>&1 | tee "$scratch/cargo.log"
    if grep -E '^test result: .* [1-9][0-9]* ignored' "$scratch/cargo.log"; then fail "tests were skipped"; fi
    if grep -E '^test result: .* [1-9][0-9]* filtered out' "$scratch/cargo.log"; then fail "tests were left out"; fi
}

other_suites() {
    local suite
    for suite in tests/*/test.sh; do
        [ -e "$suite" ] || continue
        echo "--- $suite"
        "$suite"
    done
}

trap clean_up EXIT
stage 'packages' install_packages
stage 'npm and Python clients' install_clients
stage 'PostgreSQL and Redis' start_services
stage 'build' build
stage 'Rust tests' rust_tests
stage 'other suites' other_suites

printf '\n=== where the time went\n%s' "$timings"
printf '\n=== the Rust tests, together\n'
awk '/^test result/ { passed += $4; failed += $6 } END { printf "%d passed, %d failed\n", passed, failed }' "$scratch/cargo.log"
