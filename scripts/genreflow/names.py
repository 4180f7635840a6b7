"""When two names are one, and when a name is nobody's."""

import re
import unicodedata

RANDOM = "random weights"
"""What stands by the name of a learner that rests on a network that has learned nothing."""

CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""What moves the cursor of a terminal, breaks lines, or changes the direction of writing, so that a
text is shown as another one. No picture in SVG may hold some of it."""

_INVISIBLE = {"Cf", "Cc"}

# In the languages that players and taggers write them in, without signs.
_NOBODY = """
unknown, unknown artist, unknown album, unknown performer, artist unknown, no artist, no
album, not available, n a, n d, nan, null, none, anonymous, various, various artist,
various artists, various performers, various interpreters, va, v a, v v a a, vvaa, aa vv,
aavv, compilation, compilations, multiple artists, non album, non album track, non album
tracks, traditional, no artist name, unbekannt, unbekannter interpret, unbekannter
künstler, unbekanntes album, diverse, diverse interpreten, diverse künstler, verschiedene,
verschiedene interpreten, verschiedene künstler, inconnu, artiste inconnu, album inconnu,
artistes divers, artistes variés, artistes multiples, multi interprètes, desconocido,
artista desconocido, álbum desconocido, varios, varios artistas, varios intérpretes,
sconosciuto, artista sconosciuto, album sconosciuto, artisti vari, desconhecido, artista
desconhecido, álbum desconhecido, vários artistas, vários intérpretes, onbekend, onbekende
artiest, onbekend album, diverse artiesten, okänd artist, okänt album, blandade artister,
ukendt kunstner, ukjent artist, diverse kunstnere, diverse artister, tuntematon esittäjä,
eri esittäjiä, nieznany wykonawca, nieznany artysta, różni wykonawcy, neznámý interpret,
různí interpreti, неизвестный исполнитель, неизвестный альбом, разные исполнители,
不明なアーティスト, 不明なアルバム, ヴァリアス アーティスト,
未知艺术家, 未知歌手, 未知專輯, 未知专辑, 群星, 알 수 없는 아티스트
"""


def folded(text: str) -> str:
    """Return a name in Unicode's form NFC, with single blanks between words and none around.

    Of `CONTROLS` there is none in it.
    """
    plain = CONTROLS.sub(lambda found: " " if found[0].isspace() else "", text)
    return " ".join(unicodedata.normalize("NFC", plain).split())


def key(text: str) -> str:
    """Return what is equal for names that look the same but for letter case and blanks."""
    visible = "".join(
        " " if char.isspace() else char
        for char in text
        if char.isspace() or unicodedata.category(char) not in _INVISIBLE
    )
    # As Unicode defines a caseless match: twice, for folding can undo a form.
    caseless = unicodedata.normalize("NFD", visible).casefold()
    return folded(unicodedata.normalize("NFD", caseless))


def rough_key(text: str) -> str:
    """Return what is equal for names that may be meant to be one: Hip-Hop, Hip Hop, HipHop."""
    plain = unicodedata.normalize("NFKD", key(text).replace("&", "and"))
    return "".join(char for char in plain if char.isalnum())


def plain(text: str) -> str:
    """Return a name with ``_`` in the place of signs, which may be part of a path."""
    return re.sub(r"\W+", "_", text, flags=re.ASCII)


def is_nobody(text: str) -> bool:
    """Tell whether a name stands in the place of one: "", "-", "[unknown]", "Various Artists"."""
    words = " ".join(re.sub(r"[\W_]+", " ", key(text)).split())
    if not words:  # "!!!" is a band
        return re.fullmatch(r"[-\u2010-\u2015_.?/\s]*", text) is not None
    return re.sub(r" \d+$", "", words) in _NOBODY_KEYS


_NOBODY_KEYS = frozenset(key(name) for name in _NOBODY.split(","))
