"""The page of the report in a real browser, opened from disk as a user opens it."""

import shutil

import pandas as pd
import pytest
from genreflow.report import page as report
from made import browser, small_results
from made.small_results import ABOUT, ARTIST, GENRES, MARKS, TITLE

SVM = "official/classify/vgg16/fc1/pca-0.90/svm-rbf_(random_weights)"
CLIPS = "document.getElementById('{}').querySelector('.clips')"


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results") / "my music"
    files = small_results.make(folder)
    report.write(
        folder / "report.html",
        files,
        results=folder,
        config={"corpus": {"kind": "demo"}, "long": "x" * 500},
        versions={"python": "3.11"},
        limits=["A" * 300],
        marks=MARKS,
        about=ABOUT,
    )
    return folder


@pytest.fixture
def page(window, results):
    """Open the page anew; nothing may go wrong in it or be asked for, whatever a test does."""
    window.complaints(), window.requests()
    window.resize(1200, 900)
    window.open(results / "report.html")
    asked = [url for url in window.requests() if not url.startswith("data:")]
    assert asked == [(results / "report.html").as_uri()]
    yield window
    assert window.complaints() == []
    own = (results / "report.html").as_uri(), (results / "wav").as_uri()
    assert [url for url in window.requests() if not url.startswith((*own, "data:"))] == []


def unfold(page, learner=SVM):
    """Show a learner as its link does, and wait for its matrix."""
    page.run("location.hash = arguments[0]", f"#{learner}")
    page.wait("return document.getElementById(arguments[0]).querySelector('table')", learner)


def unfold_all(page):
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.wait("return document.querySelectorAll('.matrix table').length === 3")


def column(page, table, place):
    return page.run(
        """const rows = document.querySelector(arguments[0]).tBodies[0].rows;
        return [...rows].map(row => row.cells[arguments[1]].textContent)""",
        table,
        place,
    )


def test_numbers_sort_by_their_values_and_back(page, results):
    table, button = "#ranking .sortable", "#ranking thead th:nth-child(2) button"
    comparison = pd.read_csv(results / "tables/comparison.csv").sort_values("test_accuracy")
    rising = comparison["title"].tolist()

    def shown():
        return [text[: len(name)] for text, name in zip(column(page, table, 0), order, strict=True)]

    for order, sort in ((rising[::-1], "descending"), (rising, "ascending"), (rising[::-1], "")):
        page.click(button)
        assert shown() == order
        header = page.run(
            "return document.querySelector('#ranking thead th:nth-child(2)').ariaSort"
        )
        assert header == (sort or "descending")


def test_tables_sort_by_keyboard(page):
    unfold_all(page)
    table = "#tables .sortable"
    page.run("document.querySelector('#tables thead th:nth-child(2) button').focus()")
    page.press("Enter")
    # As numbers: as text 9 would be the largest.
    assert column(page, table, 1) == ["100", "20", "9"]
    page.run("document.querySelector('#tables thead th:nth-child(1) button').focus()")
    page.press("Enter")
    assert column(page, table, 0) == ["a", "b", "c"]
    sorts = "return [...document.querySelectorAll('#tables thead th')].map(th => th.ariaSort)"
    assert page.run(sorts) == ["ascending", None]


def test_learners_are_filtered_by_words(page):
    visible = """return [...document.querySelectorAll(arguments[0])]
        .filter(element => element.checkVisibility()).map(element => element.textContent)"""
    names = (
        ".learner > summary > span:first-child",
        "#ranking [data-filterable] tbody th",
        "#genres tbody th",
    )
    page.run("document.querySelector('#learners > details').open = true")
    page.type("#learners input", "VGG16 svm 90")
    for place in names:
        (shown,) = page.run(visible, place)
        assert shown.startswith("RBF SVM on VGG16 fc1, PCA 90 % random weights")
    assert page.run("return document.querySelector('#ranking input').value") == "VGG16 svm 90"
    said = "return document.querySelector('#learners [role=status]').textContent"
    assert page.run(said) == "1 of 3 learners"
    page.run(
        """const input = document.querySelector('#ranking input');
        input.value = ''; input.dispatchEvent(new Event('input'))"""
    )
    for place in names:
        assert len(page.run(visible, place)) == 3
    assert page.run(said) == ""


def expected_cell(results, row, place):
    """Return the test tracks of a cell of the SVM's matrix."""
    path = results / "official/classify/vgg16/fc1/pca-0.90/svm-rbf/predictions.csv"
    rows = pd.read_csv(path, dtype={"track_id": str})
    rows = rows[(rows["part"] == "test") & (rows["genre"] == GENRES[row])]
    return rows[rows["predicted"] == GENRES[place]].set_index("track_id")


def cards(page, learner=SVM):
    return page.run(
        """const panel = document.getElementById(arguments[0]).querySelector('.clips');
        return [...panel.querySelectorAll('li')].map(card => ({
          id: card.querySelector('small').textContent.replace('track ', ''),
          title: card.querySelector('strong').textContent,
          text: card.textContent,
          image: card.querySelector('img').naturalWidth,
          sound: card.querySelector('audio').getAttribute('src'),
          probabilities: Object.fromEntries([...card.querySelectorAll('dl div')].map(div =>
            [div.querySelector('dt').textContent, div.querySelector('dd').textContent])),
          bars: [...card.querySelectorAll('.bar')].map(bar => bar.getBoundingClientRect().width),
        }))""",
        learner,
    )


def cell(row, place):
    return f"details[id='{SVM}'] [data-row='{row}'][data-column='{place}']"


def test_a_click_on_a_cell_lists_its_tracks(page, results):
    unfold(page)
    for row in range(3):
        expected = expected_cell(results, row, row)
        page.click(cell(row, row))
        shown = cards(page)
        assert {card["id"] for card in shown} == set(expected.index)
        for card in shown:
            track = expected.loc[card["id"]]
            for genre in GENRES:
                shown_share = float(card["probabilities"][genre].removesuffix(" %")) / 100
                assert abs(shown_share - track[f"p_{genre}"]) < 0.00051
            assert card["sound"] == f"./wav/{card['id']}.wav"
            assert card["image"] > 0 and min(card["bars"]) > 20
        said = [float(card["probabilities"][GENRES[row]][:-2]) for card in shown]
        assert said == sorted(said, reverse=True)
    chosen = "return document.querySelectorAll('[aria-selected=true]').length"
    assert page.run(chosen) == 1


def test_titles_and_artists_are_text(page, results):
    unfold(page)
    for row in range(3):
        for place in range(3):
            if "000003" in expected_cell(results, row, place).index:
                page.click(cell(row, place))
    (card,) = (card for card in cards(page) if card["id"] == "000003")
    assert card["title"] == TITLE
    assert f"by {ARTIST}" in card["text"]
    assert page.run("return document.title") == "Genres of my music: report"


FOCUSED = "return [document.activeElement.dataset.row, document.activeElement.dataset.column]"


def test_every_cell_of_the_matrix_is_reached_by_keyboard(page, results):
    unfold(page)
    on_tab = """return document.getElementById(arguments[0])
        .querySelectorAll(".matrix [data-row][tabindex='0']").length"""
    assert page.run(on_tab, SVM) == 1
    page.run("document.querySelector(arguments[0]).focus()", cell(0, 0))
    reached = [page.run(FOCUSED)]
    for keys in ("Right", "Right", "Down", "Left", "Left", "Down", "Right", "Right"):
        page.press(keys)
        reached.append(page.run(FOCUSED))
    assert sorted(map(tuple, reached)) == [(row, place) for row in "012" for place in "012"]
    page.press("Down", "Right")  # there is nothing beyond
    assert page.run(FOCUSED) == ["2", "2"]
    page.press("Up", "Enter")
    assert {card["id"] for card in cards(page)} == set(expected_cell(results, 1, 2).index)
    assert page.run(on_tab, SVM) == 1
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.run(outline) == "solid"


def test_the_margins_of_the_matrix_are_recall_and_precision(page, results):
    unfold(page)
    genres = pd.read_csv(results / "tables/genres.csv")
    own = genres[genres["learner"].str.startswith("classify")].set_index("genre").loc[GENRES]
    shown = page.run(
        "return [...document.getElementById(arguments[0]).querySelectorAll('.rate')]"
        ".map(cell => cell.textContent)",
        SVM,
    )
    expected = [*own["recall"], *own["precision"]]
    assert [int(text) for text in shown] == [int(100 * share + 0.5) for share in expected]


def test_a_clip_plays_from_beside_the_page(page):
    unfold(page)
    page.click(cell(0, 0))
    audio = f"{CLIPS.format(SVM)}.querySelector('audio')"
    page.run(f"{audio}.load(); {audio}.preload = 'metadata'")
    assert page.wait(f"return {audio}.duration") == pytest.approx(1.0)


def test_a_clip_that_is_not_there_is_named(window, results, tmp_path):
    shutil.copy(results / "report.html", tmp_path)
    window.open(tmp_path / "report.html")
    unfold(window)
    window.click(cell(0, 0))
    first = cards(window)[0]["id"]
    clips = CLIPS.format(SVM)
    window.run(f"const audio = {clips}.querySelector('audio'); audio.load(); audio.play()")
    window.wait(f"return !{clips}.querySelector('li').querySelector('audio')")
    said = window.run(f"return {clips}.querySelector('li').textContent")
    assert f"The clip isn't beside this page: ./wav/{first}.wav" in said


def test_many_tracks_come_in_batches(window, tmp_path):
    small_results.make(tmp_path, tracks=400)
    files = small_results.files(tmp_path)
    report.write(
        tmp_path / "report.html", files, results=tmp_path, config={}, versions={}, marks=MARKS
    )
    expected = expected_cell(tmp_path, 0, 0)
    assert 24 < len(expected) <= 48
    window.open(tmp_path / "report.html")
    unfold(window)
    window.click(cell(0, 0))
    assert len(cards(window)) == 24
    rest = len(expected) - 24
    more = f"{CLIPS.format(SVM)}.querySelector('.more')"
    assert window.run(f"return {more}.textContent") == f"Show {rest} more of {rest}"
    window.run(f"{more}.click()")
    assert {card["id"] for card in cards(window)} == set(expected.index)
    assert not window.run(f"return {more}.checkVisibility()")


def test_a_link_of_the_ranking_opens_the_learner(page):
    page.run(
        """[...document.querySelectorAll('#ranking tbody a')]
        .find(link => link.textContent.includes('SVM')).click()"""
    )
    page.wait("return document.getElementById(arguments[0]).open", SVM)
    assert page.run("return document.getElementById(arguments[0]).checkVisibility()", SVM)
    assert page.run("return document.querySelectorAll('.learner[open]').length") == 1


def said_wrongly(results, learner, seeds=("",)):
    """Return the test tracks that a learner names wrongly by its mean probabilities."""
    runs = [
        pd.read_csv(results / f"official/{learner}/{seed}predictions.csv", dtype={"track_id": str})
        for seed in seeds
    ]
    test = pd.concat(runs)[lambda rows: rows["part"] == "test"]
    means = test.groupby("track_id")[[f"p_{genre}" for genre in GENRES]].mean()
    named = means.idxmax(axis="columns").str.removeprefix("p_")
    wrong = named != test.groupby("track_id")["genre"].first()
    return means[wrong].max(axis="columns").sort_values(ascending=False)


def test_the_surest_errors_come_first_and_those_of_any_learner_can_be_heard(page, results):
    ids = """return [...document.querySelectorAll('#errors li small:first-of-type')]
        .map(small => small.textContent).filter(text => text.startsWith('track '))"""
    for title, learner, seeds in (
        ("RBF SVM", "classify/vgg16/fc1/pca-0.90/svm-rbf", ("",)),
        ("CNN", "cnn/simple", ("seed-0/", "seed-1/")),
    ):
        page.run(
            """const select = document.querySelector('#errors select');
            select.value = [...select.options].find(
                option => option.textContent.startsWith(arguments[0])).value;
            select.dispatchEvent(new Event('change'))""",
            title,
        )
        expected = said_wrongly(results, learner, seeds).index[:3]
        assert page.run(ids) == [f"track {name}" for name in expected]
    assert page.run("return document.querySelectorAll('#errors audio').length") == len(expected)


def test_the_hardest_pair_can_be_heard_without_a_click(page):
    text, sounds = page.run(
        """const box = document.querySelector('.hard');
        return [box.textContent, box.querySelectorAll('audio').length]"""
    )
    assert " are predicted as " in text and sounds == 1


def test_points_of_plots_are_reached_by_arrow_keys_and_named(page):
    page.run("document.querySelector(\"#cost .point[tabindex='0']\").focus()")
    names = set()
    for key in ("Left", "Left", "Left", "Right", "Right", "Up", "Down"):
        names.add(page.run("return document.querySelector('#cost .now').textContent"))
        page.press(key)
    names.add(page.run("return document.querySelector('#cost .now').textContent"))
    assert {name.split(":")[0] for name in names} == {one["title"] for one in ABOUT.values()}


def test_a_point_of_the_map_can_be_heard_and_one_genre_be_shown(page):
    count = page.run("return document.querySelectorAll('#map .point').length")
    assert count == 59
    page.click("#map .keys button:nth-child(3)")
    shown = page.run("return document.querySelectorAll('#map .point:not(.faded)').length")
    assert shown == 20
    page.run("document.querySelector('#map .point').click()")
    assert page.run("return document.querySelectorAll('#map .clips audio').length") == 1
    page.click("#map .keys button:nth-child(3)")
    assert not page.run("return document.querySelectorAll('#map .faded').length")


@pytest.mark.parametrize("width", [1920, 1200, 390, 320])
def test_nothing_is_wider_than_the_window(page, width):
    page.resize(width, 800)
    unfold_all(page)
    page.click(cell(0, 0))
    assert page.run("return innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth") == width
    # What leads to the sections is seen as a whole.
    beyond = """return [...document.querySelectorAll('nav a, .best a, .score, .hard *')]
        .filter(element => element.getBoundingClientRect().right > innerWidth).length"""
    assert page.run(beyond) == 0
    # Galleries are seen whole.
    cut = """return [...document.querySelectorAll('#figures .scroll')]
        .filter(box => box.scrollWidth > box.clientWidth).length"""
    assert page.run(cut) == 0
    # What scrolls in its box can be reached by the keyboard.
    unreachable = """return [...document.querySelectorAll('.scroll')].filter(
        box => box.scrollWidth > box.clientWidth && box.tabIndex !== 0).length"""
    assert page.wait(f"return (() => {{ {unreachable} }})() === 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, scheme):
    page.prefer(scheme)
    unfold_all(page)
    page.click(cell(0, 0))
    places = ["body", "p", "li", "a", "dt", "dd", "th", "td", "small", ".score", ".badge"]
    contrasts = page.contrasts(places)
    assert len(contrasts) > 100
    assert min(contrasts) >= browser.LEGIBLE
    assert page.is_light() == (scheme == "light")


@pytest.mark.parametrize(("width", "scheme"), [(1300, "light"), (390, "dark")])
def test_axe_finds_no_serious_fault(page, width, scheme):
    page.prefer(scheme)
    page.resize(width, 900)
    unfold_all(page)
    page.click(cell(0, 0))
    assert page.faults() == []
