#!/usr/bin/env bash
# Independent clients against the binary: on SQLite, on PostgreSQL and Redis under an issuer with a path, behind nginx with TLS in front,
# and with TLS in the binary itself. Every script here that is a client runs against each, for a client with a secret and for a public one.
#
# Needs PROPUSK_TEST_BINARY, PROPUSK_TEST_POSTGRES and PROPUSK_TEST_REDIS in the environment, node_modules beside this file and
# tests/.venv; `make test` prepares all of them. The last line says how many checks passed and failed.
set -euo pipefail
cd "$(dirname "$0")/../.."

: "${PROPUSK_TEST_BINARY:?names the binary under test}"
: "${PROPUSK_TEST_POSTGRES:?is the address of a PostgreSQL (tests/services.sh)}"
: "${PROPUSK_TEST_REDIS:?is the address of a Redis (tests/services.sh)}"
propusk=$PROPUSK_TEST_BINARY
scratch=$(mktemp -d)
passed=0 failed=0
children=()
export USERNAME=anna REDIRECT_URI=http://127.0.0.1:9/callback EXPECT_ROLES='["owner"]'
# Node 18, which is Debian 12's, has the Web Cryptography that the clients need behind a switch.
if ! node -e 'process.exit(globalThis.crypto ? 0 : 1)'; then export NODE_OPTIONS=--experimental-global-webcrypto; fi
# Settings of whoever runs the tests must not reach the binary.
for name in $(compgen -e PROPUSK__ || true); do unset "$name"; done

fail() { echo "tests/clients/test.sh: $*" >&2; exit 1; }

# Ends what was started, by process id.
end_children() {
    local pid
    for pid in "${children[@]}"; do kill "$pid" 2>/dev/null || true; done
    for pid in "${children[@]}"; do wait "$pid" 2>/dev/null || true; done
    children=()
}

clean_up() {
    local status=$?
    end_children
    if [ $status -ne 0 ]; then tail -n 20 "$scratch"/*/server.log "$scratch"/nginx/error.log 2>/dev/null >&2 || true; fi
    rm -rf "$scratch"
}
trap clean_up EXIT

# check NAME COMMAND…: counts one more that passed or failed, with its output when it failed.
check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        passed=$((passed + 1))
        echo "ok      $name"
    else
        failed=$((failed + 1))
        printf 'FAILED  %s\n%s\n' "$name" "$(tail -n 15 <<<"$output")"
    fi
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

# get URL [ARGUMENT…]: with the test's own authority where TLS is spoken.
get() {
    local url=$1
    shift
    curl -fsS --max-time 10 ${authority:+--cacert "$authority"} "$@" "$url"
}

# start_server DIRECTORY: `propusk serve` with the settings of the environment; ready_at URL: until it answers there.
start_server() {
    mkdir -p "$1"
    "$propusk" serve >"$1/server.log" 2>&1 &
    children+=($!)
}

ready_at() {
    local _
    for _ in $(seq 300); do
        if get "$1" -o /dev/null 2>/dev/null; then return 0; fi
        kill -0 "${children[0]}" 2>/dev/null || fail "the server ended before it answered"
        sleep 0.1
    done
    fail "$1 does not answer"
}

# Makes a person and three clients, then runs every script that is a client (the others are what they share).
run_clients() {
    local where=$1 script runner secret_of_the_site
    export ISSUER=$PROPUSK__ISSUER SERVICE_ID=robot
    PASSWORD=$("$propusk" user add "$USERNAME" --role owner --email anna@example.org --name 'Anna Owner' --generate-password --json | field password)
    secret_of_the_site=$("$propusk" client add site --preset web --redirect-uri "$REDIRECT_URI" --json | field client_secret)
    SERVICE_SECRET=$("$propusk" client add robot --preset service --json | field client_secret)
    "$propusk" client add app --preset spa --redirect-uri "$REDIRECT_URI" --first-party --json >/dev/null
    export PASSWORD SERVICE_SECRET
    # A running server looks for changes every quarter of a second.
    sleep 1
    for script in tests/clients/*.mjs tests/clients/*.py; do
        grep -qE '^await run\(|^if __name__ ==' "$script" || continue
        case $script in *.mjs) runner=node ;; *) runner=tests/.venv/bin/python ;; esac
        check "$(basename "$script") with a secret, $where" env CLIENT_ID=site CLIENT_SECRET="$secret_of_the_site" "$runner" "$script"
        check "$(basename "$script") without a secret, $where" env -u CLIENT_SECRET CLIENT_ID=app "$runner" "$script"
    done
}

# A certificate authority of our own and a certificate for localhost, in DIRECTORY.
make_certificate() {
    local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2)
    mkdir -p "$1"
    openssl req -x509 "${key[@]}" -subj '/CN=Test authority' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign \
        -keyout "$1/authority-key.pem" -out "$1/authority.pem" 2>/dev/null
    openssl req "${key[@]}" -subj /CN=localhost -keyout "$1/key.pem" -out "$1/request.pem" 2>/dev/null
    openssl x509 -req -in "$1/request.pem" -CA "$1/authority.pem" -CAkey "$1/authority-key.pem" -CAcreateserial -days 2 \
        -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out "$1/certificate.pem" 2>/dev/null
}

trust() { export authority=$1 NODE_EXTRA_CA_CERTS=$1 SSL_CERT_FILE=$1 REQUESTS_CA_BUNDLE=$1; }

discovery_names_the_issuer() { [ "$(get "$PROPUSK__ISSUER/.well-known/openid-configuration" "$@" | field issuer)" = "$PROPUSK__ISSUER" ]; }

on_sqlite() {
    local listen
    listen=127.0.0.1:$(free_port)
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=http://$listen PROPUSK__DATABASE__URL=sqlite:$scratch/sqlite/propusk.db
    start_server "$scratch/sqlite"
    ready_at "$PROPUSK__ISSUER/healthz"
    run_clients 'SQLite'
}

on_postgres_and_redis() {
    local listen database=clients_$$
    listen=127.0.0.1:$(free_port)
    psql -q "$PROPUSK_TEST_POSTGRES" -c "CREATE DATABASE $database"
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=http://$listen/auth
    export PROPUSK__DATABASE__URL=${PROPUSK_TEST_POSTGRES%/*}/$database PROPUSK__REDIS__URL=$PROPUSK_TEST_REDIS PROPUSK__REDIS__PREFIX=$database:
    export PROPUSK__KEYS__MASTER_KEY_FILE=$scratch/postgres/master.key
    start_server "$scratch/postgres"
    ready_at "http://$listen/healthz"
    check 'metadata where RFC 8414 inserts the path' get "http://$listen/.well-known/oauth-authorization-server/auth" -o /dev/null
    run_clients 'PostgreSQL and Redis, issuer with a path'
    end_children
    psql -q "$PROPUSK_TEST_POSTGRES" -c "DROP DATABASE $database"
}

# The sample of deploy/nginx.conf itself, with this machine's names, ports and certificate.
behind_nginx() {
    local dir=$scratch/nginx listen plain tls
    listen=127.0.0.1:$(free_port) plain=$(free_port) tls=$(free_port)
    make_certificate "$dir"
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
    trust "$dir/authority.pem"
    start_server "$dir"
    /usr/sbin/nginx -e "$dir/error.log" -p "$dir" -c "$dir/nginx.conf" &
    children+=($!)
    ready_at "$PROPUSK__ISSUER/healthz"
    check 'a state of 20 kB gets through nginx to a page of ours' a_long_state_is_answered_by_a_page "$dir"
    run_clients 'behind nginx with TLS'
    check 'the log of nginx holds no query string' a_log_without_queries "$dir/propusk.log"
}

# Its own page answers, not nginx's 414.
a_long_state_is_answered_by_a_page() {
    local status
    status=$(curl -sS --cacert "$authority" -o "$1/page" -w '%{http_code}' \
        "$PROPUSK__ISSUER/oauth/authorize?client_id=nobody&state=$(head -c 20000 /dev/zero | tr '\0' x)")
    [ "$status" = 400 ] && grep -q error-reference "$1/page"
}

a_log_without_queries() { [ -s "$1" ] && ! grep -qE '\?|code=|state=' "$1"; }

with_tls_in_the_binary() {
    local dir=$scratch/tls listen
    listen=127.0.0.1:$(free_port)
    make_certificate "$dir"
    export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=https://localhost:${listen#*:} PROPUSK__DATABASE__URL=sqlite:$dir/propusk.db
    export PROPUSK__HTTP__TLS__CERTIFICATE_FILE=$dir/certificate.pem PROPUSK__HTTP__TLS__KEY_FILE=$dir/key.pem
    trust "$dir/authority.pem"
    start_server "$dir"
    ready_at "$PROPUSK__ISSUER/healthz"
    check 'TLS 1.3 by curl' discovery_names_the_issuer --tlsv1.3
    check 'TLS 1.2 by curl' discovery_names_the_issuer --tlsv1.2 --tls-max 1.2
    check 'HTTP/2 by curl' speaks_http2
    check 'TLS 1.1 is refused by the server' refuses_tls_1_1 "$listen"
    check 'without the authority curl refuses' refuses_strangers
    check 'cookies are Secure and bound to the host' cookies_are_bound
    run_clients 'TLS in the binary'
}

speaks_http2() { [ "$(get "$PROPUSK__ISSUER/healthz" --http2 -o /dev/null -w '%{http_version}')" = 2 ]; }
# The alert comes from the server, so this side was willing.
refuses_tls_1_1() { (openssl s_client -connect "$1" -tls1_1 -cipher DEFAULT@SECLEVEL=0 </dev/null 2>&1 || true) | grep -q 'SSL alert number'; }
refuses_strangers() { ! env -u SSL_CERT_FILE curl -fsS -o /dev/null "$PROPUSK__ISSUER/healthz"; }
cookies_are_bound() { get "$PROPUSK__ISSUER/login" -o /dev/null -D - | grep -i '^set-cookie: __Host-' | grep -q '; Secure'; }

[ -d tests/clients/node_modules ] && [ -x tests/.venv/bin/python ] || fail 'the npm and Python clients are not installed (make test does it)'
for stage in on_sqlite on_postgres_and_redis behind_nginx with_tls_in_the_binary; do
    # Each in a shell of its own: the settings end with it. What it counted comes back by a file.
    set +e
    (
        set -e
        trap end_children EXIT
        passed=0 failed=0
        "$stage"
        echo "$passed $failed" >"$scratch/$stage.count"
    )
    set -e
    if [ -s "$scratch/$stage.count" ]; then
        read -r more_passed more_failed <"$scratch/$stage.count"
    else
        echo "FAILED  $stage could not be run"
        tail -n 20 "$scratch"/*/server.log 2>/dev/null || true
        more_passed=0 more_failed=1
    fi
    passed=$((passed + more_passed)) failed=$((failed + more_failed))
done
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
