"""The styles of the demo corpus: eight invented genres that overlap.

A genre is a rhythm, a harmony and a timbre, each a set of ranges and alternatives.
"""

from dataclasses import dataclass

Range = tuple[float, float]

LAYERS = ("kick", "snare", "hat", "bass", "chord", "lead")

SCALES = {
    "major": (0, 2, 4, 5, 7, 9, 11),
    "minor": (0, 2, 3, 5, 7, 8, 10),
    "dorian": (0, 2, 3, 5, 7, 9, 10),
    "phrygian": (0, 1, 3, 5, 7, 8, 10),
    "lydian": (0, 2, 4, 6, 7, 9, 11),
    "mixolydian": (0, 2, 4, 5, 7, 9, 10),
}


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Where the notes of a bar lie: sixteenths, ``x`` loud, ``o`` soft, ``.`` none."""

    tempo: Range  # beats a minute
    swing: Range  # how late the second half of a beat comes, in sixteenths; 2/3 is a triplet
    kick: tuple[str, ...]
    snare: tuple[str, ...]
    hat: tuple[str, ...]
    bass: tuple[str, ...]
    chord: tuple[str, ...]
    lead: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Harmony:
    """Scales and progressions (degrees of the scale, counted from 0, one a bar)."""

    scales: tuple[str, ...]
    progressions: tuple[tuple[int, ...], ...]
    voices: int  # notes in a chord
    arpeggio: float  # how much of the lead runs through the chord instead of the scale


@dataclass(frozen=True, slots=True)
class Timbre:
    """How the layers sound."""

    tilt: Range  # harmonic k has the amplitude k ** -tilt
    odd: Range  # 0: all harmonics; 1: the odd ones alone
    attack: Range  # s
    decay: Range  # s
    lengths: tuple[int, int, int]  # of a note of bass, chord and lead, in sixteenths
    levels: tuple[int, int, int, int, int, int]  # of LAYERS, dB
    echo: Range
    noise: Range  # dB below the music


@dataclass(frozen=True, slots=True)
class Style:
    """A genre."""

    rhythm: Rhythm
    harmony: Harmony
    timbre: Timbre


STYLES = {
    "Ambient": Style(
        Rhythm(
            tempo=(60, 105),
            swing=(0.0, 0.2),
            kick=("................", "x...............", "x.......o......."),
            snare=("................", "............o..."),
            hat=("................", "......o.......o.", "..o...o...o...o."),
            bass=("x...............", "x.......x......."),
            chord=("x...............", "x.......x......."),
            lead=("......x.......x.", "x.....x.....x...", "..........x....."),
        ),
        Harmony(("lydian", "major", "dorian"), ((0,), (0, 0, 3, 3), (0, 5, 3, 0)), 4, 0.3),
        Timbre(
            tilt=(1.2, 2.4),
            odd=(0.0, 0.6),
            attack=(0.05, 0.6),
            decay=(1.0, 4.0),
            lengths=(14, 18, 10),
            levels=(-12, -16, -18, -6, 0, -6),
            echo=(0.3, 0.7),
            noise=(-44, -20),
        ),
    ),
    "Dub": Style(
        Rhythm(
            tempo=(64, 96),
            swing=(0.0, 0.5),
            kick=("........x.......", "x.......x.......", "x...x...x...x..."),
            snare=("........x.......", "....x.......x...", "........x.....o."),
            hat=("x.o.x.o.x.o.x.o.", "..x...x...x...x.", "x...x...x...x..."),
            bass=("x.....x.x..x....", "x..x..x.....x.x.", "....x.x.x.....x."),
            chord=("....x.......x...", "..x...x...x...x.", "....x.x.....x..."),
            lead=("............x...", "......x.......x.", "x.....x........."),
        ),
        Harmony(("minor", "dorian"), ((0, 3), (0, 0, 3, 3), (0, 6), (0,)), 3, 0.3),
        Timbre(
            tilt=(0.9, 2.1),
            odd=(0.0, 0.8),
            attack=(0.003, 0.03),
            decay=(0.1, 0.6),
            lengths=(4, 2, 4),
            levels=(0, -3, -9, 2, -4, -10),
            echo=(0.3, 0.7),
            noise=(-46, -24),
        ),
    ),
    "Shuffle": Style(
        Rhythm(
            tempo=(88, 140),
            swing=(0.35, 0.75),
            kick=("x.......x.......", "x.......x.....x.", "x...x...x...x..."),
            snare=("....x.......x...", "....x..o....x..."),
            hat=("x.x.x.x.x.x.x.x.", "x...x.o.x...x.o."),
            bass=("x...x...x...x...", "x.x.x.x.x.x.x.x.", "x.....x.x.....x."),
            chord=("x.....x.........", "....x.......x...", "x.x.x.x.x.x.x.x."),
            lead=("x.x...x.x...x...", "..x.x.x.......x.", "x...x.x...x.x..."),
        ),
        Harmony(
            ("mixolydian", "dorian"),
            ((0, 0, 0, 0, 3, 3, 0, 0, 4, 3, 0, 4), (0, 3, 0, 4), (0, 0, 3, 0)),
            4,
            0.2,
        ),
        Timbre(
            tilt=(0.8, 1.9),
            odd=(0.0, 0.6),
            attack=(0.003, 0.03),
            decay=(0.15, 0.8),
            lengths=(4, 3, 3),
            levels=(-2, -3, -6, 0, -4, -3),
            echo=(0.0, 0.3),
            noise=(-50, -28),
        ),
    ),
    "Waltz": Style(
        Rhythm(
            tempo=(84, 160),
            swing=(0.0, 0.3),
            kick=("x...........", "............"),
            snare=("............", "....o...o...", "........o..."),
            hat=("....x...x...", "............", "x...o...o..."),
            bass=("x...........", "x.......o..."),
            chord=("....x...x...", "x...........", "....x.x.x..."),
            lead=("x.......x...", "x...x...x.x.", "x.x.x...x...", "x..........."),
        ),
        Harmony(("major", "minor"), ((0, 4, 4, 0), (0, 5, 3, 4), (0, 3, 4, 0)), 3, 0.3),
        Timbre(
            tilt=(0.9, 2.2),
            odd=(0.0, 0.5),
            attack=(0.004, 0.12),
            decay=(0.3, 1.6),
            lengths=(6, 3, 6),
            levels=(-10, -14, -14, -1, -3, 0),
            echo=(0.0, 0.4),
            noise=(-50, -26),
        ),
    ),
    "March": Style(
        Rhythm(
            tempo=(96, 136),
            swing=(0.0, 0.2),
            kick=("x...o...", "x...x..."),
            snare=("x.xxx.x.", "..x.x.xx", "x.x.xxxx"),
            hat=("x.......", "....x...", "........"),
            bass=("x...x...", "x......."),
            chord=("..x...x.", "....x..."),
            lead=("x...x.x.", "x.x.x...", "x..xx...", "x......."),
        ),
        Harmony(("major", "mixolydian"), ((0, 4), (0, 0, 4, 0), (0, 3, 4, 0)), 3, 0.5),
        Timbre(
            tilt=(0.6, 1.6),
            odd=(0.0, 0.5),
            attack=(0.008, 0.06),
            decay=(0.2, 1.2),
            lengths=(3, 2, 4),
            levels=(-4, -3, -10, -2, -4, 0),
            echo=(0.0, 0.4),
            noise=(-50, -26),
        ),
    ),
    "Chiptune": Style(
        Rhythm(
            tempo=(108, 168),
            swing=(0.0, 0.3),
            kick=("x.....x.x.......", "x...x...x...x...", "x.......x......."),
            snare=("....x.......x...", "....x..o.o..x..."),
            hat=("x.x.x.x.x.x.x.x.", "..x...x...x...x.", "xoxoxoxoxoxoxoxo"),
            bass=("x.x.x.x.x.x.x.x.", "x..x..x.x..x..x.", "x...x...x...x..."),
            chord=("x.......x.......", "................", "..x...x...x...x."),
            lead=("xxxxxxxxxxxxxxxx", "x.x.x.x.x.x.x.x.", "x.xxx.x.x.xxx.x."),
        ),
        Harmony(("minor", "major"), ((0, 5, 2, 6), (0, 3, 4, 0), (0, 6, 5, 6)), 3, 0.8),
        Timbre(
            tilt=(0.6, 1.5),
            odd=(0.4, 1.0),
            attack=(0.002, 0.01),
            decay=(0.1, 0.6),
            lengths=(2, 4, 1),
            levels=(-5, -6, -9, -3, -8, 0),
            echo=(0.0, 0.3),
            noise=(-56, -30),
        ),
    ),
    "Techno": Style(
        Rhythm(
            tempo=(116, 146),
            swing=(0.0, 0.3),
            kick=("x...x...x...x...", "x...x...x...x.o."),
            snare=("....x.......x...", "................", "......o.....x..."),
            hat=("..x...x...x...x.", "xoxoxoxoxoxoxoxo", "x.x.x.x.x.x.x.x."),
            bass=("..x...x...x...x.", "..xx..xx..xx..xx", "x..x..x.x..x..x."),
            chord=("......x..x......", "x...............", "...x..x....x..x."),
            lead=("x.xx.x.xx.x.x.x.", "..x..x....x..x..", "xxxxxxxxxxxxxxxx"),
        ),
        Harmony(("minor", "phrygian"), ((0,), (0, 0, 1, 0), (0, 0, 5, 6)), 3, 0.5),
        Timbre(
            tilt=(0.6, 1.7),
            odd=(0.0, 0.9),
            attack=(0.002, 0.02),
            decay=(0.06, 0.5),
            lengths=(2, 3, 1),
            levels=(3, -6, -5, 0, -6, -5),
            echo=(0.1, 0.5),
            noise=(-54, -28),
        ),
    ),
    "Minimal": Style(
        Rhythm(
            tempo=(96, 132),
            swing=(0.0, 0.4),
            kick=("x...x...x...x...", "x.......x.......", "x......x..x....."),
            snare=("................", "......o......o..", "....o.......o..."),
            hat=("..o...x...o...x.", "..x...x...x...x.", "....o..o....o..o"),
            bass=("x.....x.........", "x.........x.....", "..x...x...x...x."),
            chord=("x...............", "......x.........", "................"),
            lead=("..x..x....x.....", "x..x..x..x..x...", "......x........."),
        ),
        Harmony(("minor", "dorian"), ((0,), (0, 0, 0, 6), (0, 3)), 3, 0.6),
        Timbre(
            tilt=(1.0, 2.3),
            odd=(0.0, 0.9),
            attack=(0.002, 0.05),
            decay=(0.08, 0.9),
            lengths=(3, 6, 2),
            levels=(0, -8, -8, -1, -7, -6),
            echo=(0.1, 0.6),
            noise=(-52, -26),
        ),
    ),
}
"""The genres; each borrows from the two beside it, the last and the first from each other."""
