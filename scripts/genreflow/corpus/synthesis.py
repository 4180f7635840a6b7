"""Synthesise the music of the demo corpus in the styles of its genres.

An artist prefers some place in the ranges and alternatives of a style and a clip varies about it;
hybrids borrow rhythm, harmony or timbre from a neighbouring genre. So a learner can hear a genre,
but can also, if a split lets it, hear the artist instead.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from scipy import signal

from genreflow.corpus.styles import LAYERS, SCALES, STYLES, Range, Style, Timbre

PITCHED = ("bass", "chord", "lead")
REGISTERS = {"bass": -24, "chord": 0, "lead": 12}
"""Semitones from the tonic's octave."""

TABLE_BITS = 12
TABLE_SIZE = 1 << TABLE_BITS
MAX_HARMONICS = 24
HYBRIDS = 0.2
"""How many of the artists borrow from a neighbouring genre, in most of their clips."""
LOYALTY = 0.8
"""How much an artist's clips follow the artist's own taste, from 0 to 1."""


class _Taste:
    """Draw what an artist prefers and a clip varies, always both, always in the same order."""

    def __init__(self, artist: np.random.Generator, clip: np.random.Generator) -> None:
        self.artist = artist
        self.clip = clip

    @classmethod
    def of(cls, *, seed: int, artist: int, clip: int) -> Self:
        return cls(np.random.default_rng([seed, 1, artist]), np.random.default_rng([seed, 0, clip]))

    def between(self, low: float, high: float) -> float:
        place = LOYALTY * self.artist.random() + (1 - LOYALTY) * self.clip.random()
        return low + (high - low) * place

    def one_of(self, options: Sequence) -> object:
        preferred, fresh = self.artist.random(), self.clip.random()
        place = preferred if self.clip.random() < LOYALTY else fresh
        return options[int(place * len(options))]


@dataclass(frozen=True, slots=True)
class _Voice:
    """One instrument, at one sampling rate."""

    tilt: float
    odd: float
    attack: float
    decay: float
    detune: float  # of the second oscillator, as a factor
    cutoff: float  # Hz, of a first-order low-pass filter
    rate: int

    def table(self, frequency: float) -> tuple[np.ndarray, np.ndarray]:
        """Return one period of the bright part, which dies away, and of the dark one."""
        count = int(np.clip(0.45 * self.rate / frequency, 1, MAX_HARMONICS))
        k = np.arange(1, count + 1)
        amplitude = k**-self.tilt * np.where(k % 2, 1.0, 1.0 - self.odd)
        amplitude /= np.hypot(1, k * frequency / self.cutoff)
        dark = np.zeros(TABLE_SIZE // 2 + 1, np.complex64)
        dark[1 : count + 1] = amplitude / k
        bright = np.zeros_like(dark)
        bright[1 : count + 1] = amplitude - amplitude / k
        scale = np.float32(0.3 * TABLE_SIZE / np.sqrt(2 * np.sum(amplitude**2)))
        return np.fft.irfft(-1j * bright * scale), np.fft.irfft(-1j * dark * scale)

    def note(self, frequency: float, samples: int) -> np.ndarray:
        """Return a note; its upper harmonics die away first, as those of a string do."""
        bright, dark = (table.astype(np.float32) for table in self.table(frequency))
        count = np.arange(samples, dtype=np.uint32)
        first = _phase(count, frequency / self.rate)
        second = _phase(count, frequency * self.detune / self.rate)
        seconds = count.astype(np.float32) / np.float32(self.rate)
        wave = bright[first] * np.exp(seconds * np.float32(-2.5 / self.decay))
        wave += dark[first]
        wave += np.float32(0.5) * dark[second]
        wave *= np.exp(seconds * np.float32(-1 / self.decay))
        attack, release = (min(round(s * self.rate), samples) for s in (self.attack, 0.01))
        wave[:attack] *= np.linspace(0, 1, attack, dtype=np.float32)
        wave[samples - release :] *= np.linspace(1, 0, release, dtype=np.float32)
        return wave


def _phase(count: np.ndarray, turns: float) -> np.ndarray:
    """Return places in a table; the overflow of 32 bits is the turn of the phase."""
    return (count * np.uint32(turns * 2**32)) >> np.uint32(32 - TABLE_BITS)


def render(
    genre: str, *, seed: int, artist: int, clip: int, rate: int, channels: int, seconds: float
) -> np.ndarray:
    """Render a clip, float32 (samples, channels) between -1 and 1, the same for the same arguments.

    The artist's preferences come from `seed` and `artist`, everything else from `seed` and `clip`,
    which are non-negative; the genre is a key of `STYLES`, the rate is in Hz.
    """
    taste = _Taste.of(seed=seed, artist=artist, clip=clip)
    style = _style(genre, taste)
    samples = round(rate * seconds)
    dry = np.zeros((channels, samples), np.float32)
    wet = np.zeros((channels, samples), np.float32)
    step = 15.0 / taste.between(*style.rhythm.tempo)
    swing = taste.between(*style.rhythm.swing)
    sounds = _sounds(style, taste, rate=rate, step=step)
    levels = [level + taste.between(-5, 5) for level in style.timbre.levels]
    for layer, level in zip(LAYERS, levels, strict=True):
        pan = _pan(taste.between(-0.6, 0.6), channels) * 10 ** (level / 20)
        pattern = taste.one_of(getattr(style.rhythm, layer))
        bus = wet if layer in ("chord", "lead") else dry
        hits = _hits(pattern, taste.clip, seconds=seconds, step=step, swing=swing)
        for start, bar, velocity in hits:
            _add(bus, sounds(layer, bar), round(start * rate), velocity * pan)
    dry += _echoed(wet, taste, style.timbre.echo, delay=round(3 * step * rate))
    return _mastered(dry, taste, style.timbre.noise, rate=rate).T


def _style(genre: str, taste: _Taste) -> Style:
    """Return the genre's style, or for some clips one crossed with a neighbour's."""
    rng = taste.artist
    names = list(STYLES)
    neighbour = STYLES[names[(names.index(genre) + rng.choice((-1, 1))) % len(names)]]
    hybrid = rng.random() < HYBRIDS and taste.clip.random() < LOYALTY
    part = rng.choice(("rhythm", "harmony", "timbre"))
    own = STYLES[genre]
    return replace(own, **{part: getattr(neighbour, part)}) if hybrid else own


def _pan(place: float, channels: int) -> np.ndarray:
    """Return the gain of each channel, shape (channels, 1); equal power for stereo."""
    angle = (place + 1) * np.pi / 4
    gains = (np.cos(angle), np.sin(angle)) if channels == 2 else (np.sqrt(0.5),)
    return np.array(gains, np.float32)[:, None]


def _hits(
    pattern: str, rng: np.random.Generator, *, seconds: float, step: float, swing: float
) -> list[tuple[float, int, float]]:
    """Return start in seconds, bar and velocity of every note of a layer.

    A clip is cut out of the middle of a piece, so its first note rarely lies on the first beat.
    """
    first = -rng.random() * len(pattern) * step
    hits = []
    for bar in range(int((seconds - first) / (len(pattern) * step)) + 1):
        for place, mark in enumerate(pattern):
            if mark == "." or rng.random() < 0.06:
                continue
            late = swing if place % 4 == 2 else swing / 2 if place % 2 else 0.0
            start = first + (bar * len(pattern) + place + late) * step
            velocity = (0.8 if mark == "x" else 0.35) * (0.8 + 0.4 * rng.random())
            hits.append((start, bar, velocity))
    return hits


def _sounds(style: Style, taste: _Taste, *, rate: int, step: float) -> Callable:
    """Return a function from layer and bar to a sound; every sound is made only once."""
    cutoff = 2 ** taste.between(np.log2(1500), np.log2(16000))
    drums = {layer: _low_passed(drum, cutoff, rate) for layer, drum in _drums(taste, rate).items()}
    voices = {layer: _voice(style.timbre, taste, layer, cutoff, rate) for layer in PITCHED}
    scale = SCALES[taste.one_of(style.harmony.scales)]
    progression = taste.one_of(style.harmony.progressions)
    tonic = int(taste.clip.integers(48, 60))
    lengths = dict(zip(PITCHED, style.timbre.lengths, strict=True))
    melody = taste.clip
    known: dict[tuple[str, int], np.ndarray] = {}
    lead = 0

    def pitched(layer: str, degree: int) -> np.ndarray:
        if (layer, degree) not in known:
            octave, place = divmod(degree, len(scale))
            midi = tonic + REGISTERS[layer] + 12 * octave + scale[place]
            frequency = 440 * 2 ** ((midi - 69) / 12)
            samples = round(lengths[layer] * step * rate)
            known[layer, degree] = voices[layer].note(frequency, samples)
        return known[layer, degree]

    def chord(root: int) -> np.ndarray:
        if ("chords", root) not in known:
            notes = [pitched("chord", root + 2 * i) for i in range(style.harmony.voices)]
            known["chords", root] = np.sum(notes, axis=0) / np.float32(np.sqrt(len(notes)))
        return known["chords", root]

    def sound(layer: str, bar: int) -> np.ndarray:
        nonlocal lead
        root = progression[bar % len(progression)]
        if layer in drums:
            return drums[layer]
        if layer == "chord":
            return chord(root)
        if layer == "bass":
            return pitched("bass", root + (4 if melody.random() < 0.2 else 0))
        if melody.random() < style.harmony.arpeggio:
            lead = root + 2 * int(melody.integers(style.harmony.voices))
        else:
            lead = int(np.clip(lead + melody.integers(-2, 3), -3, 8))
        return pitched("lead", lead)

    return sound


def _voice(timbre: Timbre, taste: _Taste, layer: str, cutoff: float, rate: int) -> _Voice:
    return _Voice(
        tilt=taste.between(*timbre.tilt) + (0.5 if layer == "bass" else 0.0),
        odd=taste.between(*timbre.odd),
        attack=taste.between(*timbre.attack),
        decay=taste.between(*timbre.decay),
        detune=1 + taste.between(0.0, 0.008),
        cutoff=cutoff,
        rate=rate,
    )


def _drums(taste: _Taste, rate: int) -> dict[str, np.ndarray]:
    """Return kick (a falling sine), snare (a tone and noise) and hat (high noise)."""
    time = np.arange(round(0.35 * rate), dtype=np.float32) / rate
    noise = taste.clip.standard_normal(time.size, dtype=np.float32)

    def decaying(sound: np.ndarray, low: float, high: float) -> np.ndarray:
        return sound * np.exp(-time / np.float32(taste.between(low, high)))

    base, sweep = taste.between(40, 70), taste.between(2, 8)
    kick = np.sin(2 * np.pi * (base * time - sweep * 0.03 * np.expm1(-time / 0.03) * 10))
    body = taste.between(1500, 7000)
    snare = _high_passed(_low_passed(noise, body, rate), 400, rate)
    tone = np.sin(2 * np.pi * taste.between(150, 260) * time)
    hat = _high_passed(noise, taste.between(4000, 8000), rate)
    return {
        "kick": decaying(kick, 0.05, 0.2),
        "snare": decaying(0.6 * snare + 0.4 * tone, 0.03, 0.14),
        "hat": decaying(0.5 * hat, 0.01, 0.08),
    }


def _low_passed(sound: np.ndarray, cutoff: float, rate: int) -> np.ndarray:
    pole = np.exp(-2 * np.pi * cutoff / rate)
    return signal.lfilter(np.float32([1 - pole]), np.float32([1, -pole]), sound)


def _high_passed(sound: np.ndarray, cutoff: float, rate: int) -> np.ndarray:
    return sound - _low_passed(sound, cutoff, rate)


def _add(bus: np.ndarray, sound: np.ndarray, start: int, gain: np.ndarray) -> None:
    """Mix a sound into a bus; what lies outside the clip is cut off."""
    low, high = max(start, 0), min(start + sound.size, bus.shape[1])
    if low < high:
        bus[:, low:high] += gain * sound[low - start : high - start]


def _echoed(bus: np.ndarray, taste: _Taste, echo: Range, *, delay: int) -> np.ndarray:
    """Return the bus with three echoes, each on the other side than the one before."""
    gain = taste.between(*echo)
    result = bus.copy()
    for repeat in range(1, 4):
        lag = min(repeat * delay, bus.shape[1])
        source = bus[:: -1 if repeat % 2 else 1]
        result[:, lag:] += np.float32(gain**repeat) * source[:, : bus.shape[1] - lag]
    return result


def _mastered(mix: np.ndarray, taste: _Taste, noise: Range, *, rate: int) -> np.ndarray:
    """Return the mix with its noise floor, at the clip's level."""
    floor = taste.between(*noise)
    level = taste.clip.uniform(-24, -12)
    color = taste.between(1000, 8000)
    hiss = _low_passed(taste.clip.standard_normal(2 * rate, dtype=np.float32), color, rate)
    loudness = _rms(mix)
    hiss *= np.float32(10 ** (floor / 20) * loudness / _rms(hiss))
    mix += np.resize(hiss, mix.shape[1])
    scale = 10 ** (level / 20) / loudness
    return mix * np.float32(min(scale, 0.98 / max(mix.max(), -mix.min())))


def _rms(sound: np.ndarray) -> float:
    return float(np.linalg.norm(sound)) / np.sqrt(sound.size)
