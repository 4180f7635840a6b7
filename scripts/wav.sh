#!/usr/bin/env bash
# Resample one clip to 16-bit mono: wav.sh SOURCE WAV RATE MAX_SAMPLES SECONDS_TO_READ
# $FFMPEG is the program; what it says goes to stderr, the job's log. A clip that can't be decoded
# gives a WAV with no frames (the audit lists it); whatever else goes wrong (full disk, no ffmpeg,
# a bug) is an error.
set -uo pipefail

source="$1" wav="$2" rate="$3" max_samples="$4" read="$5"
part="$(dirname -- "$wav")/.part-$(basename -- "$wav")"
trap 'rm -f -- "$part"' EXIT

# rematrix_maxval keeps the mix of several channels at their mean instead of their sum.
filters="aresample=$rate:resampler=soxr:ochl=mono:rematrix_maxval=1.0,atrim=end_sample=$max_samples"
pcm=(-c:a pcm_s16le -map_metadata -1 -fflags +bitexact -flags +bitexact)

decode() { # some seconds more than needed, so that three hours of audio cost no more
    "$FFMPEG" -nostdin -hide_banner -loglevel error -y -threads 1 -t "$read" \
        -i "file:$source" -map 0:a:0 -af "$filters" "${pcm[@]}" -f "$1" "$2"
}

if ! decode wav "$part"; then
    # Does the clip fail, or does everything? No frames of silence must pass the same filters.
    if ! head -c 1 -- "$source" >/dev/null || ! "$FFMPEG" -nostdin -loglevel error -y -t "$read" \
        -f lavfi -i anullsrc -af "$filters,atrim=end_sample=0" "${pcm[@]}" "$part"; then
        echo "could not run ffmpeg ($FFMPEG), read $source or write $wav" >&2
        exit 1
    fi
    if decode null - 2>/dev/null; then
        echo "$source can be decoded, but $wav could not be written" >&2
        exit 1
    fi
fi
mv -f -- "$part" "$wav"
