#!/usr/bin/env bash
# What `make demo` does: builds and starts the service, the sample site (deploy/site) and a stand-in of Rocket.Chat on loopback, makes them
# known to each other, applies deploy/demo.toml, prints where to look, and ends all of them with Ctrl-C.
#
#   DEMO_DATA       where everything generated goes; by default data/demo
#   DEMO_PROPUSK, DEMO_CHAT, DEMO_PYTHON   a binary, a stand-in and a Python with the site's packages to use instead of building them
#
# The settings of deploy/site/besedka/settings.py may be given in the environment.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh

mkdir -p -m 700 "${DEMO_DATA:=data/demo}"
data=$(cd "$DEMO_DATA" && pwd)
python=${DEMO_PYTHON:-$data/venv/bin/python}
target=${CARGO_TARGET_DIR:-target}
propusk=${DEMO_PROPUSK:-$target/release/propusk}
chat_program=${DEMO_CHAT:-$target/debug/chat}
children=()

fail() { echo "deploy/demo.sh: $*" >&2; exit 1; }

is_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# port NUMBER: this one, or the next thousand's that nobody listens on.
port() {
    local number=$1
    while is_taken "$number"; do
        number=$((number + 1000))
        [ "$number" -lt 65536 ] || fail "no port is free"
    done
    echo "$number"
}

prepare() {
    if [ -z "${DEMO_PROPUSK:-}" ] || [ -z "${DEMO_CHAT:-}" ]; then
        need_rust
        need_packages "${build_packages[@]}" curl=curl
    fi
    [ -n "${DEMO_PROPUSK:-}" ] || cargo build --release --locked -p propusk
    [ -n "${DEMO_CHAT:-}" ] || cargo build --locked -p propusk-tests --bin chat
    if [ -z "${DEMO_PYTHON:-}" ] && ! cmp -s deploy/site/requirements.txt "$data/requirements.installed"; then
        need_packages python3-venv
        python3 -m venv "$data/venv"
        "$python" -m pip install --quiet --disable-pip-version-check -r deploy/site/requirements.txt
        cp deploy/site/requirements.txt "$data/requirements.installed"
    fi
    local name
    for name in rocketchat site site-people librarian create-token; do
        [ -s "$data/$name.secret" ] || (umask 077 && head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$data/$name.secret")
    done
}

choose_addresses() {
    issuer=http://127.0.0.1:$(port 8080)
    site=http://127.0.0.1:$(port 8000)
    chat=http://127.0.0.1:$(port 3000)
    sed -e "s|http://127.0.0.1:8000|$site|; s|http://127.0.0.1:3000|$chat|" deploy/demo.toml >"$data/demo.toml"
    cat >"$data/propusk.toml" <<END
issuer = "$issuer"
locale = "ru"
[http]
listen = "${issuer#http://}"
[database]
url = "sqlite:$data/propusk.db"
[brand]
name = "Беседка"
[rocketchat]
url = "$chat"
user_id = "u1"
token_file = "$data/chat-admin.token"
create_token_secret_file = "$data/create-token.secret"
channels = { general = ["general"], vip = ["vip"], moderators = ["moderators"] }
END
    printf '{"issuer": "%s", "site": "%s", "chat": "%s"}\n' "$issuer" "$site" "$chat" >"$data/addresses.json"
}

# start NAME COMMAND…: in the background, with its output in NAME.log.
start() {
    local name=$1
    shift
    "$@" >"$data/$name.log" 2>&1 &
    children+=("$!")
}

# wait_for NAME ADDRESS
wait_for() {
    local attempt
    for attempt in $(seq 600); do
        if curl -fsS -o /dev/null --max-time 2 "$2" 2>/dev/null; then return; fi
        kill -0 "${children[-1]}" 2>/dev/null || break
        sleep 0.1
    done
    tail -n 20 "$data/$1.log" >&2
    fail "$1 does not answer"
}

stop_all() {
    trap - EXIT INT TERM
    local child
    for child in "${children[@]}"; do kill "$child" 2>/dev/null || true; done
    wait || true
}

start_all() {
    start chat "$chat_program" --listen "${chat#http://}" --create-token-secret-file "$data/create-token.secret" --admin-file "$data/chat-admin.json"
    wait_for chat "$chat/api/info"
    (umask 077 && "$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["token"], end="")' "$data/chat-admin.json" >"$data/chat-admin.token")
    applied=$("$propusk" --config "$data/propusk.toml" apply "$data/demo.toml" --json) || { printf '%s\n' "$applied" >&2; exit 1; }
    start propusk "$propusk" --config "$data/propusk.toml" serve
    wait_for propusk "$issuer/healthz"
    "$propusk" --config "$data/propusk.toml" rocketchat settings --chat-url "$chat" --name Besedka --modern --lang ru --silent --embed "$site" \
        --secret-file "$data/rocketchat.secret" --apply --admin-id u1 --admin-token-file "$data/chat-admin.token" >"$data/chat-settings.log" 2>&1 ||
        { cat "$data/chat-settings.log" >&2; fail "the chat could not be set up"; }
    export SITE_URL=$site SITE_DATA=$data OIDC_ISSUER=$issuer OIDC_CLIENT_SECRET_FILE=$data/site.secret
    export PEOPLE_CLIENT_SECRET_FILE=$data/site-people.secret CHAT_URL=$chat PYTHONPATH=deploy/site PYTHONDONTWRITEBYTECODE=1
    "$python" deploy/site/manage.py migrate -v 0
    start site "$python" -m gunicorn besedka.wsgi --bind "${site#http://}" --threads 8 --log-level warning
    wait_for site "$site/"
}

announce() {
    local passwords shown=${data#"$PWD/"}
    passwords=$("$python" -c '
import json, sys
for person in json.load(sys.stdin)["credentials"]["users"]:
    print("  {username:<12} password  {password}".format(**person))' <<<"$applied")
    echo
    echo "Everything answers."
    echo
    echo "  Site      $site/"
    echo "  Chat      $chat/home   (a stand-in of Rocket.Chat)"
    echo "  Service   $issuer/"
    echo "  API       $site/api/talks/"
    echo "  Data      $shown"
    echo
    if [ -n "$passwords" ]; then
        echo "People of deploy/demo.toml. This is shown once:"
        echo
        echo "$passwords"
    else
        echo "The people are those of the first start. A new password:"
        echo
        echo "  $propusk --config $shown/propusk.toml user set-password owner --generate-password"
    fi
    echo
    echo "Try: register on the site, open the chat there, then give yourself another role:"
    echo
    echo "  $propusk --config $shown/propusk.toml user set NAME --role moderator"
    echo "  TOKEN=\$(curl -s -u librarian:\$(cat $shown/librarian.secret) -d grant_type=client_credentials $issuer/oauth/token | sed 's/.*\"access_token\":\"\\([^\"]*\\).*/\\1/')"
    echo "  curl -s -H \"Authorization: Bearer \$TOKEN\" -H 'Content-Type: application/json' -d '{\"name\": \"Chekhov\"}' $site/api/authors/"
    echo
    echo "Ctrl-C ends it."
}

prepare
choose_addresses
trap stop_all EXIT
trap 'exit 0' INT TERM
start_all
announce
# Whichever ends first takes the others with it.
wait -n "${children[@]}" || true
fail "one of the three has ended; see the logs in $data"
