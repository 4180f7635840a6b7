"""What the numbers of a run don't say, as far as that can be counted."""

from collections import Counter
from collections.abc import Iterator, Mapping

import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from genreflow.audio.audit import describe_length
from genreflow.corpus import groups
from genreflow.evaluation import verdict

MUCH = 0.1
"""A larger share of images that is repetition is worth a line."""


def counted(
    made: pd.DataFrame,
    parts: Mapping[str, pd.DataFrame],
    tracks: pd.DataFrame,
    *,
    seeded: bool,
    length: Mapping[str, float] | None = None,
) -> list[str]:
    """Return a sentence for each limit.

    `made` is the comparison of the learners that were made, and `seeded` whether any of them is
    trained with seeds; `parts` has track_id, part and split (the fold) by the name of each split or
    cross-validation; `tracks` is the manifest, and `length` what `audio.audit.clip_length` found.
    """
    easier = (verdict.easier(rows) for _, rows in made.groupby("split"))
    found = [said.strip() for said in easier if said]
    found += [*_few_tracks(made), *_shared(parts, tracks)]
    count = made.groupby("split").size().max() if len(made) else 0
    if count > 1:
        found.append(
            f"The first of {count} learners is first by the very test tracks that its accuracy is "
            "from: expect less of it on other music."
        )
    if seeded and not made["seeds"].max() > 1:
        found.append(
            "Networks were trained with one seed: the intervals don't say what another training of "
            "the same network would get."
        )
    if length and length["repeated"] > MUCH:
        found.append(
            f"{describe_length(length)}. Networks of images see the same music several times: "
            "audio.duration: auto makes images as long as nearly all clips."
        )
    return found


def _few_tracks(made: pd.DataFrame) -> Iterator[str]:
    """Say what intervals the test tracks of each split leave, or their artists."""
    for split, own in made.groupby("split"):
        tracks, artists = own["tracks"].max(), own["groups"].max()
        by_artist = pd.notna(artists) and artists < tracks
        count = int(artists if by_artist else tracks)
        low, high = proportion_confint(count / 2, count, alpha=0.05, method="wilson")
        of = f" of {count:,} artists" if by_artist else ""
        alike = "where the tracks of an artist are alike, " if by_artist else ""
        yield (
            f"Split {split}: {tracks:,} test tracks{of}. An accuracy of 50 % measured on so many "
            f"could as well be {100 * low:.0f} or {100 * high:.0f} % ({alike}95 % interval)."
        )


def _shared(parts: Mapping[str, pd.DataFrame], tracks: pd.DataFrame) -> Iterator[str]:
    """Say how many test tracks have an artist or album that training has too, fold by fold."""
    for split, own in parts.items():
        count = Counter()
        for _, fold in own.groupby("split"):
            count.update(groups.shared_with_training(fold, tracks))
        if not count:
            yield (
                "The artists and albums of the tracks aren't known: nobody can say how many test "
                "tracks share theirs with training, which makes them easier, and the intervals "
                "take the tracks for independent."
            )
            return
        kinds = [kind for kind in groups.KINDS if kind in count]
        each = ", ".join(f"{count[kind]:,} an {kind}" for kind in kinds)
        each = f" ({each})" if len(kinds) > 1 and count["either"] else ""
        easier = ", which makes them easier" if count["either"] else ""
        unknown = "".join(
            f" Their {one}s aren't known." for one in groups.KINDS if one not in kinds
        )
        yield (
            f"Split {split}: {count['either']:,} of {(own['part'] == 'test').sum():,} test tracks "
            f"share an {' or an '.join(kinds)} with training{each}{easier}.{unknown}"
        )
