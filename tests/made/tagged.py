"""Audio files with tags."""

import struct
import subprocess
from itertools import chain

import imageio_ffmpeg

SETTINGS = {"aiff": ("-write_id3v2", "1"), "mp3": ("-write_xing", "0")}
"""What ffmpeg needs to write tags, or small files, by ending."""


def write_tagged(path, *, seconds=0.1, frequency=440, **tags):
    """Write a tone with tags by their names in ffmpeg, in the format of the path's ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", "-f", "lavfi"]
    command += ["-i", f"sine={frequency}:d={seconds}:r=22050", *SETTINGS.get(path.suffix[1:], ())]
    command += chain.from_iterable(("-metadata", f"{key}={value}") for key, value in tags.items())
    subprocess.run([*command, str(path)], check=True, stdin=subprocess.DEVNULL)
    return path


def id3(*frames, version=4):
    """Return a tag of ID3v2 of frames: a name, and its content as bytes."""
    body = b""
    for name, content in frames:
        size = seven_bits(len(content)) if version == 4 else struct.pack(">I", len(content))
        body += name.encode() + size + b"\0\0" + content
    return b"ID3" + bytes([version, 0, 0]) + seven_bits(len(body)) + body


def genre_frame(text, encoding=3):
    """Return the frame of a genre; encodings are numbered as in ID3v2."""
    codec = ("latin-1", "utf-16", "utf-16-be", "utf-8")[encoding]
    return "TCON", bytes([encoding]) + text.encode(codec)


def seven_bits(number):
    """Return a number in 7 bits a byte, as ID3 tags have them."""
    return bytes(number >> shift & 0x7F for shift in (21, 14, 7, 0))
