# Sourced by the other scripts: puts the project's own virtual environment in place and on the path.
#
#   use_environment FILE    .venv with everything in FILE (a requirements file); installs only what
#                           changed since the last time

use_environment() {
    local requirements=$1 python stamp wanted
    cd "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
    if [ ! -x .venv/bin/python ]; then
        python=$(_find_python) || return 1
        echo "setting up .venv with $python" >&2
        "$python" -m venv .venv || {
            rm -rf .venv
            echo "cannot make a virtual environment; on Debian install python3-venv" >&2
            return 1
        }
    fi
    stamp=.venv/installed-$requirements
    wanted=$(cat requirements*.txt | cksum)
    if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
        echo "installing $requirements" >&2
        .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2 ||
            return 1
        echo "$wanted" >"$stamp"
    fi
    PATH=$PWD/.venv/bin:$PATH
    export PATH
}

_find_python() {
    local name
    for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))'; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11, 3.12 or 3.13 is needed and was not found; set PYTHON to name one" >&2
    return 1
}
