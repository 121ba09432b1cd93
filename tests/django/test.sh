#!/usr/bin/env bash
# The way home: people who came from a Django site and people who were added here are exported, loaded into a fresh Django, and
# sign in there. And the dumps that the fixtures are still come out of the installed Django in the form that the import reads.
#
# Needs PROPUSK_TEST_BINARY in the environment and tests/.venv; `make test` prepares both. The last line says how many checks passed
# and failed.
set -euo pipefail
cd "$(dirname "$0")"

: "${PROPUSK_TEST_BINARY:?names the binary under test}"
propusk=$PROPUSK_TEST_BINARY
python=$PWD/../.venv/bin/python
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
passed=0 failed=0
# Settings of whoever runs the tests must not reach the binary.
for name in $(compgen -e PROPUSK__ || true); do unset "$name"; done
export PROPUSK__DATABASE__URL=sqlite:$scratch/propusk.db PROPUSK__KEYS__MASTER_KEY_FILE=$scratch/master.key PYTHONDONTWRITEBYTECODE=1

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

roles=(--role-map admin=owner --role-map editor=moderator --role-map member=user)
check "the installed toolkit makes a dump" "$python" make_dump.py dump "$scratch/dump.json"
check "which is imported" "$propusk" import django "$scratch/dump.json" "${roles[@]}"
printf 'correct horse nina' > "$scratch/password"
check "somebody is added here" "$propusk" user add nina --role user --email nina@example.org --password-file "$scratch/password"
check "everybody is exported" "$propusk" export "$scratch/home.json" --format django --with-hashes --user-model community.member \
    --role-field role --role-map owner=admin
# MD5 was wrapped on the way here, which no Django undoes: that person has to set a password again.
check "a fresh Django loads them, and they sign in" "$python" check_export.py "$scratch/home.json" 'anna=correct horse anna' \
    'vera+chat@example.org=correct horse vera' 'gleb=correct horse gleb' 'nina=correct horse nina' 'Борис=' 'dina='
check "without hashes nobody has a password" sh -c "'$propusk' export '$scratch/bare.json' --format django --user-model community.member \
    --role-field role --role-map owner=admin && '$python' check_export.py '$scratch/bare.json' anna= vera+chat@example.org= gleb= nina= 'Борис=' dina="

# The way home into the very site that people came from: whatever the site alone knows stays.
export PROPUSK__DATABASE__URL=sqlite:$scratch/onto.db PROPUSK__KEYS__MASTER_KEY_FILE=$scratch/onto.key
check "a site with superusers, groups and columns of its own" "$python" make_dump.py site "$scratch/live.json" "$scratch/live.db"
check "is imported" "$propusk" import django "$scratch/live.json" "${roles[@]}"
printf 'correct horse dina' > "$scratch/dina"
check "nina is added" "$propusk" user add nina --role user --email nina@example.org --password-file "$scratch/password"
check "anna moves" "$propusk" user set anna --email anna@new.example.org
check "dina gets a password" "$propusk" user set-password dina --password-file "$scratch/dina"
check "vera gets another role" "$propusk" user set vera-chat-example.org --role user
check "Boris is removed" "$propusk" user remove Boris
check "they are exported onto the dump" "$propusk" export "$scratch/onto.json" --format django --onto "$scratch/live.json" --with-hashes \
    --role-field role --role-map owner=admin --role-map user=member
check "which resets nothing at the site" "$python" check_onto.py "$scratch/live.db" "$scratch/onto.json" \
    '{"anna": {"email": "anna@new.example.org"}, "vera+chat@example.org": {"role": "member"}, "Борис": {"is_active": false}}' \
    '{"dina": "correct horse dina", "nina": "correct horse nina"}'

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
