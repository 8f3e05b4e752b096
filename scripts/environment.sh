# Sourced by the other scripts: puts the project's own virtual environment in place and on the path.
#
#   use_environment FILE...    .venv with everything in each FILE (a requirements file), in this order;
#                              installs only what changed since the last time, and starts over after
#                              an interruption; leaves the script in the checkout
#   back_to_caller             into the folder that the script was called in, which the paths among its
#                              arguments are relative to; what is imported is the checkout's
#   absolute PATH              the same for one path, by a script that stays in the checkout

called_in=$PWD

back_to_caller() {
    export PYTHONPATH=$PWD
    cd "$called_in"
}

absolute() {
    case $1 in /*) echo "$1" ;; *) echo "$called_in/$1" ;; esac
}

use_environment() {
    local requirements stamp wanted
    cd "$(dirname "${BASH_SOURCE[0]}")/.." || return 1
    wanted=$(cat requirements*.txt | cksum)
    for requirements in "$@"; do
        stamp=.venv/installed-$requirements
        if [ ! -x .venv/bin/python ] || [ -e "$unfinished" ] ||
            [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
            _install "$requirements" || return
            echo "$wanted" >"$stamp"
        fi
    done
    PATH=$PWD/.venv/bin:$PATH
    export PATH
}

# What tests and benchmarks. PyTorch comes by itself: its file has no hash that holds everywhere, and
# pip checks all or none.
use_developer_environment() {
    use_environment requirements-dev.txt requirements-neural.txt
}

# Holds the number of the process that installs; outside .venv, which is made anew.
unfinished=.venv-unfinished

_install() {
    local requirements=$1 python other
    if other=$(cat "$unfinished" 2>/dev/null) && kill -0 "$other" 2>/dev/null; then
        echo "process $other is setting up .venv; wait for it, or remove $unfinished if it is not" >&2
        return 1
    fi
    # A process that was stopped may leave half a package that pip takes for a whole one.
    if [ -e "$unfinished" ] || ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
        python=$(find_python) || return
        _begin
        echo "setting up .venv with $python" >&2
        "$python" -m venv --clear .venv >&2 || {
            echo "cannot make a virtual environment; on Debian install python3-venv" >&2
            return 1
        }
    fi
    _begin
    echo "installing $requirements" >&2
    # What is never imported need not be compiled; the rest is at its first import.
    if ! .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile \
        -r "$requirements" >&2; then
        rm "$unfinished"
        echo "$requirements could not be installed; see pip's words above" >&2
        return 1
    fi
    trap - INT
    rm "$unfinished"
}

_begin() {
    echo $$ >"$unfinished"
    trap 'echo "interrupted; the next run starts over" >&2; exit 130' INT
}

# The first of these that is new enough; PYTHON may name one.
find_python() {
    local name
    for name in "${PYTHON:-}" python3.11 python3.12 python3.13 python3.14 python3; do
        if command -v "$name" >/dev/null && "$name" -c \
            'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "Python 3.11 or newer is needed and was not found; set PYTHON to name one" >&2
    return 1
}
