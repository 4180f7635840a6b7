"""Which files count as audio, what ffmpeg may open, and what it says. Needs no other package."""

import re

_ENDINGS = (
    ".3gp .aac .ac3 .aif .aifc .aiff .amr .ape .asf .au .bwf .caf .dsf .eac3 .flac .m4a .m4b .m4r "
    ".mka .mp1 .mp2 .mp3 .mp4 .mpa .mpc .mpga .oga .ogg .opus .rf64 .snd .spx .tak .tta .w64 .wav "
    ".wave .weba .webm .wma .wv"
)
SUFFIXES = frozenset(_ENDINGS.split())
"""Files with these endings, in any letter case, are taken for audio."""

_CONTAINERS = (
    "aac ac3 aiff amr ape asf au caf dsf eac3 flac matroska mov mp3 mpc mpc8 ogg tak tta w64 wav wv"
)
"""Recordings only: a playlist would play other files."""

_CODECS = (
    "aac aac_latm ac3 adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_yamaha alac amrnb amrwb ape "
    "dsd_lsbf dsd_lsbf_planar dsd_msbf dsd_msbf_planar eac3 flac gsm gsm_ms libopencore_amrnb "
    "libopencore_amrwb libopus libvorbis mp1 mp1float mp2 mp2float mp3 mp3float mpc7 mpc8 opus "
    "pcm_alaw pcm_f16le pcm_f24le pcm_f32be pcm_f32le pcm_f64be pcm_f64le pcm_mulaw pcm_s16be "
    "pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s64be pcm_s64le pcm_s8 pcm_u16be "
    "pcm_u16le pcm_u24be pcm_u24le pcm_u32be pcm_u32le pcm_u8 speex tak tta vorbis wavpack "
    "wmalossless wmapro wmav1 wmav2 wmavoice"
)
"""Audio only: to know what a file holds, ffmpeg would open decoders of its pictures and films."""

SAFE = (
    *("-format_whitelist", ",".join(_CONTAINERS.split())),
    *("-codec_whitelist", ",".join(_CODECS.split())),
    *("-protocol_whitelist", "file"),
    *("-max_alloc", "64000000"),  # no picture needs memory of this size [bytes]
)
"""ffmpeg's options for a file of unknown origin, also the last arguments of wav.sh."""

_OWN = "left out: "
_OF_OTHER_STREAMS = "not on whitelist|Last message repeated"


def explain(said: str) -> str:
    """Return the reason in what wav.sh or ffmpeg said of a file that can't be decoded.

    Without ffmpeg's memory addresses, which differ from time to time.
    """
    lines = [re.sub(r"^\[[^\]]*\] ", "", line).strip() for line in said.splitlines()]
    own = [line.removeprefix(_OWN) for line in lines if line.startswith(_OWN)]
    # A picture or a film in the file is not what hindered it.
    other = [line for line in lines if line and not re.search(_OF_OTHER_STREAMS, line)]
    return [*own, *other, *filter(None, lines), "it holds no audio"][0]
