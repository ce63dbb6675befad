#!/bin/sh
# Runs the tests on every Python from 3.11 up that scripts/pythons.sh finds, each in its own .venv-3.x. ARGS, from the
# environment or from `make test-all ARGS=...`, reaches each `make test` by itself.
set -u

pythons=$(sh scripts/pythons.sh | sort -t . -k 2n)
if [ -z "$pythons" ]; then
    echo "No Python from 3.11 up was found." >&2
    exit 1
fi
printf 'Found:\n%s\n' "$pythons"

passed="" failed=""
while read -r minor path; do
    printf '\n== Python %s (%s)\n' "$minor" "$path"
    if "${MAKE:-make}" test VENV=".venv-$minor" PYTHON="$path" </dev/null; then
        passed="$passed $minor"
    else
        failed="$failed $minor"
    fi
done <<END
$pythons
END

printf '\nPassed:%s\n' "${passed:- none}"
if [ -n "$failed" ]; then
    printf 'Failed:%s\n' "$failed"
    exit 1
fi
