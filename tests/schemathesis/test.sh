#!/usr/bin/env bash
# Holds a running server against openapi.yaml with generated requests: a stranger at every operation, a client with its secret
# at the endpoints of clients, a person's token at userinfo. Any 5xx and anything that the document does not promise fails.
# Ends with `N passed, N failed`. PROPUSK_TEST_BINARY names the binary, SECONDS_PER_RUN bounds each run.
set -euo pipefail
cd "$(dirname "$0")/../.."

propusk=${PROPUSK_TEST_BINARY:-${CARGO_TARGET_DIR:-target}/release/propusk}
[ -x tests/.venv/bin/python ] || python3 -m venv tests/.venv
for suite in clients schemathesis; do
    installed=tests/.venv/$suite.installed
    cmp -s "tests/$suite/requirements.txt" "$installed" && continue
    tests/.venv/bin/pip install --quiet --disable-pip-version-check -r "tests/$suite/requirements.txt"
    cp "tests/$suite/requirements.txt" "$installed"
done

scratch=$(mktemp -d)
server=
clean_up() {
    [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
    rm -rf "$scratch"
}
trap clean_up EXIT

# A port that nobody listens on, from below the range that the kernel gives out.
while port=$((10000 + RANDOM % 22000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
export ISSUER=http://127.0.0.1:$port
export PROPUSK__HTTP__LISTEN=127.0.0.1:$port PROPUSK__ISSUER=$ISSUER PROPUSK__DATABASE__URL=sqlite:$scratch/propusk.db
# Thousands of sign-ins with the full cost of Argon2 would take the time of everything else.
export PROPUSK__PASSWORD__MEMORY_KIB=256 PROPUSK__PASSWORD__ITERATIONS=1
"$propusk" serve >"$scratch/server.log" 2>&1 &
server=$!
for _ in $(seq 200); do
    curl -fsS -o /dev/null --max-time 2 "$ISSUER/healthz" 2>/dev/null && break
    kill -0 "$server" 2>/dev/null || { cat "$scratch/server.log" >&2; echo '0 passed, 1 failed'; exit 1; }
    sleep 0.1
done

field() { tests/.venv/bin/python -c 'import json, sys; print(json.load(sys.stdin)[sys.argv[1]])' "$1"; }
export SCHEMATHESIS_HOOKS=hooks PYTHONPATH=tests/schemathesis:tests/clients
export CLIENT_ID=webapp REDIRECT_URI=http://127.0.0.1:9/callback USERNAME=anna
PASSWORD=$("$propusk" user add "$USERNAME" --role owner --email anna@example.org --name 'Anna Owner' --generate-password --json | field password)
CLIENT_SECRET=$("$propusk" client add "$CLIENT_ID" --preset web --redirect-uri "$REDIRECT_URI" --first-party --json | field client_secret)
SERVICE_SECRET=$("$propusk" client add robot --preset service --json | field client_secret)
export PASSWORD CLIENT_SECRET
access_token=$(tests/.venv/bin/python tests/schemathesis/sign_in.py)

checks=not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance
checks=$checks,response_schema_conformance,unsupported_method,allow_header_conformance
passed=0 failed=0

# attack NAME OPTION…: one run; the same requests each time, so that what fails once can be repeated. One worker: two threads that
# parse Python at once trip over each other in the Python of Debian 12 ("AST constructor recursion depth mismatch").
attack() {
    local name=$1
    shift
    echo "--- schemathesis as $name"
    if tests/.venv/bin/schemathesis run openapi.yaml --url "$ISSUER" --checks "$checks" --generation-deterministic \
        --max-time "${SECONDS_PER_RUN:-30}" --phases examples,coverage,fuzzing --workers 1 --no-color \
        --output-sanitize true --continue-on-failure "$@"; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
    fi
}

# A document that is wrong proves nothing.
if tests/.venv/bin/openapi-spec-validator openapi.yaml; then passed=$((passed + 1)); else failed=$((failed + 1)); fi

attack 'a stranger'
attack 'a client with its secret' --include-path-regex '^/oauth/(token|introspect|revoke)$' --auth "$CLIENT_ID:$CLIENT_SECRET"
attack 'a service with its secret' --include-path-regex '^/oauth/(token|introspect|revoke)$' --auth "robot:$SERVICE_SECRET"
attack 'a person with a token' --include-path-regex '^/(oauth/userinfo|me)' --header "Authorization: Bearer $access_token"

# What no answer shows: a panic is written to the log alone.
if grep -n 'panicked at' "$scratch/server.log"; then failed=$((failed + 1)); else passed=$((passed + 1)); fi
kill -0 "$server" || failed=$((failed + 1))
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
