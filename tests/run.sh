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
children=()
export PROPUSK_TEST_BINARY=$target/release/propusk
# Debian's chromium is used; the packages of the suites must not fetch another.
export PUPPETEER_SKIP_DOWNLOAD=1 PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 CARGO_TERM_COLOR=never

# Node 18, which is Debian 12's, has the Web Cryptography that the clients need behind a switch.
offer_web_crypto() {
    if ! node -e 'process.exit(globalThis.crypto ? 0 : 1)'; then export NODE_OPTIONS=--experimental-global-webcrypto; fi
}

# Ends what was started, by process id, in reverse.
clean_up() {
    local status=$?
    end_children
    tests/services.sh stop "$scratch/services" || true
    if [ $status -ne 0 ]; then
        echo "FAILED (status $status). Logs of the servers:" >&2
        tail -n 20 "$scratch"/*/server.log "$scratch"/nginx/error.log 2>/dev/null >&2 || true
    fi
    rm -rf "$scratch"
}

end_children() {
    local pid
    for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
    children=()
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

# A port that nobody listens on, from below the range that the kernel gives out.
free_port() {
    local port
    while :; do
        port=$((10000 + RANDOM % 22000))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo "$port"; return; }
    done
}

field() { node -p "JSON.parse(require('fs').readFileSync(0, 'utf8'))['$1']"; }

# wait_for URL PID: until the process answers.
wait_for() {
    local _
    for _ in $(seq 200); do
        if curl -fsS -o /dev/null --max-time 2 ${CURL_CA_BUNDLE:+--cacert "$CURL_CA_BUNDLE"} "$1" 2>/dev/null; then return 0; fi
        kill -0 "$2" 2>/dev/null || fail "the server ended before it answered"
        sleep 0.1
    done
    fail "$1 does not answer"
}

# Makes a person and clients at $ISSUER and runs every independent client against it. The settings are in the environment.
run_clients() {
    local script ran=0
    local propusk=$PROPUSK_TEST_BINARY
    export ISSUER=$PROPUSK__ISSUER USERNAME=anna REDIRECT_URI=http://127.0.0.1:9/callback CLIENT_ID=webapp SERVICE_ID=robot
    PASSWORD=$("$propusk" user add "$USERNAME" --role owner --email anna@example.org --name 'Anna Owner' --generate-password --json | field password)
    CLIENT_SECRET=$("$propusk" client add "$CLIENT_ID" --preset web --redirect-uri "$REDIRECT_URI" --first-party --json | field client_secret)
    SERVICE_SECRET=$("$propusk" client add "$SERVICE_ID" --preset service --json | field client_secret)
    export PASSWORD CLIENT_SECRET SERVICE_SECRET
    for script in tests/clients/*.mjs tests/clients/*.py; do
        # The others are what the clients share.
        grep -qE '^await run\(|^if __name__ ==' "$script" || continue
        echo "--- $script against $ISSUER"
        case $script in
            *.mjs) node "$script" ;;
            *.py) tests/.venv/bin/python "$script" ;;
        esac
        ran=$((ran + 1))
    done
    [ "$ran" -gt 0 ] || fail "tests/clients holds no client"
}

# start_server DIRECTORY: `propusk serve` with the settings of the environment.
start_server() {
    mkdir -p "$1"
    "$PROPUSK_TEST_BINARY" serve >"$1/server.log" 2>&1 &
    children+=($!)
}

clients_on_sqlite() (
    children=()
    trap end_children EXIT
    listen=127.0.0.1:$(free_port)
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=http://$listen
    export PROPUSK__DATABASE__URL=sqlite:$scratch/sqlite/propusk.db
    start_server "$scratch/sqlite"
    wait_for "$PROPUSK__ISSUER/healthz" "${children[-1]}"
    run_clients
)

clients_on_postgres_and_redis() (
    children=()
    trap end_children EXIT
    listen=127.0.0.1:$(free_port)
    database=clients_$$
    psql -q "$PROPUSK_TEST_POSTGRES" -c "CREATE DATABASE $database"
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=http://$listen/auth
    export PROPUSK__DATABASE__URL=${PROPUSK_TEST_POSTGRES%/*}/$database PROPUSK__REDIS__URL=$PROPUSK_TEST_REDIS
    export PROPUSK__KEYS__MASTER_KEY_FILE=$scratch/postgres/master.key
    start_server "$scratch/postgres"
    wait_for "http://$listen/healthz" "${children[-1]}"
    run_clients
)

# The sample of deploy/nginx.conf itself, with this machine's names, ports and certificate.
clients_behind_nginx() (
    children=()
    trap end_children EXIT
    dir=$scratch/nginx
    mkdir -p "$dir"
    listen=127.0.0.1:$(free_port) plain=$(free_port) tls=$(free_port)
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:TRUE \
        -keyout "$dir/key.pem" -out "$dir/certificate.pem" 2>/dev/null
    {
        [ "$(id -u)" -ne 0 ] || echo 'user root;'
        echo "pid $dir/nginx.pid; error_log $dir/error.log; daemon off; events {}"
        echo "http { client_body_temp_path $dir/body; proxy_temp_path $dir/proxy; fastcgi_temp_path $dir/fastcgi;"
        echo "uwsgi_temp_path $dir/uwsgi; scgi_temp_path $dir/scgi;"
        sed -e '/listen \[::\]/d' -e "s/listen 80;/listen 127.0.0.1:$plain;/" -e "s/listen 443 /listen 127.0.0.1:$tls /" \
            -e "s#server 127.0.0.1:8080;#server $listen;#" -e 's/id\.example\.org;/localhost;/' \
            -e "s#/etc/ssl/certs/[^;]*#$dir/certificate.pem#" -e "s#/etc/ssl/private/[^;]*#$dir/key.pem#" \
            -e "s#/var/log/nginx#$dir#" deploy/nginx.conf
        echo '}'
    } >"$dir/nginx.conf"
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=https://localhost:$tls PROPUSK__HTTP__TRUSTED_PROXIES=127.0.0.1
    export PROPUSK__DATABASE__URL=sqlite:$dir/propusk.db
    export NODE_EXTRA_CA_CERTS=$dir/certificate.pem SSL_CERT_FILE=$dir/certificate.pem REQUESTS_CA_BUNDLE=$dir/certificate.pem
    export CURL_CA_BUNDLE=$dir/certificate.pem
    start_server "$dir"
    /usr/sbin/nginx -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf" &
    children+=($!)
    wait_for "$PROPUSK__ISSUER/healthz" "${children[-1]}"
    # A deep link in `state` reaches Propusk: its own page answers, not nginx's 414.
    status=$(curl -sS --cacert "$dir/certificate.pem" -o "$dir/page" -w '%{http_code}' \
        "$PROPUSK__ISSUER/oauth/authorize?client_id=nobody&state=$(head -c 20000 /dev/zero | tr '\0' x)")
    [ "$status" = 400 ] && grep -q error-reference "$dir/page" || fail "a long state behind nginx was answered $status"
    run_clients
)

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
stage 'independent clients on SQLite' clients_on_sqlite
stage 'independent clients on PostgreSQL and Redis, issuer with a path' clients_on_postgres_and_redis
stage 'independent clients behind nginx with TLS' clients_behind_nginx
stage 'other suites' other_suites

printf '\n=== where the time went\n%s' "$timings"
printf '\n=== the Rust tests again, in short\n'
grep '^test result' "$scratch/cargo.log"
