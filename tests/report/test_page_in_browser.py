"""The page of the report in a real browser, opened from disk as a user opens it."""

import shutil

import pandas as pd
import pytest
from genreflow.report import page as report
from made import browser, small_results
from made.small_results import ARTIST, GENRES, MARKS, TITLE

SVM = "official/classify/vgg16/fc1/pca-0.90/svm-rbf_(random_weights)"
OPEN = "document.getElementById(arguments[0]).open = true"


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
    )
    return folder


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser.chromium(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


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
    rising = comparison["learner"].tolist()
    page.click(button)
    assert column(page, table, 0) == rising[::-1]
    page.click(button)
    assert column(page, table, 0) == rising
    header = "return document.querySelector('#ranking thead th:nth-child(2)').ariaSort"
    assert page.run(header) == "ascending"
    page.click(button)
    assert column(page, table, 0) == rising[::-1]
    assert page.run(header) == "descending"


def test_tables_sort_by_keyboard(page):
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


def test_empty_cells_stay_last(page):
    table, button = "#costs .sortable", "#costs thead th:nth-child(5) button"
    page.click(button)
    assert column(page, table, 4) == ["000002", ""]
    page.click(button)
    assert column(page, table, 4) == ["000002", ""]


def test_learners_are_filtered_by_words(page):
    visible = """return [...document.querySelectorAll(arguments[0])]
        .filter(element => element.checkVisibility()).map(element => element.textContent)"""
    names = ".learner summary span:first-child", "#ranking tbody tr th"
    page.type("#learners input", "VGG16 svm")
    for place in names:
        assert page.run(visible, place) == ["classify/vgg16/fc1/pca-0.90/svm-rbf (random weights)"]
    assert page.run("return document.querySelector('#ranking input').value") == "VGG16 svm"
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
    page.run(OPEN, SVM)
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
    pressed = "return document.querySelectorAll('[aria-pressed=true]').length"
    assert page.run(pressed) == 1


def test_titles_and_artists_are_text(page, results):
    page.run(OPEN, SVM)
    for row in range(3):
        for place in range(3):
            if "000003" in expected_cell(results, row, place).index:
                page.click(cell(row, place))
    (card,) = (card for card in cards(page) if card["id"] == "000003")
    assert card["title"] == TITLE
    assert f"by {ARTIST}" in card["text"]
    assert page.run("return document.title") == "Genres of my music: report"


def test_the_matrix_works_by_keyboard(page, results):
    page.run(OPEN, SVM)
    focused = "return [document.activeElement.dataset.row, document.activeElement.dataset.column]"
    on_tab = """return document.getElementById(arguments[0])
        .querySelectorAll(".matrix [tabindex='0']").length"""
    focus = "document.querySelector(arguments[0]).focus()"
    assert page.run(on_tab, SVM) == 1
    page.run(focus, cell(0, 0))
    page.press("Down", "Down")
    assert page.run(focused) == ["2", "0"]
    page.press("Down")  # there is nothing below
    assert page.run(focused) == ["2", "0"]
    page.press("Right", "Enter")
    row, place = page.run(focused)
    assert (row, place) in {("2", "1"), ("2", "2")}
    assert {card["id"] for card in cards(page)} == set(expected_cell(results, 2, int(place)).index)
    assert page.run(on_tab, SVM) == 1
    outline = "return getComputedStyle(document.activeElement).outlineStyle"
    assert page.run(outline) == "solid"
    page.press("Tab")  # on to the first clip, which stands below the matrix
    assert page.run("return document.activeElement.tagName") == "AUDIO"
    assert page.run(outline) != "none"


def test_a_clip_plays_from_beside_the_page(page):
    page.run(OPEN, SVM)
    page.click(cell(0, 0))
    page.run("document.querySelector('.clips audio').load()")
    page.run("document.querySelector('.clips audio').preload = 'metadata'")
    assert page.wait("return document.querySelector('.clips audio').duration") == pytest.approx(1.0)


def test_a_clip_that_is_not_there_is_named(window, results, tmp_path):
    shutil.copy(results / "report.html", tmp_path)
    window.open(tmp_path / "report.html")
    window.run(OPEN, SVM)
    window.click(cell(0, 0))
    first = cards(window)[0]["id"]
    window.run("const audio = document.querySelector('.clips audio'); audio.load(); audio.play()")
    window.wait("return !document.querySelector('.clips li').querySelector('audio')")
    said = window.run("return document.querySelector('.clips li').textContent")
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
    window.run(OPEN, SVM)
    window.click(cell(0, 0))
    assert len(cards(window)) == 24
    rest = len(expected) - 24
    assert window.run("return document.querySelector('.more').textContent") == (
        f"Show {rest} more of {rest}"
    )
    window.click(".more")
    assert {card["id"] for card in cards(window)} == set(expected.index)
    assert not window.run("return document.querySelector('.more').checkVisibility()")


def test_a_link_of_the_ranking_opens_the_learner(page):
    page.run(
        """[...document.querySelectorAll('#ranking tbody a')]
        .find(link => link.textContent.includes('svm')).click()"""
    )
    page.wait("return document.getElementById(arguments[0]).open", SVM)
    assert page.run("return document.querySelectorAll('.learner[open]').length") == 1


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_nothing_is_wider_than_the_window(page, width):
    page.resize(width, 800)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.click(cell(0, 0))
    assert page.run("return innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth") == width
    # What scrolls in its box can be reached by the keyboard.
    unreachable = """return [...document.querySelectorAll('.scroll')].filter(
        box => box.scrollWidth > box.clientWidth && box.tabIndex !== 0).length"""
    assert page.wait(f"return (() => {{ {unreachable} }})() === 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, scheme):
    page.prefer(scheme)
    page.run(OPEN, SVM)
    page.click(cell(0, 0))
    places = ["body", "p", "li", "a", "dt", "dd", "th", "td", "small", ".score", ".matrix button"]
    contrasts = page.contrasts(places)
    assert len(contrasts) > 100
    assert min(contrasts) >= browser.LEGIBLE
    assert page.is_light() == (scheme == "light")
    # Figures have dark letters on nothing: they lie on white in both.
    cards_behind = [behind for _, behind in page.colors([".card"])]
    assert cards_behind and all(color == [255, 255, 255] for color in cards_behind)
