#!/bin/sh
# Prints `3.x path` for every Python from 3.11 up that this machine has, the preferred one first, one a minor version.
# A name on PATH is believed only after it ran: a pyenv shim can stand there with nothing behind it.
set -eu

seen=" "

# Takes the interpreter $1 if it runs, is 3.11 or newer, released, with the GIL, and of a minor version not seen yet.
try() {
    [ -x "$1" ] || return 0
    found=$("$1" -c '
import sys, sysconfig, venv
info = sys.version_info
if info >= (3, 11) and info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print("%d.%d" % info[:2], sys.executable)
' 2>/dev/null) || return 0
    minor=${found%% *}
    case "$seen" in *" $minor "*) return 0 ;; esac
    seen="$seen$minor "
    [ -z "$minor" ] || printf '%s\n' "$found"
}

for name in python3.13 python3.12 python3.11 python3.14 python3.15 python3 python; do
    rest=$PATH:
    while [ -n "$rest" ]; do
        try "${rest%%:*}/$name"
        rest=${rest#*:}
    done
done
for path in "${HOME:-/nonexistent}"/.pyenv/versions/*/bin/python; do
    try "$path"
done
if command -v uv >/dev/null 2>&1; then
    for minor in 3.13 3.12 3.11 3.14 3.15; do
        try "$(uv python find --no-python-downloads "$minor" 2>/dev/null || true)"
    done
fi
