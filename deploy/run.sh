#!/usr/bin/env bash
# What `make run` does: builds, starts on http://$LISTEN (127.0.0.1:8080) with SQLite in ./data, and prints what to do next.
# The first start adds the people and clients of deploy/dev.toml and shows their generated passwords and secrets, once.
set -euo pipefail
cd "$(dirname "$0")/.."
. deploy/packages.sh

listen=${LISTEN:-127.0.0.1:8080}
issuer=${PROPUSK__ISSUER:-http://$listen}
export PROPUSK__HTTP__LISTEN=$listen PROPUSK__ISSUER=$issuer
propusk=${CARGO_TARGET_DIR:-target}/release/propusk
# Stands from the first start until its credentials were shown, so that an interrupted first start is one again.
first_start=data/.first-start

# Ends with one sentence when somebody listens on $listen already.
check_port() {
    local host=${listen%:*} port=${listen##*:}
    host=${host#[} host=${host%]}
    if ! [[ $listen == *:* && $port =~ ^[0-9]+$ ]]; then
        echo "LISTEN must be an address and a port like 127.0.0.1:9000, not $listen" >&2
        exit 2
    fi
    if (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null; then
        echo "$listen is in use; choose another address: LISTEN=127.0.0.1:9000 make run" >&2
        exit 1
    fi
}

# credentials KEY SECRET: the pairs of the two members of one object in the JSON on standard input, as "name<tab>secret".
credentials() {
    tr -d '\n' | tr '{}' '\n\n' |
        sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*\"$2\": *\"\([^\"]*\)\".*/\1\t\2/p; t; s/.*\"$2\": *\"\([^\"]*\)\".*\"$1\": *\"\([^\"]*\)\".*/\2\t\1/p"
}

# Waits until the process $1 answers, then prints the screen; $2 is what `propusk apply` printed at the first start.
announce() {
    local server=$1 applied=$2
    until curl -fsS -o /dev/null --max-time 2 "$issuer/healthz" 2>/dev/null; do
        kill -0 "$server" 2>/dev/null || return 0
        sleep 0.1
    done
    echo
    echo "Propusk answers."
    echo
    echo "  Issuer      $issuer"
    echo "  Browser     $issuer/"
    echo "  Discovery   $issuer/.well-known/openid-configuration"
    echo "  Data        ./data"
    echo
    rm -f "$first_start"
    local passwords secrets site_secret
    passwords=$(credentials username password <<<"$applied")
    secrets=$(credentials client_id client_secret <<<"$applied")
    site_secret=$(sed -n 's/^site\t//p' <<<"$secrets")
    if [ -n "$passwords$secrets" ]; then
        echo "People and clients of deploy/dev.toml. This is shown once:"
        echo
        while IFS=$'\t' read -r name secret; do printf '  person  %-12s password  %s\n' "$name" "$secret"; done <<<"$passwords"
        while IFS=$'\t' read -r name secret; do printf '  client  %-12s secret    %s\n' "$name" "$secret"; done <<<"$secrets"
    else
        echo "The people and clients are those of the first start. A new password or secret:"
        echo
        echo "  $propusk user set-password owner --generate-password"
        echo "  $propusk client rotate-secret site"
    fi
    echo
    echo "Try:"
    echo
    echo "curl -s $issuer/.well-known/openid-configuration"
    echo "curl -s $issuer/oauth/jwks"
    if [ -n "$site_secret" ]; then
        echo "curl -s -u site:$site_secret -d token=an-unknown-token $issuer/oauth/introspect"
    else
        echo "curl -s $issuer/healthz"
    fi
    echo
    echo "Ctrl-C ends it."
}

check_port
need_rust
need_packages "${build_packages[@]}" curl=curl
cargo build --release --locked -p propusk
check_port

applied=
if [ ! -e data/propusk.db ] || [ -e "$first_start" ]; then
    mkdir -p -m 700 data
    touch "$first_start"
    applied=$("$propusk" apply deploy/dev.toml --json) || { printf '%s\n' "$applied" >&2; exit 1; }
fi

# The server takes this process's place, so that signals reach it and its exit code is this script's. The double fork keeps the
# announcing process from becoming the server's child, which the server would not know how to bury.
(announce $$ "$applied" &)
exec "$propusk" serve
