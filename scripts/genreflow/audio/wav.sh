#!/usr/bin/env bash
# Resample one clip to 16-bit mono: wav.sh SOURCE WAV RATE MAX_SAMPLES SECONDS_TO_READ OPTION...
# The options say what ffmpeg may open (genreflow.audio.formats.SAFE).
# $FFMPEG is the program; what it says goes to stderr, the job's log. A clip that can't be decoded
# gives a WAV with no frames (the audit lists it); whatever else goes wrong (full disk, no ffmpeg,
# a bug) is an error.
set -uo pipefail

if (($# < 6)); then
    echo "wav.sh: expected the options that say what ffmpeg may open" >&2
    exit 2
fi

source="$1" wav="$2" rate="$3" max_samples="$4" read="$5" patience="${GENREFLOW_DECODE_SECONDS:-60}"
printf -v shown %q "$source" # no name changes the terminal

# Numbers end up in ffmpeg's filters and in Bash's arithmetic, both of which can run what they hold.
number() { # NAME VALUE PATTERN
    local LC_ALL=C # in which 0-9 are ten digits
    [[ $2 =~ ^($3)$ ]] && return
    printf 'wav.sh: %s is %q; expected a number such as 22050\n' "$1" "$2" >&2
    exit 2
}
whole='[1-9][0-9]{0,14}'
number RATE "$rate" "$whole"
number MAX_SAMPLES "$max_samples" "$whole"
number SECONDS_TO_READ "$read" "$whole([.][0-9]{1,15})?"
number GENREFLOW_DECODE_SECONDS "$patience" "0|$whole"

part="$(dirname -- "$wav")/.part-$(basename -- "$wav")"
trap 'rm -f -- "$part"' EXIT
# What others put in either place, a link to another's file for instance, is itself removed.
[[ ! -L $wav ]] || rm -f -- "$wav"
[[ ! -L $part && ! -e $part ]] || rm -f -- "$part"
set -o noclobber
if ! : >"$part"; then
    echo "could not write $wav" >&2
    exit 1
fi
set +o noclobber
shift 5
safe=("$@")

# A clip that takes more is damaged: 384 kHz with 8 channels take a tenth of a second for each.
# Processor time, for a slow disk or a busy machine says nothing about a clip. A machine that is
# slow itself may be given more.
seconds=${read%.*}
limit=$((patience + (seconds < 600 ? seconds : 600)))
ulimit -S -t "$limit"

# rematrix_maxval keeps the mix of several channels at their mean instead of their sum.
filters="aresample=$rate:resampler=soxr:ochl=mono:rematrix_maxval=1.0,atrim=end_sample=$max_samples"
pcm=(-c:a pcm_s16le -map_metadata -1 -fflags +bitexact -flags +bitexact)

# Size and time, by GNU's stat or BSD's.
state() { stat -L -c '%s %y' -- "$source" 2>/dev/null || stat -L -f '%z %Fm' -- "$source"; }

decode() { # some seconds more than needed, so that three hours of audio cost no more
    "$FFMPEG" -nostdin -hide_banner -loglevel error -y -threads 1 "${safe[@]}" -t "$read" \
        -i "file:$source" -map 0:a:0 -af "$filters" "${pcm[@]}" -f "$1" "$2"
}

if [[ -e $source && ! -f $source ]]; then
    echo "$shown is not a file" >&2 # to open a named pipe is to wait for ever
    exit 1
fi
if ! before="$(state)"; then
    echo "$shown was there when the run began, and is gone: put it back, or run again without it" >&2
    exit 1
fi
said="$(decode wav "$part" 2>&1)"
status=$?
[[ -z $said ]] || printf '%s\n' "$said" >&2
if ((status)); then
    # Does the clip fail, or does everything? No frames of silence must pass the same filters.
    if ! head -c 1 -- "$source" >/dev/null || ! "$FFMPEG" -nostdin -loglevel error -y -t "$read" \
        -f lavfi -i anullsrc -af "$filters,atrim=end_sample=0" "${pcm[@]}" "$part"; then
        echo "could not run ffmpeg ($FFMPEG), read $shown or write $wav" >&2
        exit 1
    fi
    if decode null - 2>/dev/null; then
        why="$(grep -o -m 1 -E 'No space left on device|Input/output error' <<<"$said")"
        echo "$shown can be decoded, but $wav could not be written${why:+: $why}" >&2
        exit 1
    fi
    # How ffmpeg ends at the limit: by itself, by force, or killed by the system.
    case $status in
        255 | 123 | 152) echo "left out: decoding takes more than $limit s of processor time" >&2 ;;
    esac
fi
# Snakemake would take the WAV for one of the clip as it is now.
if [[ $(state) != "$before" ]]; then
    echo "$shown changed or vanished while it was read: run again" >&2
    exit 1
fi
mv -f -- "$part" "$wav"
