"""Downloads that go on where they ended, and zip archives."""

import fcntl
import hashlib
import logging
import os
import shutil
import stat
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urljoin

import requests
from tqdm import tqdm

from genreflow.errors import GenreflowError
from genreflow.runtime.files import atomic

TRIES = 6
"""So many tries in a row may fail without a byte more than before."""

PAUSE = 2.0
"""Between the first failure and the next try; it doubles with each further one [s]."""

LONGEST_PAUSE = 60.0  # [s]

TIMEOUT = (5.0, 60.0)
"""How long to wait for a connection, and for an answer or a byte [s]."""

CHUNK = 2**16
"""Bytes read at once. A connection that breaks loses at most so many of those that came."""

REDIRECTS = 10
"""So many times a server may name another address."""

LARGEST = 4 * 2**30
"""Of a file whose size nobody knows [bytes]."""

NEVER_UNPACKED = (".pickle", ".pkl")
"""Suffixes of members that no one shall load: unpickling runs whatever code the file holds."""

_log = logging.getLogger(__name__)


class UnreachableError(GenreflowError):
    """There is no connection to a server."""


def fetch(url: str, path: str | Path, *, digest: str, limit: float = LARGEST) -> Path:
    """Download a file, going on where an earlier try ended, and check it; return its path.

    What has come lies in ``NAME.partial`` beside `path` until it is whole and checked. A file that
    is at `path` already is checked, not downloaded.

    Parameters
    ----------
    digest
        Its hash as ``ALGORITHM:HEX``, for instance ``sha1:ade1...``.
    limit
        The file can't be larger [bytes]: what goes on for longer is something else.

    Raises
    ------
    UnreachableError
        If there is no connection to the server: at once, for that is no passing trouble.
    GenreflowError
        If the server hasn't the file or breaks off too often, if it sends more than `limit` or
        something compressed, if the file can't be written, if another process is downloading it, or
        if the digest is not the expected one.
    """
    path = Path(path)
    if not path.exists():
        with _writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = path.with_name(f"{path.name}.partial")
            with _appended(partial) as file:
                _lock(file, path)
                if not path.exists():  # nor has another process brought it since
                    _fill(file, url, digest, limit)
                    partial.replace(path)
                    return path
    if found := _difference(path, digest):
        raise GenreflowError(
            f"{path} is there but {found}. Delete it or move it away, then run again: "
            f"it will be downloaded from {url}"
        )
    return path


def unpack(archive: str | Path, folder: str | Path) -> None:
    """Unpack a zip archive that has been checked; what is there with the right size is left alone.

    Members with a suffix in `NEVER_UNPACKED` are left out.

    Raises
    ------
    GenreflowError
        If the archive is not a zip or broken, a member would leave the folder, or a file can't be
        written.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        with _writing(folder), zipfile.ZipFile(archive) as file:
            members = _members(archive, file)

            def extract(member: zipfile.ZipInfo) -> int:
                target = folder / member.filename
                if not target.is_file() or target.stat().st_size != member.file_size:
                    with atomic(target) as part, part.open("wb") as to, file.open(member) as of:
                        shutil.copyfileobj(of, to, CHUNK)
                return member.file_size

            with (
                _bar(f"unpack {archive.name}", sum(m.file_size for m in members)) as bar,
                # Decompressing BZIP2 takes most of the time and doesn't hold Python's lock.
                ThreadPoolExecutor(4) as pool,
            ):
                for size in pool.map(extract, members):
                    bar.update(size)
    except zipfile.BadZipFile as error:
        raise GenreflowError(
            f"{archive} is not a whole zip archive ({error}). Delete it and run again: it will be "
            "downloaded afresh"
        ) from error


def is_unpacked(folder: str | Path, *, checksums: str) -> bool:
    """Tell whether all of an archive is there, by a member that lists the others.

    The list's lines are: SHA-1, two spaces, path relative to the list.
    """
    listing = Path(folder) / checksums
    if not listing.is_file():
        return False
    names = (line.partition("  ")[2] for line in listing.read_text("utf-8").splitlines())
    return all((listing.parent / name).is_file() for name in names if not _is_pickle(name))


def _appended(partial: Path) -> BinaryIO:
    """Open what has come so far; a link or a pipe in its place, which others put there, goes."""
    try:
        found = partial.lstat()
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            partial.unlink()
    except FileNotFoundError:
        pass
    return open(partial, "ab", opener=_unfollowed)


def _unfollowed(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o666)


def _fill(file: BinaryIO, url: str, digest: str, limit: float) -> None:
    """Bring what is missing of a partial file and check it; delete it if it is empty or wrong."""
    partial = Path(file.name)
    try:
        _download(url, file, limit)
    except GenreflowError:
        if not file.tell():
            partial.unlink()
        raise
    file.flush()
    os.fsync(file.fileno())
    if found := _difference(partial, digest):
        partial.unlink()
        raise GenreflowError(
            f"what came from {url} {found}. It has been deleted: run again to download it afresh. "
            "If that gives the same, the file on the server is not the expected one, or something "
            "on the way (a proxy, a login page) answers in its place"
        )


def _download(url: str, file: BinaryIO, limit: float) -> None:
    """Bring what is missing of a file; try again as long as that helps."""
    before = furthest = file.tell()
    failures = 0
    while True:
        try:
            return _receive(url, file, limit)
        except requests.RequestException as error:
            _refuse_hopeless(url, error, begun=max(file.tell(), furthest) > before)
            # The furthest byte counts, not the last try's: a server that knows no ranges and
            # always breaks off at the same place would otherwise be asked for ever.
            failures = 0 if file.tell() > furthest else failures + 1
            furthest = max(furthest, file.tell())
            if failures == TRIES:
                raise GenreflowError(
                    f"the download of {url} broke off {failures} times in a row ({_why(error)}). "
                    f"Check the network and run again: what has come is kept in {file.name}"
                ) from error
            wait = min(PAUSE * 2**failures, LONGEST_PAUSE)
            _log.warning("%s broke off (%s); next try in %g s", url, _why(error), wait)
            time.sleep(wait)


def _receive(url: str, file: BinaryIO, limit: float) -> None:
    """Append what is missing to a file, in one try."""
    start = file.tell()
    # Sizes and ranges are those of the file, not of a compressed form of it.
    headers = {"Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    with _Session() as session, _answer(session, url, headers) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and start:
            return  # nothing is missing, or the digest will tell
        response.raise_for_status()
        if (coding := response.headers.get("Content-Encoding", "identity")) != "identity":
            raise GenreflowError(
                f"{url} is sent compressed ({coding!r}), though that was declined: a few kB may "
                "become any size. Get the file from elsewhere"
            )
        if response.status_code != requests.codes.partial_content:
            start = 0  # the server knows no ranges
        if file.tell() > start:
            file.seek(start)
            file.truncate()
        length = response.headers.get("Content-Length", "")
        total = start + int(length) if length.isdecimal() else None
        with _bar(Path(file.name).stem, total, initial=start) as bar:
            for chunk in response.iter_content(CHUNK):
                if file.tell() + len(chunk) > limit:
                    file.seek(0)
                    file.truncate()
                    raise GenreflowError(
                        f"{url} sends more than {limit / 1e6:,.0f} MB, more than the file that is "
                        "wanted can have. What came has been deleted; check the address"
                    )
                file.write(chunk)
                bar.update(len(chunk))


class _Session(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """Follow none by itself: it would read a redirect's body, whatever becomes of it."""


def _answer(session: requests.Session, url: str, headers: dict[str, str]) -> requests.Response:
    """Ask for an address, and those that it leads to."""
    for _ in range(REDIRECTS + 1):
        response = session.get(url, headers=headers, stream=True, timeout=TIMEOUT)
        if not response.is_redirect:
            return response
        response.close()
        url = urljoin(url, response.headers["Location"])
    raise requests.TooManyRedirects(f"more than {REDIRECTS} redirects")


def _refuse_hopeless(url: str, error: requests.RequestException, *, begun: bool) -> None:
    """Raise if another try makes no sense."""
    status = 0 if error.response is None else error.response.status_code
    if isinstance(error, ValueError | requests.TooManyRedirects) or (
        requests.codes.bad_request <= status < requests.codes.server_error
        and status != requests.codes.too_many_requests
    ):
        raise GenreflowError(
            f"{url} can't be downloaded ({error}). Check the address: the file may have moved"
        ) from error
    if isinstance(error, requests.ConnectionError) and not begun:
        raise UnreachableError(
            f"cannot reach {url} ({_why(error)}). Check the address, the network and the proxy "
            "settings (HTTPS_PROXY), then run again: the download goes on where it ended"
        ) from error


def _why(error: requests.RequestException) -> str:
    """Return the words of the error behind an error."""
    cause = error.args[0] if error.args else error
    return str(getattr(cause, "reason", cause))


def _lock(file: BinaryIO, path: Path) -> None:
    """Keep other processes from writing to the same file."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise GenreflowError(
            f"another process is downloading {path}: wait for its end, then run again"
        ) from error
    except OSError:
        pass  # some clusters' file systems know no locks; the digest finds what two have mixed


def _difference(path: Path, digest: str) -> str:
    """Say in what a file differs from what is expected; "" if in nothing."""
    algorithm, _, expected = digest.partition(":")
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file, _bar(f"check {path.name}", path.stat().st_size) as bar:
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
            bar.update(len(chunk))
    if hashed.hexdigest() == expected:
        return ""
    return f"has the {algorithm} {hashed.hexdigest()}, expected {expected}"


def _members(archive: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """List the files to unpack; raise if one would lie outside the folder."""
    for name in file.namelist():
        parts = PurePosixPath(name).parts
        if name.startswith("/") or ".." in parts:
            raise GenreflowError(
                f"the archive {archive} is not to be trusted: its member '{name}' would lie "
                "outside the folder. Nothing has been unpacked; get the archive from its source"
            )
    return [one for one in file.infolist() if not one.is_dir() and not _is_pickle(one.filename)]


def _is_pickle(name: str) -> bool:
    return name.lower().endswith(NEVER_UNPACKED)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error that says what to do."""
    try:
        yield
    except OSError as error:
        raise GenreflowError(
            f"cannot write {error.filename or path}: {error.strerror or error}. Mend that (make "
            "room if the disk is full) and run again: it goes on where it ended"
        ) from error


def _bar(name: str, total: int | None, initial: int = 0) -> tqdm:
    """Return a progress bar that counts bytes."""
    return tqdm(
        desc=name,
        total=total,
        initial=initial,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        mininterval=1.0,
    )
