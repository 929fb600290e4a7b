#!/bin/sh
# Make .venv hold what requirements.lock pins, and this project; a moment's work if it does already.
# PYTHON=... in the environment chooses the interpreter.
set -u
cd "$(dirname "$0")/.." || exit 1
stamp=.venv/oulib-setup log=.venv/pip.log

fail() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Can $1 make the environment?  Prints the interpreter behind it and returns 0; or prints why not and
# returns 3; or is no Python for us and returns something else.  Only running it tells: a pyenv shim
# may be on the path and fail, and Debian packs a part of venv on its own.
probe() {
    "$1" -c '
import importlib, os, sys, sysconfig
right = (3, 12) <= sys.version_info[:2] <= (3, 13) and sys.implementation.name == "cpython"
if not right or sysconfig.get_config_var("Py_GIL_DISABLED"):
    sys.exit(1)
for part in ("ctypes", "ensurepip", "sqlite3", "ssl", "venv", "zlib"):
    try:
        importlib.import_module(part)
    except ImportError:
        print(f"{sys.executable} cannot make an environment because its module {part} is missing: "
              "install that part (on Debian and Ubuntu the package python3.12-venv or "
              "python3.13-venv), or name another Python 3.12 or 3.13 with PYTHON=/path/to/python.")
        sys.exit(3)
print(os.path.realpath(sys._base_executable))
' 2>/dev/null </dev/null
}

candidates() {
    # All on the path, not only the first of a name: one that fails may hide one that works.
    for name in python3.13 python3.12 python3 python; do
        (IFS=: && for folder in ${PATH:-}; do printf '%s\n' "${folder:-.}/$name"; done)
    done
    for root in "${PYENV_ROOT:-}" "${HOME:-}/.pyenv"; do
        printf '%s\n' "$root"/versions/3.13.*/bin/python "$root"/versions/3.12.*/bin/python
    done
    for uv in uv "${HOME:-}/.local/bin/uv"; do
        for version in 3.13 3.12; do
            UV_PYTHON_DOWNLOADS=never "$uv" python find --system --no-project "$version" 2>/dev/null
        done
    done
}

choose_python() {
    if [ -n "${PYTHON:-}" ]; then
        python=$(probe "$PYTHON") && return
        [ $? = 3 ] && fail "$python"
        fail "PYTHON=$PYTHON is not a Python 3.12 or 3.13 that runs: name one that is, or leave PYTHON out to have one looked for."
    fi
    python=$(probe "$base") && return
    lacking=
    while IFS= read -r candidate; do
        [ -x "$candidate" ] || continue
        python=$(probe "$candidate") && return
        [ $? = 3 ] && lacking=${lacking:-$python}
    done <<EOF
$(candidates)
EOF
    fail "${lacking:-No Python 3.12 or 3.13 was found on the PATH, under pyenv or through uv: install one (https://www.python.org/downloads/ or \`uv python install 3.13\`), or name one with PYTHON=/path/to/python.}"
}

pip_install() {
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input --no-deps "$@" \
        >>$log 2>&1 && return
    cat $log >&2
    fail "The environment could not be set up; pip says why above."
}

# What the environment was made from: the lock and the place (it does not survive a move), the
# interpreter, and the project file.  The stamp is written last, so half an environment has none.
wanted="$(cksum <requirements.lock) $PWD" project=$(cksum <pyproject.toml)
made='' base='' installed=''
if [ -f $stamp ]; then
    { IFS= read -r made && IFS= read -r base && IFS= read -r installed; } <$stamp
fi

choose_python
if [ "$made" != "$wanted" ] || [ "$base" != "$python" ] || ! .venv/bin/python -c '' 2>/dev/null; then
    echo "Creating the environment in .venv (a few minutes the first time) ..."
    rm -rf .venv
    "$python" -m venv .venv || fail "$python could not make an environment in .venv."
    pip_install --requirement requirements.lock
    installed=
fi
if [ "$installed" != "$project" ]; then
    rm -f $stamp
    pip_install --no-build-isolation --editable .
    printf '%s\n' "$wanted" "$python" "$project" >$stamp
fi
