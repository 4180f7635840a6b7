#!/bin/sh
# Choose the Python of the virtual environment:
#   python.sh --make FOLDER [PYTHON]   make the environment, unless it is there
#   python.sh --keep FOLDER [PYTHON]   say yes if the one that is there will do
#   python.sh --which [PYTHON]         print the Python that would be taken
#   python.sh --newest                 print the newest that fits, wherever it is
# PYTHON is the one to take and no other. Without it: the newest on the PATH that fits, else one that
# pyenv has, else one that uv has or can get. Where none is to be had, one line says what to do.
newest=3.13
fitting="3.13 3.12 3.11"

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }
# Wheels are for CPython with its global lock only.
usual() {
    "$1" -c 'import sys; f = getattr(sys, "_is_gil_enabled", lambda: True)
sys.exit(sys.implementation.name != "cpython" or not f())' 2>/dev/null
}
fits() { case " $fitting " in *" $(version "$1") "*) usual "$1" ;; *) return 1 ;; esac }

refuse() {
    echo "genreflow needs Python 3.11, 3.12 or 3.13 with venv; $1. Install one (Debian, Ubuntu:" \
        "apt install python3 python3-venv), or uv, which brings its own (pip install uv), or name" \
        "one that is here: make PYTHON=/path/to/python3.13 ..." >&2
    exit 1
}

named() {
    number=$(version "$1") || refuse "$1 is no Python that runs"
    usual "$1" || number="$number of another kind than CPython"
    fits "$1" || refuse "$1 is $number"
    has_venv "$1" || refuse "$1 has none"
    echo "$1"
}

# All programs of a name on the PATH: the first may be a shim that leads nowhere, or lack venv.
on_path() {
    IFS=:
    for folder in $PATH; do [ -x "$folder/$1" ] && echo "$folder/$1"; done
    unset IFS
}

of_pyenv() {
    for one in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do [ -x "$one" ] && echo "$one"; done
}

first_that_fits() {
    while read -r python; do
        fits "$python" && has_venv "$python" && echo "$python" && return
    done
    return 1
}

found() {
    names="$(for number in $fitting; do echo "python$number"; done) python3 python"
    for name in $names; do on_path "$name"; done | first_that_fits && return
    for number in $fitting; do of_pyenv "$number"; done | first_that_fits && return
    by_uv || refuse "here $(what_is_there)"
}

newest() {
    for number in $fitting; do
        { on_path "python$number"; of_pyenv "$number"; } | first_that_fits && return
    done
}

what_is_there() {
    there=
    for python in python3.13 python3.12 python3.11 python3 python; do
        number=$(version "$python") || continue
        usual "$python" || number="$number of another kind than CPython"
        has_venv "$python" || number="$number without venv"
        there="$there${there:+, }$python is $number"
    done
    echo "${there:-is no Python at all}"
}

# The uv that is here, or one from PyPI in a folder that is thrown away.
by_uv() {
    uv=$(command -v uv) || {
        scratch=$(mktemp -d) && trap 'rm -rf "$scratch"' EXIT
        python3 -m venv "$scratch" >/dev/null 2>&1 &&
            "$scratch/bin/python" -m pip install --quiet uv >/dev/null 2>&1
        uv=$scratch/bin/uv
    }
    "$uv" python install $newest >/dev/null 2>&1
    "$uv" python find --no-project --managed-python ">=3.11,<3.14" 2>/dev/null
}

which_one() { if [ -n "$1" ]; then named "$1"; else found; fi; }

case $1 in
    --which) which_one "$2" ;;
    --newest) newest ;;
    --keep)
        fits "$2/bin/python" && { [ -z "$3" ] || [ "$(version "$3")" = "$(version "$2/bin/python")" ]; } && echo yes
        ;;
    --make)
        [ "$(sh "$0" --keep "$2" "$3")" = yes ] && exit
        python=$(which_one "$3") || exit
        rm -rf "$2"
        "$python" -m venv "$2"
        ;;
esac
