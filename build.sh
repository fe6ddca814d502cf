#!/bin/sh
# One command: makes its own environment (.venv/) and runs a session of noxfile.py in it.
#
#   ./build.sh                            build dist/image.oci.tar
#   ./build.sh test [--no-containers]     run the tests, on the oldest and the newest Python found
#   ./build.sh matrix [--no-containers]   run every test on every Python found
#   ./build.sh push REGISTRY/NAME:TAG     push the image
#   ./build.sh demo                       show what an injected app exports
#   ./build.sh SESSION [ARGUMENTS]        any other session: see noxfile.py
set -eu

main() {
    root=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
    cd -- "$root"
    session=${1:-build}
    [ $# -eq 0 ] || shift
    [ "${1:-}" != -- ] || shift
    case $session in
        -h | --help | help)
            sed -n '2,/^set/s/^# \{0,1\}//p' build.sh
            exit
            ;;
        _* | *[!a-z_]*) no_session ;;
    esac
    grep -q "^def $session(session" noxfile.py || no_session

    # Those of the shell that this was called from are not meant for what runs here.
    unset VIRTUAL_ENV PYTHONPATH PYTHONHOME
    # An account without a home, as containers have it, keeps its downloads here.
    cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}
    mkdir -p "$cache" 2>/dev/null && [ -w "$cache" ] || export XDG_CACHE_HOME="$root/.venv/cache"
    python=$(find_python) || exit
    made_by="$root $("$python" -c 'import sys; print(sys.base_prefix, sys.hexversion)') $(cksum <requirements/tools.txt)"
    [ "$(cat .venv/made-by 2>/dev/null)" = "$made_by" ] || make_environment
    exec .venv/bin/python -m nox --session "$session" -- "$@"
}

fail() {
    echo "error: $*" >&2
    exit 1
}

no_session() {
    fail "there is no session '$session': choose one of $(sed -n 's/^def \([a-z][a-z_]*\)(session.*/\1/p' noxfile.py | xargs)"
}

# Prints the path of the first Python that is new enough.
find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python3.10; do
        "$name" -c 'import sys; sys.exit(1) if sys.version_info < (3, 10) else print(sys.executable)' 2>/dev/null && return
    done
    fail "there is no Python 3.10 or later on PATH (as python3, or python3.10 to python3.14): install one"
}

# Runs a command and shows nothing of it unless it fails: then, in one line, its last error, or what it said last.
run() {
    what=$1
    shift
    output=$("$@" 2>&1) && return
    fail "$what: $(printf '%s\n' "$output" | awk '
        sub(/^ *(ERROR|error|E): */, "") { text = $0; found = 1; next }
        { text = found ? text " " $0 : $0 }
        END { gsub(/  +/, " ", text); print text }')"
}

# Fills .venv with exactly what requirements/tools.txt says; made-by, written last, says that it is complete.
make_environment() {
    echo "  preparing .venv (once) ..." >&2
    run "cannot remove $root/.venv" rm -rf .venv
    run "cannot write to $root" mkdir -p .venv/bootstrap/wheels
    free=$(df -Pk . | awk 'END { print int($4 / 1024) }')
    [ "$free" -ge 1000 ] || fail "only $free MB are free in $root: make room for 1000 MB"
    find_pip
    run "cannot download requirements/tools.txt (see the network, and pip's index and certificate settings)" \
        pip download --no-deps --only-binary :all: --require-hashes --dest .venv/bootstrap/wheels \
        --requirement requirements/tools.txt
    run "cannot unpack uv" "$python" -m zipfile -e .venv/bootstrap/wheels/uv-*.whl .venv/bootstrap/uv
    uv=$(echo .venv/bootstrap/uv/uv-*.data/scripts/uv)
    chmod +x "$uv"
    run "cannot make .venv" "$uv" venv --allow-existing --no-project --python "$python" .venv
    run "cannot fill .venv" "$uv" pip install --python .venv/bin/python --offline --no-index --require-hashes \
        --find-links .venv/bootstrap/wheels --requirement requirements/tools.txt
    rm -rf .venv/bootstrap
    { echo "$made_by" >.venv/made-by; } 2>/dev/null || fail "cannot write $root/.venv/made-by: is the disk full?"
}

# Defines pip(): Python's own, else the one that makes virtual environments, else the wheel from Debian's package.
find_pip() {
    export PIP_REQUIRE_VIRTUALENV=0 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
    # uv's settings are good for pip as well where that has none in its variables.
    [ -n "${PIP_INDEX_URL:-}" ] || [ -z "${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-}}" ] ||
        export PIP_INDEX_URL="${UV_DEFAULT_INDEX:-$UV_INDEX_URL}"
    [ -n "${PIP_CERT:-}" ] || [ -z "${SSL_CERT_FILE:-}" ] || export PIP_CERT="$SSL_CERT_FILE"
    if "$python" -c 'import pip' 2>/dev/null; then
        pip() { "$python" -m pip "$@"; }
    elif "$python" -c 'import ensurepip' 2>/dev/null; then
        run "cannot make a virtual environment" "$python" -m venv .venv/bootstrap/pip
        pip() { .venv/bootstrap/pip/bin/python -m pip "$@"; }
    elif command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
        unpack_pip
        pip() { "$python" "$(echo .venv/bootstrap/debian/usr/share/python-wheels/pip-*.whl)/pip" "$@"; }
    else
        fail "$python has neither pip nor ensurepip: install pip for it (the package is often called python3-pip)"
    fi
}

# Debian and Ubuntu have pip in packages of its own. Downloading one needs no root and installs nothing.
unpack_pip() {
    problem="cannot download Debian's package python3-pip-whl (see the network and /etc/apt, or install python3-pip)"
    mkdir -p .venv/bootstrap/lists .venv/bootstrap/cache
    (
        cd .venv/bootstrap
        # Without package lists, as in a container's image, or with old ones: lists of our own.
        if ! apt-get --quiet download python3-pip-whl >/dev/null 2>&1; then
            run "$problem" private_apt update
            run "$problem" private_apt download python3-pip-whl
        fi
    )
    run "cannot unpack Debian's package python3-pip-whl" dpkg-deb -x "$(echo .venv/bootstrap/python3-pip-whl_*.deb)" .venv/bootstrap/debian
}

private_apt() {
    apt-get --quiet --option APT::Sandbox::User=root --option Debug::NoLocking=true \
        --option "Dir::State::lists=$PWD/lists" --option "Dir::Cache=$PWD/cache" "$@"
}

main "$@"
