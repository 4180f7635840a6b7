"""The page of predictions in a real browser, opened from disk as a user opens it."""

from pathlib import Path

import pytest
from genreflow.bundle import page as pages
from made import browser, music

NAMES = """return [...document.querySelectorAll('#files h2')]
    .filter(name => name.checkVisibility()).map(name => name.firstChild.textContent)"""
ROW = "#files li:nth-child({})"
TIME = "return document.querySelector('#files li:nth-child({}) audio').currentTime"


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """Write files with nasty names, their page, and return their predictions."""
    folder = tmp_path_factory.mktemp("predicted")
    found = music.predictions(music.write(folder), note="Synthetic.")
    pages.write(found, folder / "results" / "mine" / "predicted" / "report.html")
    return found


@pytest.fixture(scope="module")
def path(found):
    return Path(found.files[0].file).parents[2] / "results" / "mine" / "predicted" / "report.html"


@pytest.fixture
def page(window, path):
    """Open the page anew; nothing may go wrong in it or be asked for but the music."""
    window.complaints(), window.requests()
    window.resize(1200, 900)
    window.open(path)
    asked = [url for url in window.requests() if not url.startswith("data:")]
    assert asked == [path.as_uri()]
    window.wait("return document.querySelectorAll('audio').length === 8")
    yield window
    assert window.complaints() == []
    own = path.as_uri(), (path.parents[3] / "music").as_uri()
    assert [url for url in window.requests() if not url.startswith((*own, "data:"))] == []


def usable(found):
    return [one for one in found.files if not one.reason]


def test_each_file_has_its_name_and_most_probable_genres(page, found):
    assert page.run(NAMES) == [one.name for one in usable(found)]
    assert page.run("return document.title") == "Genres of 9 files in “music”"
    for place, one in enumerate(usable(found), start=1):
        row = ROW.format(place)
        genres = page.run(
            "return [...document.querySelectorAll(arguments[0])].map(dt => dt.textContent)",
            f"{row} .shares dt",
        )
        assert genres == one.best[:3]
        first = page.run(
            "return document.querySelector(arguments[0]).textContent", f"{row} .shares dd"
        )
        assert float(first.removesuffix(" %")) == pytest.approx(
            100 * one.probabilities.max(), abs=0.051
        )


@pytest.mark.parametrize("place", range(1, 1 + len(music.NAMES)))
def test_each_file_plays_whatever_its_name_is(page, place):
    page.run(f"document.querySelector('{ROW.format(place)} audio').preload = 'metadata'")
    seconds = page.wait(f"return document.querySelector('{ROW.format(place)} audio').duration")
    assert seconds == pytest.approx(music.SECONDS)


def test_a_click_on_the_ribbon_plays_from_there(page):
    # Windows of 4 s, from 0, 2, ... 8 s: each is drawn for 2 s around its middle, the outer longer.
    page.click(f"{ROW.format(2)} .ribbon button:nth-child(3)")
    assert page.wait(TIME.format(2)) == pytest.approx(6, abs=0.9)
    alone = (  # the others are stopped by its event, which comes a little later
        "return [...document.querySelectorAll('audio')]"
        ".every((audio, place) => audio.paused !== (place === arguments[0]))"
    )
    assert page.wait(alone, 1)
    page.wait(f"return {TIME.format(2)[7:]} > 6.1")
    page.click(f"{ROW.format(1)} .ribbon button:nth-child(5)")
    page.wait(f"return {TIME.format(1)[7:]} > 9")
    assert page.wait(alone, 0)
    head = page.run(
        f"return parseFloat(document.querySelector('{ROW.format(1)} .head').style.left)"
    )
    assert head == pytest.approx(100 * page.run(TIME.format(1)) / music.SECONDS, abs=8)


def test_the_ribbon_works_by_keyboard(page):
    page.run(f"document.querySelector('{ROW.format(1)} audio').focus()")
    while page.run("return document.activeElement.tagName") == "AUDIO":
        page.press("Tab")
    label = "return document.activeElement.ariaLabel"
    assert page.run(label).startswith("Play 0:00 to 0:04: Blues ")
    page.press("Right", "Right", "Right", "Left", "Right")
    assert page.run(label).startswith("Play 0:06 to 0:10: ")
    told = page.run(f"return document.querySelector('{ROW.format(1)} .now').textContent")
    assert told.startswith("0:06 to 0:10: ")
    assert page.run("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.press("Enter")
    # The middle between that of its window and that of the one before.
    page.wait(f"return {TIME.format(1)[7:]} >= 7")
    assert page.run(TIME.format(1)) < 9
    on_tab = f"return document.querySelectorAll('{ROW.format(1)} .ribbon [tabindex=\"0\"]').length"
    assert page.run(on_tab) == 1


def test_the_ribbon_changes_where_the_genre_does(page, found):
    for place, one in enumerate(usable(found), start=1):
        runs = page.run(
            """const row = document.querySelector(arguments[0]);
            const ribbon = row.querySelector('.ribbon').getBoundingClientRect();
            return [...row.querySelectorAll('.runs > span')].map(run => [run.textContent,
                (run.getBoundingClientRect().left - ribbon.left) / ribbon.width,
                run.getBoundingClientRect().width / ribbon.width])""",
            ROW.format(place),
        )
        first, second = one.by_itself[0], one.by_itself[-1]
        # Middles of windows at 2, 4, 6 s have the first, those at 8 and 10 s the second genre.
        assert [text for text, *_ in runs] == [f"{first} 0:00", f"{second} 0:07"]
        shares = [share for _, *own in runs for share in own]
        assert shares == pytest.approx([0, 7 / 12, 7 / 12, 5 / 12], abs=0.01)


def test_what_is_unsure_is_marked_and_found(page, found):
    unsure = [one.name for one in usable(found) if one.unsure]
    marked = """return [...document.querySelectorAll('#files h2')]
        .filter(name => name.querySelector('.badge'))
        .map(name => name.firstChild.textContent)"""
    assert page.run(marked) == unsure and len(unsure) == 2
    said = page.run("return document.querySelector('header p').textContent")
    assert "stands by 2 files below 57 %" in said
    choose(page, "confidence", "unsure")
    assert page.run(NAMES) == unsure
    choose(page, "confidence", "sure")
    assert page.run(NAMES) == [one.name for one in usable(found) if not one.unsure]


def choose(page, field, value):
    page.run(
        """const field = document.getElementById(arguments[0]);
        field.value = arguments[1]; field.dispatchEvent(new Event('input'))""",
        field,
        value,
    )


def test_files_are_sorted(page, found):
    files = usable(found)
    by_name = sorted(one.name for one in files)
    by_certainty = [one.name for one in sorted(files, key=lambda one: one.probabilities.max())]
    choose(page, "order", "name")
    assert sorted(page.run(NAMES)) == by_name and page.run(NAMES)[-1].startswith("Пісня")
    choose(page, "order", "unsure")
    assert page.run(NAMES) == by_certainty
    choose(page, "order", "surest")
    assert page.run(NAMES) == by_certainty[::-1]
    choose(page, "order", "genre")
    genres = {one.name: one.predicted for one in files}
    shown = [genres[name] for name in page.run(NAMES)]
    assert [shown[place] for place in range(0, 8, 2)] == [shown[place] for place in range(1, 8, 2)]
    choose(page, "order", "listed")
    assert page.run(NAMES) == [one.name for one in files]


def test_files_are_filtered(page, found):
    files = usable(found)
    status = "return document.querySelector('.tools [role=status]').textContent"
    page.type("#name", "WAV lines")
    assert page.run(NAMES) == ["two\\nlines.wav"] and page.run(status) == "1 of 8 files"
    choose(page, "name", "album 1/")
    assert page.run(NAMES) == [one.name for one in files[1::2]]
    choose(page, "name", "nothing")
    assert page.run(NAMES) == []
    assert page.run("return document.getElementById('none').checkVisibility()")
    choose(page, "name", "")
    assert page.run(status) == ""
    choose(page, "confidence", "0 0.5")
    unsure = [one.name for one in files if one.probabilities.max() < 0.5]
    assert page.run(NAMES) == unsure
    choose(page, "confidence", "0.5 1")
    assert page.run(NAMES) == [one.name for one in files if one.name not in unsure]
    choose(page, "confidence", "0 1")
    page.run("document.querySelector('.keys button').focus()")
    genre = page.run("return document.activeElement.textContent.replace(/ 2$/, '')")
    page.press("Enter")
    assert page.run(NAMES) == [one.name for one in files if one.predicted == genre]
    page.press("Tab", "Enter")
    assert len(page.run(NAMES)) == 4


def test_what_cannot_be_predicted_is_told_with_the_reason(page):
    page.click(".failed summary")
    said = page.run("return document.querySelector('.failed dl').innerText")
    assert "<b>bad<i>.mp3" in said and music.REASON in said


def test_a_file_that_is_gone_is_named(window, found, tmp_path):
    paths = music.write(tmp_path)
    pages.write(music.predictions(paths), tmp_path / "page.html")
    Path(paths[0]).unlink()
    window.open(tmp_path / "page.html")
    window.wait("return document.querySelector('.ribbon')")
    window.click(f"{ROW.format(1)} .ribbon button")
    window.wait(f"return !document.querySelector('{ROW.format(1)} audio')")
    said = window.run(f"return document.querySelector('{ROW.format(1)} .sound').innerText")
    assert "Not there any more" in said and "plain.wav" in said
    assert window.run(f"return document.querySelectorAll('{ROW.format(1)} .ribbon').length") == 1


@pytest.mark.parametrize("width", [1200, 390, 320])
def test_nothing_is_wider_than_the_window(page, width):
    page.resize(width, 800)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    assert page.run("return innerWidth") == width
    assert page.run("return document.documentElement.scrollWidth") == width
    # Nor is anything cut off.
    wide = """return [...document.querySelectorAll(arguments[0])]
        .filter(element => element.getBoundingClientRect().right > innerWidth).length"""
    assert page.run(wide, "h2, .name small, audio, .ribbon, .runs, .shares dd span, .keys *") == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_in_light_and_dark(page, scheme):
    page.prefer(scheme)
    page.run("document.querySelectorAll('details').forEach(details => { details.open = true })")
    places = ["p", "h2", "small", "summary", "dt", "dd", "label", "select", "button", ".runs span"]
    contrasts = page.contrasts(places)
    assert len(contrasts) > 100 and min(contrasts) >= browser.LEGIBLE
    assert page.is_light() == (scheme == "light")


def test_thousands_of_files_are_there_at_once(window, tmp_path):
    paths = [
        str(tmp_path / "music" / f"{number // 100}" / f"{number}.mp3") for number in range(5000)
    ]
    many = music.predictions(paths, seconds=20)
    pages.write(many, tmp_path / "page.html")
    window.complaints()
    window.open(tmp_path / "page.html")
    loaded = window.run("return performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < loaded < 3000
    window.wait("return document.querySelector('#files audio')")
    players = "return document.querySelectorAll('audio').length"
    assert window.run("return document.querySelectorAll('#files li').length") == 5000
    assert window.run(players) < 50
    window.run("document.querySelector('#files li:last-child').scrollIntoView()")
    window.wait("return document.querySelector('#files li:last-child audio')")
    assert window.run(players) < 50
    took = window.run(
        """const start = performance.now();
        const order = document.getElementById('order');
        order.value = 'surest'; order.dispatchEvent(new Event('input'));
        document.body.getBoundingClientRect();
        return performance.now() - start"""
    )
    assert took < 3000
    assert window.complaints() == []


@pytest.mark.parametrize(("width", "scheme"), [(1300, "dark"), (390, "light")])
def test_axe_finds_no_serious_fault(page, width, scheme):
    page.prefer(scheme)
    page.resize(width, 900)
    assert page.faults() == []
