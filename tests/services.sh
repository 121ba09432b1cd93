#!/bin/sh
# Throw-away PostgreSQL and Redis for the tests, on free loopback ports.
#
#   tests/services.sh start DIR   starts both with everything below DIR, prints two lines of NAME=VALUE for the environment
#   tests/services.sh stop DIR    ends the processes that start began, by their ids, and removes DIR
#
# Works as root (PostgreSQL then runs as the user postgres) and as anybody else. Exit codes: 0 done, 1 failed, 2 wrong usage.
set -eu

usage() { sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2; }
fail() { echo "tests/services.sh: $*" >&2; exit 1; }

[ $# -eq 2 ] || usage
action=$1
dir=$2

# The programs of the newest PostgreSQL installed; Debian keeps them out of PATH.
postgres_bin() {
    for bin in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -t/ -k5 -rn); do
        [ -x "$bin/initdb" ] && { echo "$bin"; return; }
    done
    command -v initdb >/dev/null 2>&1 || fail "PostgreSQL is not installed (Debian: apt-get install postgresql redis-server)"
    dirname "$(command -v initdb)"
}

# As the user that PostgreSQL runs as: it refuses to be root.
as_owner() {
    if [ "$(id -u)" -eq 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}


# A port that nobody listens on: drawn from below the range from which the kernel gives out ports.
free_port() {
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$((10000 + $(od -An -N2 -tu2 /dev/urandom) % 22000))
        if ! bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" 2>/dev/null; then echo "$port"; return; fi
    done
    fail "no free port found"
}

start_postgres() {
    bin=$(postgres_bin)
    mkdir -p "$dir/postgres"
    if [ "$(id -u)" -eq 0 ]; then
        id postgres >/dev/null 2>&1 || useradd --system --no-create-home postgres
        chown postgres "$dir/postgres"
    fi
    # A locale other than C on purpose where there is one: the order of lists must not depend on it.
    locale=C.UTF-8
    ! locale -a 2>/dev/null | grep -qix 'en_US.utf-\?8' || locale=en_US.UTF-8
    (cd "$dir/postgres" && as_owner "$bin/initdb" -D "$dir/postgres/data" -U propusk -A trust -E UTF8 --locale="$locale" --no-sync >"$dir/postgres.log" 2>&1) \
        || { cat "$dir/postgres.log" >&2; fail "initdb failed"; }
    for _ in 1 2 3; do
        port=$(free_port)
        # Durability off: these databases die with the tests.
        if (cd "$dir/postgres" && as_owner "$bin/pg_ctl" -D "$dir/postgres/data" -w -t 60 -l "$dir/postgres/server.log" \
            -o "-p $port -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off -c max_connections=400 -c shared_buffers=64MB" start) >>"$dir/postgres.log" 2>&1
        then
            head -n 1 "$dir/postgres/data/postmaster.pid" >"$dir/postgres.pid"
            echo "PROPUSK_TEST_POSTGRES=postgres://propusk@127.0.0.1:$port/postgres"
            return
        fi
    done
    cat "$dir/postgres.log" >&2
    fail "PostgreSQL did not start"
}

start_redis() {
    command -v redis-server >/dev/null 2>&1 || fail "Redis is not installed (Debian: apt-get install redis-server)"
    for _ in 1 2 3; do
        port=$(free_port)
        redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$dir" --daemonize no >"$dir/redis.log" 2>&1 &
        pid=$!
        for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
            kill -0 "$pid" 2>/dev/null || break
            if grep -q 'Ready to accept connections' "$dir/redis.log"; then
                echo "$pid" >"$dir/redis.pid"
                echo "PROPUSK_TEST_REDIS=redis://127.0.0.1:$port/"
                return
            fi
            sleep 0.1
        done
        kill "$pid" 2>/dev/null || true
    done
    cat "$dir/redis.log" >&2
    fail "Redis did not start"
}

# Ends the process of a pid file and waits for its end.
stop_pid() {
    [ -f "$1" ] || return 0
    pid=$(cat "$1")
    # PostgreSQL ends at once on SIGINT, also with clients connected; Redis on SIGTERM.
    kill "-$2" "$pid" 2>/dev/null || return 0
    for _ in $(seq 100); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

case $action in
start)
    mkdir -p "$dir"
    dir=$(cd "$dir" && pwd)
    [ ! -e "$dir/postgres.pid" ] || fail "$dir is in use already"
    # PostgreSQL's user must be able to reach its directory.
    chmod 755 "$dir"
    start_postgres
    start_redis
    ;;
stop)
    [ -d "$dir" ] || exit 0
    stop_pid "$dir/redis.pid" TERM
    stop_pid "$dir/postgres.pid" INT
    rm -rf "$dir/postgres" "$dir/postgres.log" "$dir/postgres.pid" "$dir/redis.log" "$dir/redis.pid"
    rmdir "$dir" 2>/dev/null || true
    ;;
*) usage ;;
esac
