# Sourced by deploy/run.sh and tests/run.sh: makes sure that what they need is installed.

# What building needs: a C compiler (SQLite and aws-lc are compiled in), and libpq for PostgreSQL.
build_packages=(build-essential pkg-config=pkg-config cmake=cmake libpq-dev ca-certificates)

# need_packages NAME[=PROGRAM]…: Debian packages; one with a PROGRAM that is there already is not asked for. As root installs what is
# missing; otherwise prints the one command that does, and ends.
need_packages() {
    local missing=() wanted name
    for wanted in "$@"; do
        name=${wanted%%=*}
        if [ "$wanted" != "$name" ] && command -v "${wanted#*=}" >/dev/null; then continue; fi
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$name" 2>/dev/null)" = installed ] || missing+=("$name")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    if ! command -v apt-get >/dev/null; then
        echo "This is not Debian. Make sure that there is what these packages hold: ${missing[*]}" >&2
        return 0
    fi
    if [ "$(id -u)" -ne 0 ]; then
        echo "Packages are missing. Run as root: apt-get install -y --no-install-recommends ${missing[*]}" >&2
        exit 1
    fi
    echo "Installing ${missing[*]}" >&2
    # The index may be older than the archive, or absent, as in a fresh container.
    DEBIAN_FRONTEND=noninteractive apt-get update -q >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}" >&2
}

# need_rust: ends with one sentence when there is no Rust toolchain.
need_rust() {
    if ! command -v cargo >/dev/null && [ -x "$HOME/.cargo/bin/cargo" ]; then
        PATH="$HOME/.cargo/bin:$PATH"
    fi
    command -v cargo >/dev/null || { echo "There is no Rust toolchain: install one with rustup, then run this again." >&2; exit 1; }
}
