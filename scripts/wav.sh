#!/usr/bin/env bash
# Resample one clip to 16-bit mono. A clip that can't be decoded gives a WAV with no frames
# (the audit lists it); whatever else goes wrong (full disk, no ffmpeg, a bug) is an error.
set -uo pipefail

source="file:${snakemake_input[source]}"
wav="${snakemake_output[0]}"
log="${snakemake_log[0]}"
rate="${snakemake_params[sample_rate]}"
part="$(dirname "$wav")/.part-$(basename "$wav")"
trap 'rm -f "$part"' EXIT

# rematrix_maxval keeps the mix of several channels at their mean instead of their sum.
filters="aresample=$rate:resampler=soxr:ochl=mono:rematrix_maxval=1.0"
filters+=",atrim=end_sample=${snakemake_params[max_samples]}"
bitexact=(-map_metadata -1 -fflags +bitexact -flags +bitexact)

decode() { # some seconds more than needed, so that three hours of audio cost no more
    "$FFMPEG" -nostdin -hide_banner -loglevel error -y -threads 1 -t "${snakemake_params[read]}" \
        -i "$source" -map 0:a:0 -af "$filters" -c:a pcm_s16le "${bitexact[@]}" -f "$1" "$2"
}

if ! decode wav "$part" 2>"$log"; then
    # Does the clip fail, or does everything? No frames of silence must pass the same filters.
    if ! head -c 1 -- "${snakemake_input[source]}" >/dev/null 2>>"$log" || ! "$FFMPEG" -nostdin \
        -loglevel error -y -t "${snakemake_params[read]}" -f lavfi -i anullsrc -af "$filters,atrim=end_sample=0" \
        -c:a pcm_s16le "${bitexact[@]}" "$part" 2>>"$log"; then
        echo "could not run ffmpeg ($FFMPEG), read $source or write $wav" >>"$log"
        exit 1
    fi
    if decode null - 2>/dev/null; then
        echo "$source can be decoded, but $wav could not be written" >>"$log"
        exit 1
    fi
fi
mv -f "$part" "$wav"
