import hashlib
import os
import re
import shutil
import socket
import stat
import threading
import time
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests
from genreflow.corpus.downloads import (
    CHUNK,
    UnreachableError,
    fetch,
    is_unpacked,
    require_space,
    unpack,
)
from genreflow.errors import GenreflowError

CONTENT = np.random.default_rng(0).bytes(5 * CHUNK + 123)
OTHER = CONTENT[::-1]
EXBIBYTE = 2**60
GIBIBYTE = 2**30
DATE = "Wed, 01 Jan 2020 00:00:00 GMT"


def sha1(content):
    return hashlib.sha1(content).hexdigest()


DIGEST = f"sha1:{sha1(CONTENT)}"


@dataclass
class Site:
    """What the server does with the requests, and those that came."""

    content: bytes = CONTENT
    etag: str | None = '"one"'
    date: str | None = None
    ranges: bool = True
    length: bool = True
    announced: int | None = None
    shift: int = 0
    stall: bool = False
    replacement: tuple | None = None  # content and entity tag from the second request on
    sent: list = field(default_factory=list)  # for each request, bytes before it breaks
    statuses: list = field(default_factory=list)  # for each request, an error to begin with
    requests: list = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)
    url: str = ""

    @property
    def asked(self):
        return [(r.get("Range"), r.get("If-Range")) for r in self.requests]


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        site = self.server.site
        site.requests.append(self.headers)
        if site.statuses and (status := site.statuses.pop(0)):
            self.send_error(status)
            return
        content, start, total = site.content, 0, site.announced or len(site.content)
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        fresh = self.headers.get("If-Range") in (None, site.etag, site.date)
        if asked and site.ranges and fresh:
            start = int(asked[1]) - site.shift
            if start >= total:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{total}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        if site.length:
            self.send_header("Content-Length", str(total - start))
        if site.etag:
            self.send_header("ETag", site.etag)
        if site.date:
            self.send_header("Last-Modified", site.date)
        self.end_headers()
        limit = site.sent.pop(0) if site.sent else None
        self.wfile.write(content[start:][:limit])
        self.wfile.flush()
        if site.stall:
            site.released.wait(10)
        if site.replacement:
            site.content, site.etag = site.replacement
        self.close_connection = True


@pytest.fixture
def serve():
    servers = []

    def start(**settings):
        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        server.site = Site(**settings)
        server.site.url = f"http://127.0.0.1:{server.server_port}/a/file.zip"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        return server.site

    yield start
    for server in servers:
        server.site.released.set()
        server.shutdown()
        server.server_close()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "downloads" / "file.zip"


@pytest.fixture
def partial(path):
    path.parent.mkdir()
    return path.with_name("file.zip.partial")


def get(site, path, **settings):
    settings = {"backoff": 0, "retries": 2, "progress": False, **settings}
    return fetch(site.url, path, **settings)


def only(path):
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


# --- fetch


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"size": len(CONTENT)},
        {"digest": DIGEST},
        {"size": len(CONTENT), "digest": f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"},
    ],
)
@pytest.mark.parametrize("length", [True, False])
def test_fetch_brings_the_file_and_leaves_nothing_beside_it(serve, path, expected, length):
    site = serve(length=length)
    assert get(site, path, **expected) == path
    assert path.read_bytes() == CONTENT
    assert only(path)
    assert site.asked == [(None, None)]
    # A compressed answer would have another size, and ranges of another thing.
    assert site.requests[0]["Accept-Encoding"] == "identity"


def test_a_whole_file_is_checked_and_not_downloaded_again(serve, path):
    site = serve()
    get(site, path, digest=DIGEST)
    get(site, path, digest=DIGEST, size=len(CONTENT))
    assert len(site.requests) == 1


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"size": len(CONTENT)}, [f"{len(CONTENT) - 1:,}", f"expected {len(CONTENT):,}"]),
        ({"digest": DIGEST}, [sha1(CONTENT[1:]), sha1(CONTENT)]),
    ],
)
def test_a_wrong_file_in_the_place_is_left_and_reported(serve, path, partial, expected, words):
    path.write_bytes(CONTENT[1:])
    site = serve()
    with pytest.raises(GenreflowError) as caught:
        get(site, path, **expected)
    for word in [str(path), "Delete it or move it away", *words]:
        assert word in str(caught.value)
    assert path.read_bytes() == CONTENT[1:]
    assert not site.requests


def test_an_earlier_partial_file_is_continued(serve, path, partial):
    partial.write_bytes(CONTENT[:1000])
    site = serve()
    get(site, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [("bytes=1000-", None)]
    assert only(path)


def test_an_earlier_partial_file_is_not_trusted_where_nothing_checks_it(serve, path, partial):
    partial.write_bytes(OTHER[:1000])
    site = serve()
    get(site, path, size=len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert site.asked == [(None, None)]


@pytest.mark.parametrize(
    ("validators", "if_range"),
    [
        ({}, '"one"'),
        ({"etag": None, "date": DATE}, DATE),
        ({"etag": 'W/"weak"', "date": DATE}, DATE),
    ],
)
def test_a_broken_connection_is_continued_if_the_file_is_still_the_same(
    serve, path, validators, if_range
):
    site = serve(sent=[2 * CHUNK, CHUNK], **validators)
    get(site, path)
    assert path.read_bytes() == CONTENT
    assert site.asked == [
        (None, None),
        (f"bytes={2 * CHUNK}-", if_range),
        (f"bytes={3 * CHUNK}-", if_range),
    ]


def test_without_a_validator_or_digest_a_broken_download_starts_anew(serve, path):
    site = serve(sent=[2 * CHUNK], etag='W/"weak"')
    get(site, path)
    assert path.read_bytes() == CONTENT
    assert site.asked == [(None, None), (None, None)]


def test_a_file_that_changes_on_the_server_is_taken_from_its_start(serve, path):
    site = serve(content=OTHER, sent=[2 * CHUNK], replacement=(CONTENT, '"two"'))
    get(site, path)
    assert path.read_bytes() == CONTENT
    assert site.asked == [(None, None), (f"bytes={2 * CHUNK}-", '"one"')]


def test_retries_count_only_tries_without_progress(serve, path):
    site = serve(sent=[CHUNK] * 5)
    get(site, path, retries=0)
    assert path.read_bytes() == CONTENT
    assert len(site.requests) == 6


def test_a_server_that_ignores_ranges_is_read_from_the_start(serve, path, partial):
    partial.write_bytes(OTHER[: 3 * CHUNK])
    site = serve(ranges=False)
    get(site, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [(f"bytes={3 * CHUNK}-", None)]


def test_a_server_that_always_breaks_off_is_given_up(serve, path, partial):
    site = serve(ranges=False, sent=[CHUNK] * 10)
    with pytest.raises(
        GenreflowError, match=r"broke off 3 times.*65,536 bytes.*file\.zip\.partial"
    ):
        get(site, path, digest=DIGEST, retries=2)
    # the first try brings something, the three after it nothing new
    assert len(site.requests) == 4
    assert not path.exists()
    assert partial.read_bytes() == CONTENT[:CHUNK]


def test_a_server_that_falls_silent_is_asked_again(serve, path):
    site = serve(stall=True, sent=[2 * CHUNK])
    get(site, path, timeout=2)
    assert path.read_bytes() == CONTENT
    assert site.asked == [(None, None), (f"bytes={2 * CHUNK}-", '"one"')]


def test_an_early_end_without_announced_length_is_noticed(serve, path):
    site = serve(length=False, sent=[2 * CHUNK])
    get(site, path, size=len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert len(site.requests) == 2


def test_another_range_than_asked_for_is_not_taken(serve, path, partial):
    partial.write_bytes(CONTENT[:1000])
    site = serve(shift=10)
    get(site, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [("bytes=1000-", None), (None, None)]


def test_a_partial_file_that_is_whole_is_only_checked(serve, path, partial):
    partial.write_bytes(CONTENT)
    site = serve()
    get(site, path, digest=DIGEST, size=len(CONTENT))
    assert path.read_bytes() == CONTENT
    assert not site.requests


def test_a_partial_file_that_is_whole_without_a_known_size_is_recognised(serve, path, partial):
    partial.write_bytes(CONTENT)
    site = serve()
    get(site, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [(f"bytes={len(CONTENT)}-", None)]


@pytest.mark.parametrize("expected", [{}, {"size": len(CONTENT), "retries": 0}])
def test_a_partial_file_longer_than_the_file_is_replaced(serve, path, partial, expected):
    partial.write_bytes(CONTENT + b"more")
    get(serve(), path, digest=DIGEST, **expected)
    assert path.read_bytes() == CONTENT


def test_a_wrong_digest_deletes_what_came_and_says_what_to_do(serve, path):
    site = serve(content=OTHER)
    with pytest.raises(GenreflowError) as caught:
        get(site, path, digest=DIGEST)
    for word in [site.url, sha1(OTHER), sha1(CONTENT), "deleted", "run again"]:
        assert word in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_a_damaged_partial_file_is_found_out(serve, path, partial):
    partial.write_bytes(OTHER[:1000])
    with pytest.raises(GenreflowError, match="run again to download it afresh"):
        get(serve(), path, digest=DIGEST)
    get(serve(), path, digest=DIGEST)
    assert path.read_bytes() == CONTENT


def test_a_wrong_announced_size_is_refused_before_the_download(serve, path, partial):
    partial.write_bytes(CONTENT[:1000])
    site = serve()
    with pytest.raises(GenreflowError, match=rf"{len(CONTENT):,} bytes, expected 2,000"):
        get(site, path, size=2000, digest=DIGEST)
    assert partial.read_bytes() == CONTENT[:1000]
    assert not path.exists()


def test_too_many_bytes_of_unannounced_length_are_refused(serve, path):
    with pytest.raises(GenreflowError, match=r"expected 2,000"):
        get(serve(length=False), path, size=2000)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize(
    ("status", "words"),
    [(404, "does not exist on the server"), (410, "does not exist"), (403, "status 403 Forbidden")],
)
def test_a_refusal_is_reported_at_once(serve, path, status, words):
    site = serve(statuses=[status])
    with pytest.raises(GenreflowError, match=words) as caught:
        get(site, path)
    assert site.url in str(caught.value)
    assert len(site.requests) == 1


def test_an_overloaded_server_is_asked_again(serve, path):
    site = serve(statuses=[503, 500])
    get(site, path)
    assert path.read_bytes() == CONTENT
    assert len(site.requests) == 3


def test_a_server_that_stays_overloaded_is_reported(serve, path):
    with pytest.raises(GenreflowError, match="status 503"):
        get(serve(statuses=[503] * 3), path, retries=2)


def closed_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "no-such-host.invalid"])
def test_no_network_is_reported_without_a_second_try(path, monkeypatch, host):
    waited = []
    monkeypatch.setattr(time, "sleep", waited.append)
    url = f"http://{host.format(port=closed_port())}/file.zip"
    with pytest.raises(UnreachableError, match=r"cannot reach http://.*the network") as caught:
        get(Site(url=url), path, size=2_000_000, backoff=1)
    assert f"{url}, 2 MB (" in str(caught.value)
    assert "object at 0x" not in str(caught.value)
    assert sum(waited) == 0


def test_a_network_that_goes_away_in_between_is_tried_again(serve, path, monkeypatch):
    """Once bytes have come, the next connection may be refused for a while."""
    site = serve(sent=[1000])
    session_get, calls = requests.Session.get, []

    def refuse_second(session, url, **settings):
        calls.append(url)
        if len(calls) == 2:
            url = f"http://127.0.0.1:{closed_port()}/file.zip"
        return session_get(session, url, **settings)

    monkeypatch.setattr(requests.Session, "get", refuse_second)
    get(site, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert len(calls) == 3


def test_too_little_disk_space_is_noticed_before_the_download(serve, path):
    site = serve(announced=EXBIBYTE)
    with pytest.raises(GenreflowError) as caught:
        get(site, path)
    free = re.search(r"1,073,741,824.00 GiB needed, ([\d,.]+) GiB free", str(caught.value))
    expected = shutil.disk_usage(path.parent).free / 2**30
    assert float(free[1].replace(",", "")) == pytest.approx(expected, rel=0.05)
    assert str(path.parent) in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_only_the_missing_bytes_need_space(serve, path, partial):
    with partial.open("wb") as file:
        file.truncate(GIBIBYTE)  # sparse: takes no room
    with pytest.raises(GenreflowError, match=r"1,073,741,823\.00 GiB needed"):
        get(serve(announced=EXBIBYTE), path, digest=DIGEST)
    assert partial.stat().st_size == GIBIBYTE


def test_space_is_looked_up_for_a_folder_that_is_not_there_yet(tmp_path):
    require_space(tmp_path / "a" / "b", 1, "test")
    with pytest.raises(GenreflowError, match=rf"to test: .* free in {tmp_path}/a/b"):
        require_space(tmp_path / "a" / "b", EXBIBYTE, "test")


def test_a_disk_that_fills_up_is_reported(serve, path, partial):
    partial.symlink_to("/dev/full")
    with pytest.raises(GenreflowError, match=r"disk is full\. .* GiB are free there; make room"):
        get(serve(), path, digest=DIGEST)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_reported(serve, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GenreflowError, match=r"cannot write .*Mend that and run again"):
        get(serve(), tmp_path / "file" / "below" / "file.zip")


@pytest.mark.parametrize("digest", ["ade154", "sha0:ade154", "sha1:XYZ", "sha1:"])
def test_a_malformed_digest_is_refused(path, digest):
    with pytest.raises(GenreflowError, match="is no digest: expected ALGORITHM:HEX"):
        get(Site(url="http://127.0.0.1/"), path, digest=digest)


def test_progress_is_shown_in_bytes(serve, path, capfd):
    get(serve(), path, progress=True)
    assert re.search(r"file\.zip: 100%.*320k/320k", capfd.readouterr().err)


# --- unpack

MEMBERS = {
    "set/README.txt": b"read me",
    "set/000/000002.mp3": CONTENT[:200_000],
    "set/000/000005.mp3": b"",
    "set/001/001000.mp3": CONTENT[200_000:],
}
LISTED = ("000/000002.mp3", "000/000005.mp3", "001/001000.mp3")


def listing(names=LISTED, members=MEMBERS):
    return "".join(f"{sha1(members[f'set/{name}'])}  {name}\n" for name in names).encode()


def write_zip(path, members, *, compression=zipfile.ZIP_BZIP2):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path):
    return write_zip(tmp_path / "set.zip", {"set/checksums": listing(), **MEMBERS})


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "unpacked"


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def extract(archive, folder, **settings):
    return unpack(archive, folder, **{"checksums": "set/checksums", "progress": False, **settings})


@contextmanager
def refused(folder, match):
    before = files(folder)
    with pytest.raises(GenreflowError, match=match):
        yield
    assert files(folder) == before


@pytest.mark.parametrize(
    "compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]
)
@pytest.mark.parametrize("threads", [1, 4])
def test_unpack_writes_all_members(tmp_path, folder, compression, threads):
    members = {"set/checksums": listing(), **MEMBERS}
    archive = write_zip(tmp_path / "set.zip", members, compression=compression)
    assert extract(archive, folder, threads=threads) == 5
    assert files(folder) == members
    assert is_unpacked(folder, checksums="set/checksums")


def test_unpack_without_a_list_of_checksums(tmp_path, folder):
    archive = write_zip(tmp_path / "set.zip", MEMBERS)
    assert extract(archive, folder, checksums=None) == 4
    assert files(folder) == MEMBERS


def test_unpack_goes_on_where_it_was_interrupted(archive, folder):
    extract(archive, folder)
    kept = folder / "set/000/000002.mp3"
    os.utime(kept, (0, 0))
    (folder / "set/000/000005.mp3").unlink()
    same_size = folder / "set/001/001000.mp3"
    same_size.write_bytes(b"x" * same_size.stat().st_size)
    (folder / "set/README.txt").write_bytes(b"read")
    assert extract(archive, folder) == 3
    assert files(folder) == {"set/checksums": listing(), **MEMBERS}
    assert kept.stat().st_mtime == 0
    assert extract(archive, folder) == 0


def test_files_that_the_list_does_not_name_are_checked_by_the_zip(archive, folder):
    extract(archive, folder)
    (folder / "set/README.txt").write_bytes(b"READ ME")
    assert extract(archive, folder) == 1
    assert (folder / "set/README.txt").read_bytes() == b"read me"


def test_is_unpacked_only_after_the_last_file(tmp_path, folder):
    damaged = {**MEMBERS, "set/001/001000.mp3": b"damaged"}
    archive = write_zip(tmp_path / "set.zip", {"set/checksums": listing(), **damaged})
    assert not is_unpacked(folder, checksums="set/checksums")
    with pytest.raises(GenreflowError):
        extract(archive, folder)
    assert (folder / "set/000/000002.mp3").is_file()
    assert not is_unpacked(folder, checksums="set/checksums")


def test_is_unpacked_notices_a_file_that_is_gone(archive, folder):
    extract(archive, folder)
    (folder / "set/000/000005.mp3").unlink()
    assert not is_unpacked(folder, checksums="set/checksums")


def test_a_member_that_differs_from_its_checksum_is_named(tmp_path, folder):
    damaged = {**MEMBERS, "set/001/001000.mp3": OTHER}
    archive = write_zip(tmp_path / "set.zip", {"set/checksums": listing(), **damaged})
    with pytest.raises(GenreflowError) as caught:
        extract(archive, folder)
    for word in ["'set/001/001000.mp3'", sha1(OTHER), sha1(CONTENT[200_000:]), str(archive)]:
        assert word in str(caught.value)
    assert "set/001/001000.mp3" not in files(folder)
    assert not any(".part" in name for name in files(folder))


def test_a_listed_member_that_is_missing_is_named(tmp_path, folder):
    members = {"set/checksums": listing(), **MEMBERS}
    del members["set/000/000005.mp3"]
    archive = write_zip(tmp_path / "set.zip", members)
    with refused(folder, r"1 of the files .* missing, 'set/000/000005\.mp3'"):
        extract(archive, folder)


def test_an_archive_without_the_list_is_refused(tmp_path, folder):
    archive = write_zip(tmp_path / "set.zip", MEMBERS)
    with refused(folder, "no member 'set/checksums'"):
        extract(archive, folder)


@pytest.mark.parametrize("line", ["no checksum", f"{sha1(b'')}", f"{'g' * 40}  000/000002.mp3"])
def test_a_malformed_list_is_refused(tmp_path, folder, line):
    text = listing() + line.encode()
    archive = write_zip(tmp_path / "set.zip", {"set/checksums": text, **MEMBERS})
    with refused(folder, "set/checksums, line 4: expected a SHA-1, two spaces and a path"):
        extract(archive, folder)


def test_pickles_are_never_written(tmp_path, folder):
    pickles = {"set/not_found.pickle": b"cposix\nsystem", "set/B.PKL": b"x", "set/c.Pickle": b"y"}
    every = {**MEMBERS, **pickles}
    names = (*LISTED, "not_found.pickle", "B.PKL", "c.Pickle")
    archive = write_zip(tmp_path / "set.zip", {"set/checksums": listing(names, every), **every})
    assert extract(archive, folder) == 5
    assert set(files(folder)) == {"set/checksums", *MEMBERS}
    assert is_unpacked(folder, checksums="set/checksums")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil", "outside"),
        ("set/../../evil", "outside"),
        ("set/../evil", "outside"),
        ("..", "outside"),
        ("../", "outside"),
        (r"..\evil", "outside"),
        (r"set\..\..\evil", "outside"),
        ("/abs/evil", "absolute path"),
        (r"\abs\evil", "absolute path"),
        ("//host/evil", "absolute path"),
        ("C:/evil", "absolute path"),
        ("c:evil", "absolute path"),
        ("../evil.pickle", "outside"),
    ],
)
def test_a_member_that_leaves_the_folder_is_refused(tmp_path, folder, name, reason):
    archive = write_zip(tmp_path / "set.zip", {**MEMBERS, name: b"evil"})
    with refused(tmp_path, rf"member '{re.escape(name)}' .*{reason}.*Nothing has been unpacked"):
        extract(archive, folder, checksums=None)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, folder, kind):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        link = zipfile.ZipInfo("set/link")
        link.external_attr = (kind | 0o777) << 16
        file.writestr(link, str(tmp_path))
        file.writestr("set/link/evil", b"evil")
    with refused(tmp_path, "'set/link' is a link or a device"):
        extract(tmp_path / "set.zip", folder, checksums=None)


def test_folders_and_plain_files_by_mode_are_taken(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        file.writestr(zipfile.ZipInfo("set/"), b"")
        member = zipfile.ZipInfo("set/file..name")
        member.external_attr = (stat.S_IFREG | 0o444) << 16
        file.writestr(member, b"content")
    extract(tmp_path / "set.zip", folder, checksums=None)
    assert files(folder) == {"set/file..name": b"content"}


def test_more_than_fits_on_the_disk_is_refused(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("set/bomb", bytes(10**6))
        file.getinfo("set/bomb").file_size = EXBIBYTE
    with refused(tmp_path, r"to unpack bomb\.zip: 1,073,741,824\.00 GiB needed, .* GiB free"):
        extract(tmp_path / "bomb.zip", folder, checksums=None)


def test_only_absent_members_need_space(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as file:
        for name, size in (("there", GIBIBYTE), ("absent", EXBIBYTE)):
            file.writestr(name, b"")
            file.getinfo(name).file_size = size
    folder.mkdir()
    with (folder / "there").open("wb") as there:
        there.truncate(GIBIBYTE)
    with pytest.raises(GenreflowError, match=r"1,073,741,824\.00 GiB needed"):
        extract(tmp_path / "bomb.zip", folder, checksums=None)


def test_a_member_larger_than_declared_is_refused(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("set/bomb", bytes(10**6))
        file.getinfo("set/bomb").file_size = 1000
    with refused(folder, "cannot read 'set/bomb'.*CRC"):
        extract(tmp_path / "bomb.zip", folder, checksums=None)


def test_a_damaged_member_is_named(tmp_path, archive, folder):
    with zipfile.ZipFile(archive) as file:
        member = file.getinfo("set/001/001000.mp3")
    damaged = bytearray(archive.read_bytes())
    middle = member.header_offset + member.compress_size // 2
    damaged[middle : middle + 50] = bytes(50)
    archive.write_bytes(damaged)
    with pytest.raises(GenreflowError, match=r"cannot read 'set/001/001000\.mp3'.*download it ag"):
        extract(archive, folder)
    assert "set/001/001000.mp3" not in files(folder)


@pytest.mark.parametrize("content", [b"", b"<html>not found</html>"])
def test_what_is_no_zip_is_refused(tmp_path, folder, content):
    (tmp_path / "set.zip").write_bytes(content)
    with refused(tmp_path, r"set\.zip is not a whole zip archive"):
        extract(tmp_path / "set.zip", folder)


def test_a_truncated_archive_is_refused(archive, folder):
    archive.write_bytes(archive.read_bytes()[:-100])
    with refused(folder, "not a whole zip archive"):
        extract(archive, folder)


def test_a_missing_archive_is_named(tmp_path, folder):
    with pytest.raises(GenreflowError, match=r"cannot open the archive .*set\.zip: No such file"):
        extract(tmp_path / "set.zip", folder)


def test_a_disk_that_fills_up_while_unpacking_is_reported(archive, folder):
    (folder / "set" / "000").mkdir(parents=True)
    (folder / "set" / "000" / ".part-000002.mp3").symlink_to("/dev/full")
    with pytest.raises(GenreflowError, match=r"000002\.mp3: the disk is full"):
        extract(archive, folder)
    extract(archive, folder)
    assert files(folder) == {"set/checksums": listing(), **MEMBERS}
