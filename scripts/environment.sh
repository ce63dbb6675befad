#!/bin/sh
# Makes the virtual environment VENV where it is missing or broken, then installs into it:
#
#     sh scripts/environment.sh VENV [arguments that `pip install` and `uv pip install` both take]
#
# PYTHON=/a/python picks the interpreter; otherwise the first of scripts/pythons.sh. uv does the work where it is
# installed (UV=no turns that off) and pip where it is not, or where uv fails: only pip may know this machine's index.
set -eu

venv=$1
shift
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1

say() { printf '%s\n' "$*" >&2; }

with_uv() { [ "${UV:-yes}" != no ] && command -v uv >/dev/null 2>&1; }

choose_python() {
    python=${PYTHON:-$(sh scripts/pythons.sh | head -n 1 | cut -d ' ' -f 2-)}
    if [ -z "$python" ]; then
        say "No Python from 3.11 up was found (looked for python3.13, python3.12, python3.11, python3 on PATH,"
        say "in ~/.pyenv and by uv). Install one, or name it: make PYTHON=/path/to/python3 ..."
        exit 1
    fi
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        say "PYTHON=$python does not run or is older than 3.11."
        exit 1
    fi
}

create() {
    choose_python
    say "Setting up $venv with $("$python" -c 'import sys; print("Python", sys.version.split()[0])') (once; about a minute)"
    rm -rf "$venv"
    if with_uv && uv venv --quiet --seed --python "$python" "$venv"; then
        return
    fi
    if "$python" -c 'import ensurepip' 2>/dev/null; then
        "$python" -m venv "$venv"
    else # Debian without python3-venv: the pip outside puts one inside
        "$python" -m venv --without-pip "$venv"
        "$python" -m pip --python "$venv/bin/python" install -qq pip
    fi
}

"$venv/bin/python" -c '' 2>/dev/null || create
[ $# -gt 0 ] || exit 0
if with_uv; then
    uv pip install --quiet --python "$venv/bin/python" "$@" && exit 0
    say "uv could not install; pip tries."
fi
exec "$venv/bin/python" -m pip install -qq "$@"
