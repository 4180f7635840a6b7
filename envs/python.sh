#!/bin/sh
# Choose the Python of the virtual environment:
#   python.sh --make FOLDER [PYTHON]   make the environment, unless it is there
#   python.sh --keep FOLDER [PYTHON]   say yes if the one that is there will do
#   python.sh --which [PYTHON]         print the Python that would be taken
# PYTHON is the one to take and no other. Without it: the newest that is here and fits, else one
# that uv has or can get. Where none is to be had, one line says what to do.
newest=3.13
fitting="3.13 3.12 3.11"

version() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }
fits() { case " $fitting " in *" $(version "$1") "*) ;; *) return 1 ;; esac }
has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

refuse() {
    echo "genreflow needs Python 3.11, 3.12 or 3.13 with venv; $1. Install one (Debian, Ubuntu:" \
        "apt install python3 python3-venv), or uv, which brings its own (pip install uv), or name" \
        "one that is here: make PYTHON=/path/to/python3.13 ..." >&2
    exit 1
}

named() {
    fits "$1" || refuse "$1 is $(version "$1" || echo "none that runs")"
    has_venv "$1" || refuse "$1 has none"
    echo "$1"
}

found() {
    there=
    for python in python3.13 python3.12 python3.11 python3 python; do
        if number=$(version $python); then
            has_venv $python || number="$number without venv"
            fits $python && has_venv $python && echo $python && return
            there="$there${there:+, }$python is $number"
        fi
    done
    by_uv || refuse "here ${there:-is no Python at all}"
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
