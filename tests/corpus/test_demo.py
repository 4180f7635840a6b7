import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import soundfile as sf
from genreflow.corpus import demo
from genreflow.corpus.styles import STYLES
from genreflow.corpus.synthesis import render
from genreflow.errors import GenreflowError

SMALL = {"genres": 2, "clips_per_genre": 10, "seed": 3}
FULL = {"genres": 8, "clips_per_genre": 30, "seed": 1}


def damaged(*, genres, clips_per_genre, seed):
    """Return the damage of each damaged track by its id."""
    plan = demo._plan(genres=genres, clips_per_genre=clips_per_genre, seed=seed)
    return {entry.track.track_id: entry.damage for entry in plan if entry.damage}


def write(tracks, settings=SMALL, **options):
    return list(demo.write_clips(tracks, **settings, **options))


def ffmpeg_decodes(path):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "null", "-"]
    return subprocess.run(command, capture_output=True).returncode == 0


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Make the damaged clips, by kind, what two of them repeat, and a few healthy ones."""
    tracks = demo.tracks(**SMALL, source=str(tmp_path_factory.mktemp("demo")))
    damages = damaged(**SMALL)
    by_kind = {damages[t.track_id]: t for t in tracks if t.track_id in damages}
    copies = [by_kind["duplicate"], by_kind["duplicate_of_test"]]
    healthy = [t for t in tracks if t.track_id not in damages]
    originals = [t for t in healthy if t.title in {copy.title for copy in copies}]
    write([*by_kind.values(), *originals, *healthy[-2:]], threads=2)
    return by_kind, originals, healthy[-2:]


def test_listing_the_tracks_imports_no_numpy():
    code = (
        "import sys; from genreflow.corpus import demo;"
        "demo.tracks(genres=2, clips_per_genre=5, seed=0, source='s');"
        "sys.exit('numpy' in sys.modules)"
    )
    scripts = Path(demo.__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=scripts).returncode == 0


def test_layout_is_that_of_fma():
    tracks = demo.tracks(**FULL, source="some/where")
    ids = [int(t.track_id) for t in tracks]
    assert ids == sorted(set(ids))
    assert ids[0] == 2
    assert max(np.diff(ids)) > 1
    for t in tracks:
        number = t.track_id.zfill(6)
        assert t.path == f"some/where/fma_demo/{number[:3]}/{number}.mp3"
        assert t.license == "CC0 1.0"
        assert t.title
        assert t.artist
        assert t.artist_id
    assert len({Path(t.path).parent for t in tracks}) > 5


@pytest.mark.parametrize("genres", [2, 5, 8])
@pytest.mark.parametrize("clips", [5, 7, 30])
def test_every_genre_has_its_clips_and_the_damaged_come_on_top(genres, clips):
    settings = {"genres": genres, "clips_per_genre": clips, "seed": 0}
    damages = damaged(**settings)
    tracks = demo.tracks(**settings, source="s")
    healthy = Counter(t.genre for t in tracks if t.track_id not in damages)
    assert healthy == dict.fromkeys(demo.GENRES[:genres], clips)
    assert sorted(damages.values()) == sorted(demo.DAMAGES)
    assert len(tracks) == genres * clips + len(demo.DAMAGES)
    assert all(t.split == "training" for t in tracks if t.track_id in damages)


def test_healthy_clips_are_split_60_20_20_in_every_genre():
    damages = damaged(**FULL)
    tracks = [t for t in demo.tracks(**FULL, source="s") if t.track_id not in damages]
    for genre in demo.GENRES:
        parts = Counter(t.split for t in tracks if t.genre == genre)
        assert parts == {"training": 18, "validation": 6, "test": 6}


def test_no_artist_is_in_two_parts_but_compilations_cross_them():
    tracks = demo.tracks(**FULL, source="s")
    parts_of_artist, parts_of_album, artists_of_album = (defaultdict(set) for _ in range(3))
    clips_of_artist = Counter(t.artist_id for t in tracks)
    for t in tracks:
        parts_of_artist[t.artist_id].add(t.split)
        if t.album_id:
            parts_of_album[t.album_id].add(t.split)
            artists_of_album[t.album_id].add(t.artist_id)
    assert all(len(parts) == 1 for parts in parts_of_artist.values())
    crossing = {album for album, parts in parts_of_album.items() if len(parts) > 1}
    assert len(crossing) == demo.COMPILATIONS
    assert crossing == {album for album, artists in artists_of_album.items() if len(artists) > 1}
    assert np.median(list(clips_of_artist.values())) >= 2
    unknown = [t for t in tracks if not t.album_id]
    assert 0 < len(unknown) < len(tracks) / 5
    assert not any(t.album for t in unknown)


def test_another_seed_makes_another_corpus():
    one, same, other = (demo.tracks(**{**SMALL, "seed": seed}, source="s") for seed in (1, 1, 2))
    assert one == same
    assert {t.track_id for t in one} != {t.track_id for t in other}


def test_the_largest_corpus_fits_into_six_digits():
    settings = {"genres": 8, "clips_per_genre": 1000, "seed": 0}
    assert int(demo.tracks(**settings, source="s")[-1].track_id) < 1_000_000


def test_pandas_reads_the_metadata_back(tmp_path):
    tracks = demo.tracks(**SMALL, source="s")
    demo.write_metadata(tracks, tmp_path / "tracks.csv")
    lines = (tmp_path / "tracks.csv").read_text().splitlines()
    assert lines[2].rstrip(",") == "track_id"
    table = pd.read_csv(tmp_path / "tracks.csv", index_col=0, header=[0, 1])
    assert table.index.name == "track_id"
    small = table[(table["set", "subset"] == "small") & table["track", "genre_top"].notna()]
    assert [str(i) for i in small.index] == [t.track_id for t in tracks]
    columns = {
        "split": ("set", "split"),
        "genre": ("track", "genre_top"),
        "title": ("track", "title"),
        "license": ("track", "license"),
        "artist": ("artist", "name"),
        "album": ("album", "title"),
    }
    for attribute, column in columns.items():
        assert list(small[column].fillna("")) == [getattr(t, attribute) for t in tracks], column
    assert list(small["artist", "id"]) == [int(t.artist_id) for t in tracks]
    assert list(small["album", "id"]) == [int(t.album_id or -1) for t in tracks]
    assert small["track", "duration"].dtype.kind == "i"
    assert small["track", "genres"].str.fullmatch(r"\[\d+\]").all()
    absent = table[~table.index.isin([int(t.track_id) for t in tracks])]
    kinds = set(zip(absent["set", "subset"], absent["track", "genre_top"].isna(), strict=True))
    assert kinds == {
        ("small", True),
        ("medium", True),
        ("medium", False),
        ("large", True),
        ("large", False),
    }
    assert table.index.is_unique


def test_bytes_depend_neither_on_order_nor_on_company(tmp_path):
    picked = [0, 4, 9]
    runs = []
    for name, order, threads in (("a", picked, 1), ("b", picked[::-1], 2), ("c", picked[1:2], 1)):
        tracks = demo.tracks(**SMALL, source=str(tmp_path / name))
        done = write([tracks[i] for i in order], threads=threads)
        assert done == [tracks[i] for i in order]
        runs.append({t.track_id: Path(t.path).read_bytes() for t in done})
    first, second, alone = runs
    assert first == second
    assert len(set(first.values())) == len(picked)
    assert all(first[track_id] == clip for track_id, clip in alone.items())


def test_clips_are_made_one_by_one_and_leave_nothing_half_written(tmp_path):
    tracks = demo.tracks(**SMALL, source=str(tmp_path))[:2]
    making = demo.write_clips(tracks, **SMALL)
    assert not list(tmp_path.iterdir())
    assert next(making) == tracks[0]
    assert Path(tracks[0].path).exists()
    list(making)
    assert {p for p in tmp_path.rglob("*") if p.is_file()} == {Path(t.path) for t in tracks}


def test_healthy_clips_are_thirty_seconds_of_music(corpus):
    _, _, healthy = corpus
    for track in healthy:
        sound, rate = sf.read(track.path, always_2d=True)
        assert (rate, sound.shape[1]) == demo.audio_format(track.track_id, seed=SMALL["seed"])
        assert len(sound) / rate == pytest.approx(30, abs=0.1)
        seconds = sound[: 29 * rate].reshape(29, -1)
        assert np.sqrt((seconds**2).mean(axis=1)).min() > 1e-4
        assert np.abs(sound).max() < 1.2  # the codec may overshoot full scale
        assert ffmpeg_decodes(track.path)


def test_clips_without_audio_can_not_be_decoded(corpus):
    by_kind, *_ = corpus
    assert Path(by_kind["empty"].path).stat().st_size == 0
    assert Path(by_kind["no_audio"].path).read_bytes().startswith(b"ID3")
    for kind in ("empty", "no_audio"):
        assert not ffmpeg_decodes(by_kind[kind].path)


@pytest.mark.parametrize(
    ("kind", "seconds"),
    [("short_0.5s", 0.5), ("short_1.5s", 1.5), ("short_20s", 20.0), ("silent", 30.0)],
)
def test_short_and_silent_clips_are_what_they_are_called(corpus, kind, seconds):
    by_kind, *_ = corpus
    sound, rate = sf.read(by_kind[kind].path)
    assert len(sound) / rate == pytest.approx(seconds, abs=0.1)
    assert (np.abs(sound).max() > 1e-3) == (kind != "silent") == sound.any()


def test_the_near_silent_clip_holds_one_faint_click(corpus):
    by_kind, *_ = corpus
    sound, rate = sf.read(by_kind["near_silent"].path, dtype="int16", always_2d=True)
    heard = np.flatnonzero(sound.any(axis=1))
    assert 0 < len(heard) < 0.0015 * len(sound)
    assert 14.9 < heard.mean() / rate < 15.1
    assert 8 <= np.abs(sound).max() <= 64  # -60 dBFS is 33


@pytest.mark.parametrize(
    ("kind", "part"), [("duplicate", "training"), ("duplicate_of_test", "test")]
)
def test_duplicates_have_the_bytes_of_another_track(corpus, kind, part):
    by_kind, originals, _ = corpus
    copy = by_kind[kind]
    same = [t for t in originals if Path(t.path).read_bytes() == Path(copy.path).read_bytes()]
    assert [(t.split, t.genre) for t in same] == [(part, copy.genre)]
    assert (same[0].artist_id == copy.artist_id) == (kind == "duplicate")


def test_rates_and_channels_are_mixed_as_in_fma(tmp_path):
    tracks = demo.tracks(**FULL, source=str(tmp_path))
    damages = damaged(**FULL)
    by_format = defaultdict(list)
    for t in tracks:
        if t.track_id not in damages:
            by_format[demo.audio_format(t.track_id, seed=FULL["seed"])].append(t)
    assert {rate for rate, _ in by_format} == {22050, 44100, 48000}
    assert {channels for _, channels in by_format} == {1, 2}
    assert len(by_format[44100, 2]) > len(tracks) / 2
    picked = {found[0].track_id: form for form, found in by_format.items()}
    for track in write([t for t in tracks if t.track_id in picked], FULL, threads=2):
        info = sf.info(track.path)
        assert (info.samplerate, info.channels) == picked[track.track_id]
        assert info.format == "MP3"


def test_a_failure_of_the_encoder_is_told_and_leaves_no_file(tmp_path, monkeypatch):
    broken = tmp_path / "ffmpeg"
    broken.write_text("#!/bin/sh\ncat > /dev/null\necho 'No space left on device' >&2\nexit 1\n")
    broken.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(broken))
    damages = damaged(**SMALL)
    tracks = demo.tracks(**SMALL, source=str(tmp_path / "demo"))
    track = next(t for t in tracks if t.track_id not in damages)
    with pytest.raises(GenreflowError, match="No space left on device"):
        write([track])
    assert not [p for p in (tmp_path / "demo").rglob("*") if p.is_file()]


def test_every_genre_renders_within_full_scale_and_with_its_own_sound():
    centroids = {}
    for genre in STYLES:
        sound = render(genre, seed=0, artist=1, clip=2, rate=22050, channels=2, seconds=6.0)
        assert sound.shape == (6 * 22050, 2)
        assert sound.dtype == np.float32
        assert np.abs(sound).max() <= 0.99
        spectrum = np.abs(np.fft.rfft(sound[:, 0])) ** 2
        centroids[genre] = np.average(np.fft.rfftfreq(len(sound), 1 / 22050), weights=spectrum)
    assert sorted(STYLES) == list(demo.GENRES)
    assert len(set(centroids.values())) == len(STYLES)


def test_an_artists_clips_are_most_like_each_other():
    edges = np.geomspace(60, 11025, 17)

    def bands(artist, clip):
        sound = render(
            "Techno", seed=0, artist=artist, clip=clip, rate=22050, channels=1, seconds=8.0
        )[:, 0]
        power = np.abs(np.fft.rfft(sound)) ** 2
        band = np.digitize(np.fft.rfftfreq(sound.size, 1 / 22050), edges)
        levels = 10 * np.log10(np.bincount(band, power, minlength=18)[1:17])
        return levels - levels.mean()

    artists = np.repeat(np.arange(12), 3)
    clips = np.array([bands(artist, clip) for clip, artist in enumerate(artists)])
    distances = np.linalg.norm(clips[:, None] - clips, axis=2)
    same = artists[:, None] == artists
    itself = np.eye(len(artists), dtype=bool)
    assert distances[same & ~itself].mean() < 0.8 * distances[~same].mean()
