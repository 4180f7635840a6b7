"""Audio files that are damaged, extreme or no audio at all. The same seed gives the same files."""

import os
import shutil
import socket
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from made.clips import encode
from made.tagged import seven_bits

RATE = 22050
SECONDS = 2.5
HOURS = 3
FUZZED = 6
"""Files of each format with a damaged header, and as many with a damaged body."""
GENRES = ("Folk", "Rock")

FORMATS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "flac": ("FLAC", "PCM_16"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "wav": ("WAV", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "PCM_16"),
    "m4a": None,
    "aac": None,
}
"""Suffix -> what libsndfile calls the format; ffmpeg writes the others."""

HEADER = 64
"""Bytes at the start of a file of which a damaged header has some others."""


@dataclass(frozen=True)
class Input:
    """One file, or what stands where a file should be.

    Attributes
    ----------
    kind
        What is wrong or odd, for the table of outcomes.
    path
        Where it is.
    """

    kind: str
    path: Path


def music(seed, *, seconds=SECONDS, rate=RATE, channels=1):
    """Return a chord in noise, float64, (n, channels)."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(seconds * rate))[:, None] / rate
    pitches = rng.uniform(100, 2000, (3, 1, channels))
    chord = 0.1 * np.sin(2 * np.pi * pitches * time).sum(axis=0)
    return chord + 0.03 * rng.standard_normal((len(time), channels))


def good(folder):
    """Write clips with nothing wrong, four of each genre."""
    paths = []
    for genre in GENRES:
        (folder / genre).mkdir(parents=True, exist_ok=True)
        for number in range(4):
            paths.append(folder / genre / f"good {number}.wav")
            seed = [GENRES.index(genre), number]
            soundfile.write(paths[-1], music(seed), RATE)
    return paths


def bad(folder, seed=0):
    """Write all the others, and list them."""
    inputs = _Inputs(folder, seed)
    for add in (_fuzzed, _forms, _long, _nothing, _other, _places, _names):
        add(inputs)
    return inputs.made


class _Inputs:
    """Gives each input a place of its own, in the genres by turns."""

    def __init__(self, folder, seed):
        self.folder, self.rng, self.made = folder, np.random.default_rng(seed), []
        self.scratch = folder.with_name("scratch")
        self.scratch.mkdir()

    def place(self, kind, name):
        path = self.folder / GENRES[len(self.made) % 2] / name
        assert not os.path.lexists(path), path
        self.made.append(Input(kind, path))
        return path

    def write(self, kind, name, content):
        self.place(kind, name).write_bytes(content)

    def sound(self, kind, name, samples, rate=RATE, **form):
        soundfile.write(self.place(kind, name), samples, rate, **form)


def whole(scratch, suffix, seed=0):
    """Return the bytes of a good clip in a format."""
    path = scratch / f"{seed}.{suffix}"
    if FORMATS[suffix]:
        name, subtype = FORMATS[suffix]
        # Opus knows some rates only.
        rate = 24000 if suffix == "opus" else RATE
        soundfile.write(path, music(seed, rate=rate), rate, format=name, subtype=subtype)
    else:
        soundfile.write(scratch / "source.wav", music(seed), RATE)
        encode(path, "-i", scratch / "source.wav", "-c:a", "aac")
    return path.read_bytes()


def _changed(rng, content, first, last, count):
    """Return content with some bytes between two places replaced."""
    changed = np.frombuffer(content, np.uint8).copy()
    places = rng.integers(first, min(last, len(content)), count)
    changed[places] = rng.integers(0, 256, count)
    return changed.tobytes()


def _fuzzed(inputs):
    rng = inputs.rng
    for number, suffix in enumerate(FORMATS):
        content = whole(inputs.scratch, suffix, seed=number)
        for n in range(FUZZED):
            damaged = _changed(rng, content, 0, HEADER, 2 + 2 * n)
            inputs.write("damaged header", f"header {n}.{suffix}", damaged)
        for n in range(FUZZED):
            damaged = _changed(rng, content, HEADER, len(content), len(content) >> (3 + n))
            inputs.write("damaged body", f"body {n}.{suffix}", damaged)
        for share in (10, 50, 99):
            cut = content[: len(content) * share // 100]
            inputs.write("cut off", f"{share} percent.{suffix}", cut)
        inputs.write("header only", f"header only.{suffix}", content[:HEADER])
        hole = content[:HEADER] + bytes(len(content) // 2) + content[HEADER + len(content) // 2 :]
        inputs.write("half of it zeros", f"zeros.{suffix}", hole)
        big = content[:4] + b"\xff" * 4 + content[8:]
        inputs.write("absurd length in the header", f"length.{suffix}", big)
        inputs.write("zero bytes", f"empty.{suffix}", b"")
        inputs.write("random bytes", f"random.{suffix}", rng.bytes(20_000))
        inputs.write("text", f"text.{suffix}", b"This is not music.\n" * 200)


def _forms(inputs):
    for channels in range(1, 9):
        sound = music(100 + channels, channels=channels)
        inputs.sound("1 to 8 channels", f"{channels} channels.wav", sound)
        if channels > 1:
            inputs.sound("1 to 8 channels", f"{channels} channels.flac", sound)
    for rate in (1, 10, 100, 1000, 4000, 8000, 96000, 192000, 384000, 2**31 - 1):
        sound = music(200, rate=rate, seconds=min(SECONDS, 50_000 / rate))
        sound = sound if len(sound) > 100 else music(200, rate=100)
        inputs.sound("1 Hz to 2 GHz", f"{rate} Hz.wav", sound, rate)
    path = inputs.place("30 s at 384 kHz with 8 channels", "wide.flac")
    block = 0.02 * music(201, rate=96000, seconds=3, channels=8)
    with soundfile.SoundFile(path, "w", 384_000, 8, "PCM_16") as file:
        for _ in range(40):
            file.write(block)
    subtypes = ("PCM_U8", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW")
    for number, subtype in enumerate((*subtypes, "IMA_ADPCM", "MS_ADPCM", "GSM610")):
        sound = music([201, number])
        inputs.sound("8 to 64 bits, float", f"{subtype}.wav", sound, subtype=subtype)
    inputs.sound("8 to 64 bits, float", "24.flac", music(202), subtype="PCM_24")
    for count in (0, 1, 2, 100):
        for suffix in ("wav", "flac", "ogg", "mp3"):
            name = f"{count} samples.{suffix}"
            inputs.sound("0 to 100 samples", name, music(203)[:count])
    values = {"NaN": np.nan, "inf": np.inf, "-inf": -np.inf, "1e30": 1e30, "1e-40": 1e-40}
    for name, value in values.items():
        for what, places in (("one", slice(9999, 10_000)), ("all", slice(None))):
            sound = music([204, len(name)])
            sound[places] = value
            kind = f"{what} of the samples NaN, infinite or absurd"
            inputs.sound(kind, f"{what} {name}.wav", sound, subtype="FLOAT")
    for name, level in {"silence": 0, "constant": 0.5, "full scale": 1}.items():
        inputs.sound("silence, constants", f"{name}.wav", np.full(3 * RATE, float(level)))
    inputs.sound("clipped throughout", "clipped.wav", np.sign(music(205)))
    pcm = music(206)[:, 0].astype("<f2").tobytes()
    headers = {
        "no channels": (1, 0, RATE, 0, 16),
        "65535 channels": (1, 65535, RATE, 65535, 16),
        "0 Hz": (1, 1, 0, 2, 16),
        "1 bit": (1, 1, RATE, 2, 1),
        "255 bits": (1, 1, RATE, 32, 255),
        "no such format": (0x1234, 1, RATE, 2, 16),
    }
    for name, (form, channels, rate, align, bits) in headers.items():
        fields = struct.pack("<HHIIHH", form, channels, rate, rate * align % 2**32, align, bits)
        chunks = b"WAVEfmt " + struct.pack("<I", 16) + fields
        chunks += b"data" + struct.pack("<I", len(pcm)) + pcm
        content = b"RIFF" + struct.pack("<I", len(chunks)) + chunks
        inputs.write("senseless header", f"{name}.wav", content)


def _long(inputs):
    """Write hours of silence that take next to no room: sparse, compressed, repeated."""
    kind = f"{HOURS} hours of silence"
    rate, seconds = 44100, HOURS * 3600
    path = inputs.place(kind, "long.wav")
    soundfile.write(path, np.zeros((0, 2)), rate)
    header = bytearray(path.read_bytes()[:44])
    size = seconds * rate * 4
    header[4:8], header[40:44] = struct.pack("<I", 36 + size), struct.pack("<I", size)
    with path.open("wb") as file:
        file.write(header)
        file.truncate(44 + size)
    block = np.zeros((60 * 8000,), np.int16)
    with soundfile.SoundFile(inputs.place(kind, "long.flac"), "w", 8000, 1, "PCM_16") as file:
        for _ in range(HOURS * 60):
            file.write(block)
    short = inputs.scratch / "short.mp3"
    soundfile.write(short, np.zeros(60 * 8000), 8000)
    inputs.write(kind, "long.mp3", short.read_bytes() * (HOURS * 60))
    for suffix in ("mp3", "wav", "flac", "ogg", "m4a"):
        with inputs.place("128 MB of zero bytes", f"zeros only.{suffix}").open("wb") as file:
            file.truncate(2**27)


def tag(picture, size=None):
    """Return an ID3 tag with a picture, of which the rest may have been left out."""
    body = b"\0\0image/png\0\x03\0" + picture
    size = size or len(body)
    return b"ID3\x04\0\0" + seven_bits(size + 10) + b"APIC" + seven_bits(size) + b"\0\0" + body


def _nothing(inputs):
    """Write files of audio formats that hold no audio."""
    scratch = inputs.scratch
    red = ("-f", "lavfi", "-i", "color=red:size=64x64:duration=1")
    picture = encode(scratch / "cover.png", *red, "-frames:v", "1").read_bytes()
    inputs.write("cover art only", "cover.mp3", tag(picture))
    inputs.write("cover art only", "picture.mp3", picture)
    inputs.write("cover art only", "picture.flac", picture)
    encode(scratch / "cover.mp4", *red, "-c:v", "png")
    inputs.write("cover art only", "film.m4a", (scratch / "cover.mp4").read_bytes())
    vorbis = struct.pack("<I", 0) * 2
    block = struct.pack(">II", 3, 9) + b"image/png" + struct.pack(">IIIIII", 0, 64, 64, 24, 0, 9)
    block += b"not a PNG"
    info = whole(scratch, "flac")[4:42]
    flac = b"fLaC" + info[:1] + info[1:] + b"\x04" + len(vorbis).to_bytes(3, "big") + vorbis
    flac += b"\x86" + len(block).to_bytes(3, "big") + block
    inputs.write("cover art only", "cover.flac", flac)
    mp3 = whole(scratch, "mp3", seed=300)
    size = 2**28 - 2**20
    with inputs.place("a picture of 255 MB before the audio", "picture before.mp3").open("wb") as f:
        f.write(tag(b"", size))
        f.seek(20 + size)
        f.write(mp3)
    inputs.write("tags only", "tag.mp3", b"ID3\x04\0\0" + seven_bits(4096) + bytes(4096))
    inputs.write("tags only", "tag at the end.mp3", b"TAG" + b"title".ljust(125, b"\0"))
    inputs.write("junk around the audio", "junk before.mp3", inputs.rng.bytes(2**20) + mp3)
    inputs.write("junk around the audio", "junk after.mp3", mp3 + inputs.rng.bytes(2**20))
    flac = whole(scratch, "flac", seed=301)
    inputs.write("junk around the audio", "tag before.flac", tag(picture) + flac)
    low = scratch / "low.mp3"
    soundfile.write(low, music(302, rate=8000, channels=2), 8000)
    inputs.write("rate or channels change", "rate.mp3", mp3 + low.read_bytes() + mp3)
    chain = [whole(scratch, "ogg", seed=303), whole(scratch, "opus", seed=304)]
    inputs.write("rate or channels change", "chain.ogg", b"".join(chain))
    stereo = scratch / "stereo.ogg"
    soundfile.write(stereo, music(305, rate=48000, channels=2), 48000)
    inputs.write("rate or channels change", "stereo.ogg", chain[0] + stereo.read_bytes())


def _other(inputs):
    """Write what is something else, or refers to something else."""
    heads = {
        "zip": b"PK\x03\x04" + bytes(500),
        "pdf": b"%PDF-1.7\n" + bytes(500),
        "program": b"\x7fELF" + bytes(500),
        "page": b"<!doctype html><title>404</title>" * 20,
        "pickle": b"cposix\nsystem\n(S'touch hacked'\ntR.",
        "sqlite": b"SQLite format 3\0" + bytes(500),
        "one byte": b"\0",
    }
    for name, content in heads.items():
        inputs.write("another kind of file", f"{name}.mp3", content)
    for suffix, inside in (("mp3", "flac"), ("flac", "mp3"), ("wav", "ogg"), ("ogg", "wav")):
        content = whole(inputs.scratch, inside, seed=400 + len(inputs.made))
        inputs.write("another format than its name says", f"{inside} inside.{suffix}", content)
    video = encode(inputs.scratch / "film.mkv", "-f", "lavfi", "-i", "sine=d=3", "-c:a", "aac")
    inputs.write("another format than its name says", "matroska.m4a", video.read_bytes())
    # What they name is there, and whoever opens the pipe waits for ever.
    os.mkfifo(inputs.folder / "pipe")
    shutil.copy(inputs.folder / GENRES[0] / "good 0.wav", inputs.folder / "other.dat")
    lists = {
        "file.mp3": "ffconcat version 1.0\nfile ../other.dat\n",
        "pipe.mp3": "ffconcat version 1.0\nfile ../pipe\n",
        "hls.wav": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n../other.dat\n#EXT-X-ENDLIST\n",
        "url.mp3": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\nhttp://127.0.0.1:9/x.mp3\n",
        "sdp.au": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nt=0 0\nm=audio 9 RTP/AVP 0\n",
        "dash.m4a": "<?xml version='1.0'?><MPD xmlns='urn:mpeg:dash:schema:mpd:2011'></MPD>",
    }
    for name, text in lists.items():
        inputs.write("a list of other files", f"list {name}", text.encode())


def _places(inputs):
    """Make what isn't a file, though its name says so."""
    loop = inputs.place("a link to itself or to nothing", "loop.mp3")
    loop.symlink_to(loop.name)
    one = inputs.place("a link to itself or to nothing", "one.mp3")
    other = inputs.place("a link to itself or to nothing", "other.mp3")
    one.symlink_to(other)
    other.symlink_to(one)
    inputs.place("a link to itself or to nothing", "nowhere.mp3").symlink_to("nothing.mp3")
    os.mkfifo(inputs.place("a named pipe", "pipe.mp3"))
    inputs.place("a named pipe", "link to a pipe.flac").symlink_to("../pipe")
    inputs.place("a device", "zero.wav").symlink_to("/dev/zero")
    inputs.place("a device", "null.mp3").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        path = inputs.place("a socket", "socket.mp3")
        place = inputs.scratch / "s"
        server.bind(min(str(place), os.path.relpath(place), key=len))  # it must be short
        place.rename(path)
    inputs.place("a folder named like audio", "folder.mp3").mkdir()
    inside = inputs.place("a folder named like audio", "album.mp3") / "clip.wav"
    inside.parent.mkdir()
    soundfile.write(inside, music(500), RATE)
    inputs.made[-1] = Input(inputs.made[-1].kind, inside)
    if os.geteuid():
        path = inputs.place("a file that may not be read", "secret.wav")
        soundfile.write(path, music(501), RATE)
        path.chmod(0)


def _names(inputs):
    not_utf_8 = inputs.place("a name that is not in UTF-8", os.fsdecode(b"M\xfcsik.wav"))
    soundfile.write(inputs.scratch / "clip.wav", music(600), RATE)
    shutil.copy(inputs.scratch / "clip.wav", not_utf_8)
    kind = "a name of 255 bytes, or with strange characters"
    for number, name in enumerate(
        (
            b"x" * 251 + b".wav",
            ("音" * 83).encode() + b"xy.wav",
            b"new\nline \x1b[2J.wav",
            b"=HYPERLINK(0).wav",
        )
    ):
        path = inputs.place(kind, os.fsdecode(name))
        soundfile.write(inputs.scratch / "clip.wav", music([600, number]), RATE)
        shutil.copy(inputs.scratch / "clip.wav", path)
