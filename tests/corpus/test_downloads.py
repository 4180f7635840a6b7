import fcntl
import gzip
import hashlib
import os
import re
import resource
import socket
import stat
import threading
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import requests
from genreflow.corpus import downloads
from genreflow.corpus.downloads import CHUNK, UnreachableError, fetch, is_unpacked, unpack
from genreflow.errors import GenreflowError

CONTENT = np.random.default_rng(0).bytes(5 * CHUNK + 123)
OTHER = CONTENT[::-1]


def sha1(content):
    return hashlib.sha1(content).hexdigest()


DIGEST = f"sha1:{sha1(CONTENT)}"


@dataclass
class Site:
    """What the server does with the requests, and those that came."""

    content: bytes = CONTENT
    ranges: bool = True
    length: bool = True
    stall: bool = False
    sent: list = field(default_factory=list)  # for each request, bytes before it breaks
    statuses: list = field(default_factory=list)  # for each request, an error to begin with
    asked: list = field(default_factory=list)  # the range of each request
    released: threading.Event = field(default_factory=threading.Event)
    headers: dict = field(default_factory=dict)  # sent with the content
    location: str = ""  # where the first request is sent to
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        site = self.server.site
        site.asked.append(self.headers.get("Range"))
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        if site.location:
            self.send_response(302)
            self.send_header("Location", site.location)
            self.end_headers()
            site.location = ""
            while not site.stall and not site.released.is_set():  # a body without an end
                self.wfile.write(bytes(CHUNK))
            return
        total, start = len(site.content), 0
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        if asked and site.ranges:
            start = int(asked[1])
            if start >= total:
                self.send_error(416)
                return
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        else:
            self.send_response(200)
        for name, value in site.headers.items():
            self.send_header(name, value)
        if site.length:
            self.send_header("Content-Length", str(total - start))
        self.end_headers()
        limit = site.sent.pop(0) if site.sent else None
        self.wfile.write(site.content[start:][:limit])
        self.wfile.flush()
        if site.stall:
            site.released.wait(10)
        self.close_connection = True


@pytest.fixture
def serve(monkeypatch):
    monkeypatch.setattr(downloads, "PAUSE", 0)
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


def only(path):
    return [entry.name for entry in path.parent.iterdir()] == [path.name]


# --- fetch


@pytest.mark.parametrize("digest", [DIGEST, f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"])
@pytest.mark.parametrize("length", [True, False])
def test_fetch_brings_the_file_and_leaves_nothing_beside_it(serve, path, digest, length):
    site = serve(length=length)
    assert fetch(site.url, path, digest=digest) == path
    assert path.read_bytes() == CONTENT
    assert only(path)
    fetch(site.url, path, digest=digest)  # checked, not downloaded again
    assert site.asked == [None]


def test_a_wrong_file_in_the_place_is_left_and_reported(serve, path, partial):
    path.write_bytes(OTHER)
    site = serve()
    with pytest.raises(GenreflowError) as caught:
        fetch(site.url, path, digest=DIGEST)
    for word in [str(path), site.url, "Delete it or move it away", sha1(OTHER), sha1(CONTENT)]:
        assert word in str(caught.value)
    assert path.read_bytes() == OTHER
    assert not site.asked


def test_an_earlier_partial_file_is_continued(serve, path, partial):
    partial.write_bytes(CONTENT[:1000])
    site = serve()
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == ["bytes=1000-"]
    assert only(path)


def test_a_download_goes_on_as_long_as_each_try_brings_something(serve, path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 1)
    site = serve(sent=[CHUNK] * 5)
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [None, *(f"bytes={n * CHUNK}-" for n in range(1, 6))]


def test_a_server_that_ignores_ranges_is_read_from_the_start(serve, path, partial):
    partial.write_bytes(OTHER[: 3 * CHUNK])
    site = serve(ranges=False)
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [f"bytes={3 * CHUNK}-"]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_server_that_always_breaks_off_is_given_up(serve, path, partial, monkeypatch, ranges):
    monkeypatch.setattr(downloads, "TRIES", 3)
    site = serve(ranges=ranges, sent=[CHUNK] + ([0] if ranges else [CHUNK]) * 10)
    with pytest.raises(GenreflowError, match=r"broke off 3 times.*kept in .*file\.zip\.partial"):
        fetch(site.url, path, digest=DIGEST)
    # the first try brings something, the three after it nothing new
    assert len(site.asked) == 4
    assert not path.exists()
    assert partial.read_bytes() == CONTENT[:CHUNK]


def test_a_server_that_falls_silent_is_asked_again(serve, path, monkeypatch):
    monkeypatch.setattr(downloads, "TIMEOUT", (5, 1))
    site = serve(stall=True, sent=[2 * CHUNK])
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert site.asked == [None, f"bytes={2 * CHUNK}-"]


def test_a_partial_file_that_is_whole_is_recognised(serve, path, partial):
    partial.write_bytes(CONTENT)
    fetch(serve().url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert only(path)


@pytest.mark.parametrize("left", [OTHER[:1000], CONTENT + b"more"])
def test_a_damaged_partial_file_is_found_out_and_deleted(serve, path, partial, left):
    partial.write_bytes(left)
    site = serve()
    with pytest.raises(GenreflowError) as caught:
        fetch(site.url, path, digest=DIGEST)
    for word in [site.url, sha1(CONTENT), "deleted", "run again to download it afresh"]:
        assert word in str(caught.value)
    assert list(path.parent.iterdir()) == []
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("status", [404, 403])
def test_a_refusal_is_reported_at_once(serve, path, status):
    site = serve(statuses=[status])
    with pytest.raises(GenreflowError, match=rf"can't be downloaded \({status} .*may have moved"):
        fetch(site.url, path, digest=DIGEST)
    assert len(site.asked) == 1
    assert list(path.parent.iterdir()) == []


def test_an_overloaded_server_is_asked_again(serve, path, monkeypatch):
    monkeypatch.setattr(downloads, "TRIES", 3)
    site = serve(statuses=[503, 429])
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    with pytest.raises(GenreflowError, match=r"broke off 3 times in a row \(503 "):
        fetch(serve(statuses=[503] * 3).url, path.with_name("other.zip"), digest=DIGEST)


def closed_port():
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return closed.getsockname()[1]


@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "no-such-host.invalid"])
def test_no_network_is_reported_without_a_second_try(path, monkeypatch, host):
    waited = []
    monkeypatch.setattr(downloads.time, "sleep", waited.append)
    url = f"http://{host.format(port=closed_port())}/file.zip"
    with pytest.raises(UnreachableError, match=rf"cannot reach {url} \(.*the network") as caught:
        fetch(url, path, digest=DIGEST)
    assert "object at 0x" not in str(caught.value)
    assert not waited
    assert list(path.parent.iterdir()) == []


def test_what_is_no_address_is_reported(path):
    with pytest.raises(GenreflowError, match=r"file\.zip can't be downloaded .*Check the address"):
        fetch("file.zip", path, digest=DIGEST)


def test_a_network_that_goes_away_in_between_is_tried_again(serve, path, monkeypatch):
    """Once bytes have come, the next connection may be refused for a while."""
    site = serve(sent=[CHUNK])
    get, calls = requests.Session.get, []

    def refuse_second(session, url, **settings):
        calls.append(url)
        if len(calls) == 2:
            url = f"http://127.0.0.1:{closed_port()}/file.zip"
        return get(session, url, **settings)

    monkeypatch.setattr(requests.Session, "get", refuse_second)
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT
    assert len(calls) == 3


def test_two_processes_never_write_to_one_file(serve, path, partial):
    site = serve()
    with partial.open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        with pytest.raises(GenreflowError, match=rf"another process is downloading {path}"):
            fetch(site.url, path, digest=DIGEST)
        assert not site.asked
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT


@pytest.fixture
def nearly_full():
    """Let no file of this process grow beyond 100 kB, as a full disk does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("nearly_full")
def test_a_disk_that_fills_up_is_reported(serve, path, partial):
    with pytest.raises(GenreflowError, match=rf"cannot write {path}: File too large.*make room"):
        fetch(serve().url, path, digest=DIGEST)
    assert not path.exists()


def test_a_folder_that_cannot_be_made_is_reported(serve, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(GenreflowError, match=r"cannot write .*Mend that .* and run again"):
        fetch(serve().url, tmp_path / "file" / "below" / "file.zip", digest=DIGEST)


@pytest.mark.parametrize("length", [True, False])
def test_what_is_larger_than_it_can_be_ends_at_the_limit(serve, path, length):
    site = serve(content=bytes(2**24), length=length)
    with pytest.raises(GenreflowError, match=r"sends more than 1 MB.*has been deleted"):
        fetch(site.url, path, digest=DIGEST, limit=1e6)
    assert list(path.parent.iterdir()) == []
    fetch(serve().url, path, digest=DIGEST, limit=len(CONTENT))


def test_what_is_sent_compressed_is_refused(serve, path):
    content = gzip.compress(CONTENT)
    site = serve(content=content, headers={"Content-Encoding": "gzip"})
    with pytest.raises(GenreflowError, match=r"sent compressed \('gzip'\)"):
        fetch(site.url, path, digest=DIGEST)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("stall", [True, False])
def test_the_body_of_a_redirect_is_not_read(serve, path, stall):
    site = serve(location="other.zip", stall=stall)
    fetch(site.url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT


def test_a_redirect_to_no_web_address_is_refused(serve, path, tmp_path):
    (tmp_path / "secret").write_text("of somebody else")
    site = serve(location=f"file://{tmp_path}/secret", stall=True)
    with pytest.raises(GenreflowError, match="can't be downloaded"):
        fetch(site.url, path, digest=DIGEST)


@pytest.mark.parametrize("link", ["symlink_to", "hardlink_to"])
def test_a_link_in_the_place_of_a_partial_file_is_removed(serve, path, partial, tmp_path, link):
    other = tmp_path / "other"
    other.write_bytes(CONTENT[:1000])
    getattr(partial, link)(other)
    site = serve()
    fetch(site.url, path, digest=DIGEST)
    assert other.read_bytes() == CONTENT[:1000]
    assert path.read_bytes() == CONTENT
    assert not path.is_symlink()
    assert site.asked == [None]


def test_a_pipe_in_the_place_of_a_partial_file_is_removed(serve, path, partial):
    os.mkfifo(partial)
    fetch(serve().url, path, digest=DIGEST)
    assert path.read_bytes() == CONTENT


def test_progress_is_shown_in_bytes(serve, path, capfd):
    fetch(serve().url, path, digest=DIGEST)
    shown = capfd.readouterr().err
    assert re.search(r"file\.zip: 100%.*320k/320k", shown)
    assert re.search(r"check file\.zip\.partial: 100%", shown)


# --- unpack

MEMBERS = {
    "set/README.txt": b"read me",
    "set/000/000002.mp3": CONTENT[:200_000],
    "set/000/000005.mp3": b"",
    "set/001/001000.mp3": CONTENT[200_000:],
    "set/not_found.pickle": b"cposix\nsystem",
}
LISTED = ("000/000002.mp3", "000/000005.mp3", "001/001000.mp3", "not_found.pickle")
WHOLE = {
    "set/checksums": "".join(f"{sha1(MEMBERS[f'set/{n}'])}  {n}\n" for n in LISTED).encode(),
    **MEMBERS,
}
UNPACKED = {name: content for name, content in WHOLE.items() if not name.endswith("pickle")}


def write_zip(path, members=WHOLE, compression=zipfile.ZIP_BZIP2):
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


@pytest.fixture
def archive(tmp_path):
    return write_zip(tmp_path / "set.zip")


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "unpacked"


def files(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_STORED])
def test_unpack_writes_all_members_but_pickles(tmp_path, folder, compression):
    unpack(write_zip(tmp_path / "set.zip", compression=compression), folder)
    assert files(folder) == UNPACKED
    assert is_unpacked(folder, checksums="set/checksums")


def test_unpack_goes_on_where_it_was_interrupted(archive, folder):
    unpack(archive, folder)
    kept = folder / "set/000/000002.mp3"
    before = kept.stat().st_mtime_ns
    (folder / "set/000/000005.mp3").unlink()
    (folder / "set/001/001000.mp3").write_bytes(CONTENT[200_000:-1])
    assert not is_unpacked(folder, checksums="set/checksums")
    unpack(archive, folder)
    assert files(folder) == UNPACKED
    assert kept.stat().st_mtime_ns == before
    assert is_unpacked(folder, checksums="set/checksums")


def test_a_damaged_member_is_reported(archive, folder):
    with zipfile.ZipFile(archive) as file:
        member = file.getinfo("set/001/001000.mp3")
    damaged = bytearray(archive.read_bytes())
    damaged[member.header_offset + member.compress_size // 2] ^= 1
    archive.write_bytes(damaged)
    with pytest.raises(GenreflowError):
        unpack(archive, folder)
    assert not is_unpacked(folder, checksums="set/checksums")


@pytest.mark.parametrize("name", ["../evil", "set/../../evil", "/abs/evil", ".."])
def test_an_archive_with_a_member_outside_its_folder_is_refused_as_a_whole(tmp_path, folder, name):
    archive = write_zip(tmp_path / "set.zip", {**WHOLE, name: b"evil"})
    with pytest.raises(GenreflowError, match=rf"'{re.escape(name)}' would lie outside"):
        unpack(archive, folder)
    assert not folder.exists()


def test_a_link_is_written_as_a_file(tmp_path, folder):
    with zipfile.ZipFile(tmp_path / "set.zip", "w") as file:
        link = zipfile.ZipInfo("set/link")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        file.writestr(link, str(tmp_path))
    unpack(tmp_path / "set.zip", folder)
    assert not (folder / "set/link").is_symlink()


@pytest.mark.parametrize("size", [0, 100, -100])
def test_what_is_no_whole_zip_is_refused(archive, folder, size):
    archive.write_bytes(archive.read_bytes()[:size])
    with pytest.raises(GenreflowError, match=r"set\.zip is not a whole zip archive.*Delete it"):
        unpack(archive, folder)
    assert not folder.exists()


def test_links_in_the_place_of_members_are_replaced_not_followed(archive, folder, tmp_path):
    (tmp_path / "other").write_text("of somebody else")
    (folder / "set" / "000").mkdir(parents=True)
    for name in ("000002.mp3", ".part-000002.mp3"):
        (folder / "set" / "000" / name).symlink_to(tmp_path / "other")
    unpack(archive, folder)
    assert files(folder) == UNPACKED
    assert (tmp_path / "other").read_text() == "of somebody else"


def test_a_disk_that_fills_up_while_unpacking_is_reported(archive, folder, nearly_full):
    with pytest.raises(GenreflowError, match=r"cannot write .*: File too large.*make room"):
        unpack(archive, folder)
    assert not is_unpacked(folder, checksums="set/checksums")
