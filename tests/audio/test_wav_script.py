"""The Bash script of the rule `wav`, run as Snakemake runs it."""

import os
import re
import shlex
import subprocess
import sys

import imageio_ffmpeg
import librosa
import numpy as np
import pytest
import soundfile
from genreflow.audio import formats
from made.clips import DATA, WAV_SCRIPT, encode
from made.tagged import seven_bits

CLIPS = DATA / "fma_clips"
FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
RATE = 22050
SECONDS = 3.0
PARAMS = {"sample_rate": RATE, "max_samples": 44100, "read": 4}


def music(rate, channels=1, seconds=SECONDS):
    """Make decaying notes with overtones below 3 kHz, and a little noise; channels differ."""
    rng = np.random.default_rng(0)
    time = np.arange(round(seconds * rate)) / rate
    sound = np.zeros((len(time), channels))
    for channel in range(channels):
        for pitch in rng.uniform(80, 500, size=6):
            start = rng.uniform(0, seconds)
            envelope = np.where(time >= start, np.exp(-4 * (time - start)), 0)
            for harmonic in range(1, 6):
                sound[:, channel] += envelope * np.sin(2 * np.pi * pitch * harmonic * time)
    sound *= 0.5 / np.abs(sound).max()
    return sound + 1e-4 * rng.standard_normal(sound.shape)


def run(
    source, wav, *, before="", ffmpeg=FFMPEG, cwd=None, log=None, options=formats.SAFE, **params
):
    """Run the script on a clip, as the rule does; return its exit status and its log."""
    log = log or wav.with_suffix(".log")
    arguments = [WAV_SCRIPT, source, wav, *(PARAMS | params).values(), *options]
    command = f"{before}bash {shlex.join(map(str, arguments))} 2> {shlex.quote(str(log))}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "FFMPEG": str(ffmpeg)},
        cwd=cwd,
        timeout=600,
    )
    return done.returncode, log.read_text() if log.exists() else ""


def assert_failed(wav, code):
    assert code != 0
    assert not wav.exists()
    assert not list(wav.parent.glob(".part-*"))


def assert_same_sound(wav, reference, at_least=0.9999):
    """Compare with a reference of the same rate: form, length, shape, lag and level."""
    assert wav.read_bytes()[:4] == b"RIFF"
    with soundfile.SoundFile(wav) as file:
        assert (file.samplerate, file.channels, file.subtype) == (RATE, 1, "PCM_16")
        samples = file.read()
    length = min(len(samples), len(reference))
    assert abs(len(samples) - len(reference)) <= 2
    ours, reference = samples[:length], reference[:length]
    lags = range(-2, 3)
    middle = ours[10:-10]
    by_lag = [np.corrcoef(middle, reference[10 + lag : length - 10 + lag])[0, 1] for lag in lags]
    assert lags[int(np.argmax(by_lag))] == 0
    assert by_lag[2] > at_least
    assert np.std(ours) == pytest.approx(np.std(reference), rel=0.002)


@pytest.fixture
def wav(tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    return folder / "7.wav"


FORMS = [
    *((suffix, *form, None) for suffix in ("mp3", "flac", "ogg", "wav", "au")
      for form in ((44100, 2), (48000, 1), (22050, 2))),
    *(("flac", rate, 2, None) for rate in (8000, 11025, 16000, 32000, 88200, 96000)),
    *(("wav", 44100, 2, subtype) for subtype in ("PCM_U8", "PCM_24", "FLOAT")),
]  # fmt: skip


@pytest.mark.parametrize(("suffix", "rate", "channels", "subtype"), FORMS)
def test_sound_is_that_of_librosa(tmp_path, wav, suffix, rate, channels, subtype):
    source = tmp_path / f"clip.{suffix}"
    soundfile.write(source, music(rate, channels), rate, subtype=subtype)
    assert run(source, wav) == (0, "")
    assert_same_sound(wav, librosa.load(source, sr=RATE, mono=True, duration=2)[0])


@pytest.mark.parametrize(
    ("codec", "at_least"), [(["-c:a", "alac"], 0.9999), (["-c:a", "aac", "-b:a", "256k"], 0.999)]
)
def test_m4a_is_the_sound_that_was_encoded(tmp_path, wav, codec, at_least):
    original = tmp_path / "original.wav"
    soundfile.write(original, music(44100, 2), 44100)
    source = encode(tmp_path / "clip.m4a", "-i", original, *codec)
    assert run(source, wav)[0] == 0
    assert_same_sound(wav, librosa.load(original, sr=RATE, mono=True, duration=2)[0], at_least)


def test_surround_sound_is_mixed_without_clipping(tmp_path, wav):
    source = tmp_path / "clip.flac"
    loud = 1.9 * music(48000, 6)
    assert 0.9 < np.abs(loud).max() < 1
    loud[:, 1:] = loud[:, :1]
    soundfile.write(source, loud, 48000)
    assert run(source, wav) == (0, "")
    samples, _ = soundfile.read(wav)
    assert len(samples) == 44100
    assert 0.05 < np.abs(samples).max() <= 0.99


@pytest.mark.parametrize(("seconds", "most", "frames"), [(0.5, 44100, 11025), (3, 12345, 12345)])
def test_a_short_clip_keeps_its_length_and_a_long_one_is_cut(tmp_path, wav, seconds, most, frames):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100, seconds=seconds), 44100)
    assert run(source, wav, max_samples=most)[0] == 0
    assert soundfile.info(wav).frames == frames


def test_a_picture_in_the_clip_is_no_sound(tmp_path, wav):
    original = tmp_path / "original.wav"
    soundfile.write(original, music(44100), 44100)
    picture = damaged("picture", tmp_path / "cover.png")
    inputs = ["-i", original, "-i", picture, "-map", "0:a", "-map", "1:v"]
    source = encode(
        tmp_path / "clip.mp3", *inputs, "-c:v", "copy", "-disposition:v", "attached_pic"
    )
    assert b"PNG" in source.read_bytes()
    assert run(source, wav)[0] == 0
    assert soundfile.info(wav).frames == 44100


def damaged(kind, path):
    """Make a file of audio that holds none."""
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("This is not music.\n" * 100)
    elif kind == "tag only":
        path.write_bytes(b"ID3\x04\x00\x00\x00\x00\x20\x00" + bytes(4096))
    elif kind == "noise":
        path.write_bytes(np.random.default_rng(0).bytes(50_000))
    elif kind == "picture":
        still = ["-f", "lavfi", "-i", "color=red:size=64x64", "-frames:v", "1"]
        encode(path, *still, "-c:v", "png", "-f", "image2")
    elif kind == "header only":
        soundfile.write(path.with_suffix(".flac"), np.zeros(1000), 44100)
        path.write_bytes(path.with_suffix(".flac").read_bytes()[:42])
    return path


@pytest.mark.parametrize("kind", ["empty", "text", "tag only", "noise", "picture", "header only"])
def test_what_cannot_be_decoded_gives_no_frames_and_a_reason(tmp_path, wav, kind):
    source = damaged(kind, tmp_path / "clip.mp3")
    code, log = run(source, wav)
    assert code == 0
    with soundfile.SoundFile(wav) as file:
        assert (file.samplerate, file.channels, file.subtype) == (RATE, 1, "PCM_16")
        assert file.frames == 0
    assert log.strip()
    assert not list(wav.parent.glob(".part-*"))


def test_a_clip_that_was_cut_off_gives_what_there_is(tmp_path, wav):
    source = tmp_path / "clip.mp3"
    soundfile.write(source, music(44100), 44100)
    source.write_bytes(source.read_bytes()[: source.stat().st_size // 3])
    assert run(source, wav)[0] == 0
    assert 0.6 * RATE < soundfile.info(wav).frames < 1.4 * RATE


@pytest.mark.parametrize(
    "name",
    [
        "two words.flac",
        "it's.flac",
        'say "so".flac',
        "-dash.flac",
        "naïve 音楽.flac",
        "a:b.flac",
        "100%.flac",
        "%03d.flac",
        "$HOME `id` \\n.flac",
        "[x]{y}*?.flac",
        "a&b;c#d.flac",
    ],
)
def test_awkward_names_are_names_like_any(tmp_path, wav, name):
    soundfile.write(tmp_path / name, music(44100), 44100)
    assert run(name, wav, cwd=tmp_path) == (0, "")
    assert soundfile.info(wav).frames == 44100
    (tmp_path / name).write_text("broken")
    assert run(name, wav, cwd=tmp_path)[0] == 0
    assert soundfile.info(wav).frames == 0


def test_the_bytes_follow_from_the_sound_alone(tmp_path, wav):
    for name in ("one", "two"):
        source = tmp_path / f"{name}.flac"
        with soundfile.SoundFile(source, "w", 44100, 2) as file:
            file.title = name
            file.write(music(44100, 2))
        assert run(source, wav.with_name(f"{name}.wav"))[0] == 0
    one, two = (wav.with_name(f"{name}.wav").read_bytes() for name in ("one", "two"))
    assert one == two
    assert len(one) == 44 + 2 * 44100


@pytest.mark.parametrize("there", ["sound", "text"])
@pytest.mark.parametrize("program", ["missing", "not executable", "fails"])
def test_an_ffmpeg_that_does_not_run_is_an_error(tmp_path, wav, there, program):
    source = tmp_path / "clip.wav"
    if there == "sound":
        soundfile.write(source, music(44100), 44100)
    else:
        source.write_text("broken")
    ffmpeg = tmp_path / "ffmpeg"
    if program != "missing":
        ffmpeg.write_text("#!/bin/sh\nexit 1\n")
    if program == "fails":
        ffmpeg.chmod(0o755)
    code, log = run(source, wav, ffmpeg=ffmpeg)
    assert_failed(wav, code)
    assert str(ffmpeg) in log


def test_a_clip_that_takes_too_long_is_left_out(tmp_path, wav):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    spins = tmp_path / "ffmpeg"
    spins.write_text(
        f'#!/bin/bash\ncase "$*" in *file:*) while :; do :; done ;; *) exec {FFMPEG} "$@" ;; esac\n'
    )
    spins.chmod(0o755)
    code, log = run(source, wav, ffmpeg=spins, read=1, before="export GENREFLOW_DECODE_SECONDS=0\n")
    assert code == 0
    assert soundfile.info(wav).frames == 0
    assert "left out: decoding takes more than 1 s of processor time" in log


PLAYLISTS = {
    "ffconcat": "ffconcat version 1.0\nfile {name}\n",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\n{name}\n#EXT-X-ENDLIST\n",
    "url": "#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:3,\nhttp://127.0.0.1:9/{name}\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9 RTP/AVP 0\n",
}


@pytest.mark.parametrize("kind", PLAYLISTS)
@pytest.mark.parametrize("suffix", ["mp3", "m3u8", "wav"])
def test_a_list_of_other_files_plays_none_of_them(tmp_path, wav, kind, suffix):
    soundfile.write(tmp_path / "other.wav", music(44100), 44100)
    source = tmp_path / f"clip.{suffix}"
    source.write_text(PLAYLISTS[kind].format(name="other.wav"))
    assert run(source, wav)[0] == 0
    assert soundfile.info(wav).frames == 0


def test_without_options_nothing_is_opened(tmp_path, wav):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    code, log = run(source, wav, options=())
    assert_failed(wav, code)
    assert code == 2 and "what ffmpeg may open" in log


def test_a_huge_picture_costs_no_memory(tmp_path, wav):
    """An ID3 tag may be 256 MB; sparse, this one takes no room on the disk."""
    soundfile.write(tmp_path / "sound.mp3", music(44100), 44100)
    size = 2**28 - 2**20
    picture = b"APIC" + seven_bits(size - 10) + b"\0\0" + b"\0image/png\0\x03\0"
    source = tmp_path / "clip.mp3"
    with source.open("wb") as file:
        file.write(b"ID3\x04\0\0" + seven_bits(size) + picture)
        file.seek(10 + size)
        file.write((tmp_path / "sound.mp3").read_bytes())
    used = f'exec {sys.executable} -c "{PEAK}" '
    script = [WAV_SCRIPT, source, wav, *PARAMS.values(), *formats.SAFE]
    shown = subprocess.run(
        ["bash", "-c", used + shlex.join(["bash", *map(str, script)])],
        env={**os.environ, "FFMPEG": FFMPEG},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert shown.returncode == 0, shown.stderr
    assert soundfile.info(wav).frames > 0
    assert int(shown.stdout) < 200 * 1024


PEAK = (
    "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True); "
    "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
)
"""Runs a command and prints the most memory that it took [kB]."""


def test_a_named_pipe_is_an_error_and_nobody_waits(tmp_path, wav):
    source = tmp_path / "clip.mp3"
    os.mkfifo(source)
    code, log = run(source, wav)
    assert_failed(wav, code)
    assert f"{source} is not a file" in log


def test_no_name_changes_the_terminal(tmp_path):
    source = tmp_path / "a\x1b[2J.wav"
    code, log = run(source, tmp_path / "clip.wav")
    assert_failed(tmp_path / "clip.wav", code)
    assert r"a\E[2J.wav" in log and "is gone" in log and "\x1b" not in log


@pytest.mark.parametrize("kind", ["missing", "folder", "dangling link"])
def test_a_source_that_is_not_there_is_an_error(tmp_path, wav, kind):
    source = tmp_path / "clip.wav"
    if kind == "folder":
        source.mkdir()
    elif kind == "dangling link":
        source.symlink_to(tmp_path / "nowhere")
    code, log = run(source, wav)
    assert_failed(wav, code)
    assert str(source) in log


@pytest.mark.parametrize("change", ["echo more >>", "rm"])
def test_a_source_that_changes_while_it_is_read_is_an_error(tmp_path, wav, change):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    ffmpeg = tmp_path / "ffmpeg"
    ffmpeg.write_text(f'#!/bin/sh\n{FFMPEG} "$@" && {change} {source}\n')
    ffmpeg.chmod(0o755)
    code, log = run(source, wav, ffmpeg=ffmpeg)
    assert_failed(wav, code)
    assert f"{source} changed or vanished while it was read: run again" in log


@pytest.mark.parametrize("param", ["sample_rate", "max_samples", "read"])
@pytest.mark.parametrize("there", ["sound", "text"])
def test_a_wrong_setting_is_an_error(tmp_path, wav, param, there):
    source = tmp_path / "clip.wav"
    if there == "sound":
        soundfile.write(source, music(44100), 44100)
    else:
        source.write_text("broken")
    for wrong in ("many", "", "-1", "1e3", "0x10", "1;2", "9" * 20, "1\n"):
        code, log = run(source, wav, **{param: wrong})
        assert_failed(wav, code)
        assert code == 2 and "expected a number" in log and not re.search(r"[^ -~\n]", log)


def test_no_number_can_be_a_filter(tmp_path, wav):
    """What a stranger's bundle names as its rate would write a file, as the first part shows."""
    source, written = tmp_path / "clip.wav", tmp_path / "written"
    soundfile.write(source, music(44100), 44100)
    rate = f"22050,ametadata=mode=print:file={written},aresample=22050"
    encode(wav, "-i", source, "-af", f"aresample={rate}:resampler=soxr")
    assert written.exists()
    written.unlink()
    wav.unlink()
    code, log = run(source, wav, sample_rate=rate)
    assert_failed(wav, code)
    assert code == 2 and "RATE is 22050" in log
    assert not written.exists()


@pytest.mark.parametrize("hidden", ["HOME[$(touch written)]", "1 1", "-1", "08x"])
def test_no_number_can_be_a_command(tmp_path, wav, hidden):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    limit = f"export GENREFLOW_DECODE_SECONDS={shlex.quote(hidden)}\n"
    code, log = run(source, wav, before=limit, cwd=tmp_path)
    assert_failed(wav, code)
    assert code == 2 and "GENREFLOW_DECODE_SECONDS" in log
    assert not (tmp_path / "written").exists()


def test_a_folder_that_cannot_be_written_to_is_an_error(tmp_path, wav):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    nowhere = wav.parent / "nowhere" / "7.wav"
    code, log = run(source, nowhere, log=wav.with_suffix(".log"))
    assert_failed(nowhere, code)
    assert str(nowhere) in log


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
@pytest.mark.parametrize("name", ["7.wav", ".part-7.wav"])
def test_a_link_in_the_place_of_a_wav_is_replaced_not_followed(tmp_path, wav, link, name):
    source = tmp_path / "clip.flac"
    soundfile.write(source, music(RATE), RATE)
    other = tmp_path / "other"
    other.write_text("of somebody else")
    getattr(wav.with_name(name), link)(other)
    assert run(source, wav) == (0, "")
    assert other.read_text() == "of somebody else"
    assert soundfile.info(wav).frames == 44100
    assert not wav.is_symlink()


def test_a_link_to_a_folder_in_the_place_of_a_wav_is_replaced(tmp_path, wav):
    source = tmp_path / "clip.flac"
    soundfile.write(source, music(RATE), RATE)
    (tmp_path / "theirs").mkdir()
    wav.symlink_to(tmp_path / "theirs")
    assert run(source, wav) == (0, "")
    assert soundfile.info(wav).frames == 44100
    assert not list((tmp_path / "theirs").iterdir())


def test_a_log_that_cannot_be_written_is_an_error(tmp_path, wav):
    source = tmp_path / "clip.wav"
    soundfile.write(source, music(44100), 44100)
    code, _ = run(source, wav, log=tmp_path / "nowhere" / "7.log")
    assert_failed(wav, code)


# A limit on the size of files makes writes fail as a full disk does. [kB]
@pytest.mark.parametrize("limit", [0, 1, 16, 64])
@pytest.mark.parametrize("suffix", ["flac", "mp3"])
def test_a_full_disk_is_an_error(tmp_path, wav, limit, suffix):
    source = tmp_path / f"clip.{suffix}"
    soundfile.write(source, music(44100, 2), 44100)
    code, log = run(source, wav, before=f"trap '' XFSZ\nulimit -f {limit}\n")
    assert_failed(wav, code)
    assert limit == 0 or log


def test_a_full_disk_is_an_error_for_a_broken_clip_too(tmp_path, wav):
    source = damaged("text", tmp_path / "clip.mp3")
    code, _ = run(source, wav, before="trap '' XFSZ\nulimit -f 0\n")
    assert_failed(wav, code)


@pytest.mark.skipif(not CLIPS.exists(), reason="needs the shared data")
@pytest.mark.parametrize("track", ["000002", "000255", "000690"])
def test_real_clips_sound_as_in_librosa(wav, track):
    source = CLIPS / f"{track}.mp3"
    reference, _ = librosa.load(source, sr=RATE, mono=True, duration=29.7)
    assert run(source, wav, max_samples=654885, read=31.7)[0] == 0
    assert_same_sound(wav, reference)
    assert soundfile.info(wav).frames == 654885
