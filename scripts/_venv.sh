# Sourced by the scripts beside it: makes .venv in the repository and installs ds3sim there.
#
#   repository=/path/to/repo; source "$repository/scripts/_venv.sh"
#   install_into_venv [EXTRA]     sets $venv; EXTRA is "test", "bench" or nothing
#
# Versions come from constraints.txt. A stamp file, made from the hash of pyproject.toml,
# constraints.txt and the interpreter, makes a second call return at once.

fail() {
    echo "error: $*" >&2
    exit 1
}

# Prints the first Python >= 3.11 that runs and can make virtual environments.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3 python3.13 python3.12 python3.11 python3.14 python; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

install_into_venv() {
    local extra=${1:-} target=. python wanted stamp
    venv=$repository/.venv
    [[ -n $extra ]] && target=".[$extra]"
    stamp=$venv/.ds3sim-installed${extra:+-$extra}

    if [[ ! -x $venv/bin/python ]] || ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
        python=$(find_python) || fail "no python3 >= 3.11 with the venv module was found:" \
            "install one (Debian, Ubuntu: apt-get install python3 python3-venv), or name it, PYTHON=/path/to/python3.11 $0"
        echo "Making .venv with $("$python" --version)" >&2
        rm -f "$venv"/.ds3sim-installed*
        "$python" -m venv "$venv" || fail "could not make $venv with $python"
    fi

    wanted=$(cd "$repository" && { cat pyproject.toml constraints.txt; "$venv/bin/python" --version; } | cksum)
    if [[ -f $stamp && $(<"$stamp") == "$wanted" ]]; then
        return 0
    fi
    echo "Installing ds3sim${extra:+ with the $extra extra} into .venv (a minute or two the first time)" >&2
    (cd "$repository" && "$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt --editable "$target") ||
        fail "the installation failed; the messages above say why"
    echo "$wanted" >"$stamp"
}
