"""Bringing files from the network and unpacking archives: each whole and checked, or not there."""

import errno
import hashlib
import logging
import lzma
import re
import shutil
import stat
import time
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from tqdm import tqdm
from urllib3.util import Retry

from genreflow.errors import GenreflowError
from genreflow.runtime.files import atomic

CHUNK = 2**16
"""Bytes read at once. A connection that breaks loses at most so many of those that came."""

CONNECT_SECONDS = 5.0
"""Who doesn't take a connection within this time isn't there."""

LONGEST_WAIT = 60.0
"""Upper limit of the pause between two tries, in seconds."""

NEVER_UNPACKED = (".pickle", ".pkl")
"""Suffixes of members that no one shall load: unpickling runs whatever code the file holds."""

_DISK_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "your quota on this disk is used up",
    errno.EFBIG: "the file system cannot hold a file of this size",
}

_log = logging.getLogger(__name__)


class UnreachableError(GenreflowError):
    """There is no connection to a server."""


class _BrokenError(Exception):
    """A transfer ended before its time; another try may go on where it ended."""


def fetch(
    url: str,
    path: str | Path,
    *,
    size: int | None = None,
    digest: str | None = None,
    retries: int = 5,
    backoff: float = 1.0,
    timeout: float = 60.0,
    progress: bool = True,
) -> Path:
    """Download a file, going on where an earlier try ended, and check it.

    What has come lies in ``NAME.partial`` beside `path` until it is whole and checked; only
    then does it get its name. A file that is at `path` already is checked, not downloaded.
    A partial file is continued if the digest will show a mix of two versions, or if the
    server can be asked whether the file is still the same (``If-Range``); otherwise the
    download starts anew.

    Parameters
    ----------
    url
        Address (http or https).
    path
        Where the file shall be. Its folder is made if needed.
    size
        Its size in bytes, if known.
    digest
        Its hash as ``ALGORITHM:HEX``, for instance ``sha1:ade1...``, if known.
    retries
        How many times in a row a try may fail without a byte more than before.
    backoff
        Pause after the first failure in seconds; it doubles with each further one.
    timeout
        Seconds without an answer or a byte after which a connection counts as broken.
    progress
        Show a progress bar on the standard error stream.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    UnreachableError
        If there is no connection to the server: at once, for that is no passing trouble.
    GenreflowError
        If the server hasn't the file or breaks off too often; if the disk has not enough room; if
        the size or the digest is not the expected one.
    """
    path = Path(path)
    _split_digest(digest)
    if path.exists():
        if found := _difference(path, size, digest, progress):
            raise GenreflowError(
                f"{path} is there but {found}. Delete it or move it away, then run again: "
                f"it will be downloaded from {url}"
            )
        return path
    with _writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.partial")
    with _session(retries, backoff) as session:
        transfer = _Transfer(session, url, partial, size, digest is not None, timeout, progress)
        _persist(transfer, retries, backoff)
    if found := _difference(partial, size, digest, progress):
        partial.unlink()
        raise GenreflowError(
            f"what came from {url} {found}. It has been deleted: run again to download it "
            "afresh. If that gives the same, the file on the server is another than expected"
        )
    with _writing(path), atomic(path) as whole:
        partial.replace(whole)
    return path


def unpack(
    archive: str | Path,
    folder: str | Path,
    *,
    checksums: str | None = None,
    threads: int = 4,
    progress: bool = True,
) -> int:
    """Unpack a zip archive, leaving alone what is already there and right.

    Every name is checked before the first file is written; every file gets its name when it is
    whole and its checksum is right. The list of checksums is written last, so that its presence
    says that the unpacking came to its end. Members with a suffix in `NEVER_UNPACKED` are left
    out.

    Parameters
    ----------
    archive
        The zip file; any compression that `zipfile` reads, BZIP2 among them.
    folder
        Where to unpack. It is made if needed.
    checksums
        Name of the archive's own list of checksums (lines of SHA-1, two spaces, path relative
        to the list's folder), for instance ``fma_small/checksums``. Members that it does
        not list, and archives without such a list, are checked by the zip's CRC-32.
    threads
        How many members to unpack at once. Decompressing BZIP2 takes most of the time and
        doesn't hold Python's lock.
    progress
        Show a progress bar on the standard error stream.

    Returns
    -------
    int
        Number of files written; those that were there already are not counted.

    Raises
    ------
    GenreflowError
        If the archive is not a zip or broken; if a member would leave the folder or is no plain
        file; if a member is missing or differs from its checksum; if the disk has not enough
        room for what the archive says to hold.
    """
    archive, folder = Path(archive), Path(folder)
    with _opened(archive) as file:
        members = _members(archive, file)
        sha1 = {} if checksums is None else _listed(archive, file, members, checksums)
        require_space(
            folder,
            sum(m.file_size for m in members if _size(folder / m.filename) != m.file_size),
            f"unpack {archive.name}",
        )
        written = 0

        def place(member: zipfile.ZipInfo) -> bool:
            target = folder / member.filename
            expected = sha1.get(member.filename)
            if _is_same(target, member, expected):
                return False
            _write_member(archive, file, member, target, expected)
            return True

        last = [member for member in members if member.filename == checksums]
        others = [member for member in members if member.filename != checksums]
        with (
            _bar(archive.name, progress, total=sum(m.file_size for m in members)) as bar,
            ThreadPoolExecutor(threads) as pool,
        ):
            for batch in (others, last):
                for member, new in zip(batch, pool.map(place, batch), strict=True):
                    written += new
                    bar.update(member.file_size)
    return written


def is_unpacked(folder: str | Path, *, checksums: str) -> bool:
    """Tell whether an archive has been unpacked and nothing of it is missing since.

    Files are not hashed: `unpack` gave them their names when they were whole.

    Parameters
    ----------
    folder, checksums
        As given to `unpack`.
    """
    listing = Path(folder) / checksums
    if not listing.is_file():
        return False
    names = _parse_checksums(listing.read_bytes(), listing)
    return all((listing.parent / name).is_file() for name in names)


def require_space(folder: str | Path, needed: int, purpose: str) -> None:
    """Raise if a disk has less free space than needed.

    Parameters
    ----------
    folder
        A folder on that disk; it need not exist yet.
    needed
        Bytes.
    purpose
        What for, as the words that follow "to" in the message.

    Raises
    ------
    GenreflowError
        With the space needed, the space free, and the folder.
    """
    free = shutil.disk_usage(_existing(Path(folder))).free
    if needed > free:
        raise GenreflowError(
            f"not enough disk space to {purpose}: {_gib(needed)} needed, {_gib(free)} free in "
            f"{folder}. Free {_gib(needed - free)} there or choose a folder on another disk"
        )


@dataclass
class _Transfer:
    """A download under way: what stays the same and what is known between two tries."""

    session: requests.Session
    url: str
    partial: Path
    size: int | None
    digest_known: bool
    timeout: float
    progress: bool
    validator: str | None = None
    reached: bool = False

    @property
    def have(self) -> int:
        """Return how many bytes have come."""
        return _size(self.partial) or 0

    def attempt(self) -> None:
        """Bring what is missing; raise _BrokenError if that ends early."""
        start = self._resume_at()
        if start and start == self.size:
            return
        with self._get(start) as response:
            self.reached = True
            if response.status_code == requests.codes.requested_range_not_satisfiable and start:
                if _content_range(response) != (None, start):
                    self.partial.unlink()
                    raise _BrokenError("the server's file is shorter than what had come")
                return
            self._require_success(response)
            if start and response.status_code != requests.codes.partial_content:
                # The server knows no ranges, or its file is another one by now.
                self.partial.unlink()
                start = 0
            self._receive(response, start, self._total(response, start))

    def _resume_at(self) -> int:
        have = self.have
        trusted = self.digest_known or self.validator
        if have and (not trusted or (self.size is not None and have > self.size)):
            self.partial.unlink()
            return 0
        return have

    def _get(self, start: int) -> requests.Response:
        # Sizes and ranges are those of the file, not of a compressed form of it.
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers["Range"] = f"bytes={start}-"
            if self.validator:
                headers["If-Range"] = self.validator
        try:
            return self.session.get(
                self.url,
                headers=headers,
                stream=True,
                timeout=(min(CONNECT_SECONDS, self.timeout), self.timeout),
            )
        except requests.RequestException as error:
            lost = isinstance(error, requests.ConnectionError)
            if lost and self.reached:
                raise _BrokenError(_why(error)) from error
            size = f", {self.size / 1e6:,.0f} MB" if self.size else ""
            raise (UnreachableError if lost else GenreflowError)(
                f"cannot reach {self.url}{size} ({_why(error)}). Check the address, the network and"
                " the proxy settings (HTTPS_PROXY), then run again: the download goes on where it"
                " ended"
            ) from error

    def _require_success(self, response: requests.Response) -> None:
        if response.status_code in (requests.codes.not_found, requests.codes.gone):
            raise GenreflowError(
                f"{self.url} does not exist on the server (status {response.status_code}). "
                "Check the address: the file may have moved"
            )
        if not response.ok:
            raise GenreflowError(
                f"the server refuses {self.url}: status {response.status_code} "
                f"{response.reason}. Try again later or check the address"
            )

    def _total(self, response: requests.Response, start: int) -> int | None:
        """Return the size of the whole file, checked against what is expected."""
        if response.status_code == requests.codes.partial_content:
            first, total = _content_range(response)
            if first != start:
                self.partial.unlink(missing_ok=True)
                raise _BrokenError(f"the server sent another range than from byte {start}")
        else:
            length = response.headers.get("Content-Length", "")
            total = int(length) if length.isdecimal() else None
        if None not in (total, self.size) and total != self.size:
            raise GenreflowError(
                f"{self.url} has {total:,} bytes, expected {self.size:,}. Either the file on the "
                "server is another one by now, or something on the way (a proxy, a login page) "
                "answers in its place: open the address in a browser to see which"
            )
        return total if self.size is None else self.size

    def _receive(self, response: requests.Response, start: int, total: int | None) -> None:
        if total is not None:
            require_space(self.partial.parent, total - start, f"download {self.url}")
        self.validator = _validator(response)
        bar = _bar(self.partial.stem, self.progress, total=total, initial=start)
        try:
            with _writing(self.partial), bar, self.partial.open("ab") as file:
                for chunk in response.iter_content(CHUNK):
                    file.write(chunk)
                    bar.update(len(chunk))
        except requests.RequestException as error:
            raise _BrokenError(str(error)) from error
        # A server that doesn't announce the length can end too early without an error.
        if total is not None and self.have < total:
            raise _BrokenError(f"{self.have:,} of {total:,} bytes came")


def _persist(transfer: _Transfer, retries: int, backoff: float) -> None:
    """Try until the file is whole or `retries` tries in a row have brought nothing new."""
    # The furthest byte counts, not the last try's bytes: a server that knows no ranges and
    # always breaks off at the same place would otherwise be asked for ever.
    furthest, failures = transfer.have, 0
    while True:
        try:
            return transfer.attempt()
        except _BrokenError as error:
            failures = 0 if transfer.have > furthest else failures + 1
            furthest = max(furthest, transfer.have)
            if failures > retries:
                raise GenreflowError(
                    f"the download of {transfer.url} broke off {failures} times in a row "
                    f"({error}). Check the network and run again: {furthest:,} bytes have come "
                    f"and are kept in {transfer.partial}"
                ) from error
            wait = min(backoff * 2**failures, LONGEST_WAIT)
            _log.warning("%s broke off (%s); next try in %g s", transfer.url, error, wait)
            time.sleep(wait)


def _session(retries: int, backoff: float) -> requests.Session:
    """Return a session that tries again until an answer begins; its body is _persist's matter.

    Nor does it try again to connect: where there is no network, that only takes time.
    """
    retry = Retry(
        total=retries,
        connect=0,
        backoff_factor=backoff,
        backoff_max=LONGEST_WAIT,
        status_forcelist=(429, 500, 502, 503, 504),
        raise_on_status=False,
    )
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=retry))
    return session


def _why(error: requests.RequestException) -> str:
    """Return the words of the innermost error, without the addresses of objects."""
    inner: Any = error
    while inner.args and isinstance(inner.args[0], Exception):
        inner = inner.args[0]
    reason = getattr(inner, "reason", None) or inner
    return re.sub(r"<.*?>:? ?|^\w+\(.*?\): ?", "", str(reason)).strip() or str(error)


def _validator(response: requests.Response) -> str | None:
    """Return what ``If-Range`` may hold: a strong entity tag or a date (RFC 9110, 13.1.5)."""
    tag = response.headers.get("ETag")
    if tag and not tag.startswith("W/"):
        return tag
    return response.headers.get("Last-Modified")


def _content_range(response: requests.Response) -> tuple[int | None, int | None]:
    """Return the first byte and the whole size that ``Content-Range`` names, None if unnamed."""
    header = response.headers.get("Content-Range", "")
    found = re.fullmatch(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)", header)
    if not found:
        return None, None
    first, total = (None if number is None else int(number) for number in found.groups())
    return first, total


def _split_digest(digest: str | None) -> tuple[str, str]:
    if digest is None:
        return "", ""
    algorithm, _, value = digest.partition(":")
    if algorithm not in hashlib.algorithms_guaranteed or not re.fullmatch("[0-9a-f]+", value):
        raise GenreflowError(
            f"'{digest}' is no digest: expected ALGORITHM:HEX in small letters, "
            "for instance sha256:9f86d081..."
        )
    return algorithm, value


def _difference(path: Path, size: int | None, digest: str | None, progress: bool) -> str:
    """Say in what a file differs from what is expected; "" if in nothing."""
    found = path.stat().st_size
    if size is not None and found != size:
        return f"has {found:,} bytes, expected {size:,}"
    algorithm, expected = _split_digest(digest)
    if not algorithm:
        return ""
    hashed = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file, _bar(f"check {path.name}", progress, total=found) as bar:
        while chunk := file.read(CHUNK):
            hashed.update(chunk)
            bar.update(len(chunk))
    if hashed.hexdigest() != expected:
        return f"has the {algorithm} {hashed.hexdigest()}, expected {expected}"
    return ""


@contextmanager
def _opened(archive: Path) -> Iterator[zipfile.ZipFile]:
    try:
        file = zipfile.ZipFile(archive)
    except zipfile.BadZipFile as error:
        raise GenreflowError(
            f"{archive} is not a whole zip archive ({error}). Delete it and download it again"
        ) from error
    except OSError as error:
        raise GenreflowError(f"cannot open the archive {archive}: {error.strerror}") from error
    with file:
        yield file


def _members(archive: Path, file: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """List the files to unpack; raise if any member, a folder included, is unsafe."""
    for member in file.infolist():
        if reason := _unsafe(member):
            raise GenreflowError(
                f"the archive {archive} is not to be trusted: its member '{member.filename}' "
                f"{reason}. Nothing has been unpacked; get the archive from its source"
            )
    return [
        member
        for member in file.infolist()
        if not member.is_dir() and not _is_pickle(member.filename)
    ]


def _unsafe(member: zipfile.ZipInfo) -> str:
    """Say why a member must not be unpacked; "" if it may."""
    # Backslashes part folders on Windows only, but no archive has a reason to hold one.
    parts = re.split(r"[/\\]", member.filename)
    if parts[0] == "" or re.match("[A-Za-z]:", member.filename):
        return "has an absolute path"
    if ".." in parts:
        return "would lie outside the folder"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device, not a file"
    return ""


def _is_pickle(name: str) -> bool:
    return name.lower().endswith(NEVER_UNPACKED)


def _listed(
    archive: Path, file: zipfile.ZipFile, members: list[zipfile.ZipInfo], checksums: str
) -> dict[str, str]:
    """Return the SHA-1 of each member that the archive's list of checksums names."""
    listing = next((member for member in members if member.filename == checksums), None)
    if listing is None:
        raise GenreflowError(
            f"the archive {archive} has no member '{checksums}'. Is it the right archive?"
        )
    source = f"{archive}, {checksums}"
    text = b"".join(_read_member(archive, file, listing))
    folder = PurePosixPath(checksums).parent
    sha1 = {str(folder / name): value for name, value in _parse_checksums(text, source).items()}
    if absent := sha1.keys() - {member.filename for member in members}:
        raise GenreflowError(
            f"the archive {archive} is not whole: {len(absent)} of the files that its checksums "
            f"list are missing, '{min(absent)}' the first. Delete it and download it again"
        )
    return sha1


def _parse_checksums(text: bytes, source: str | Path) -> dict[str, str]:
    """Return path -> SHA-1 from lines of SHA-1, two spaces, path; pickles left out."""
    sha1 = {}
    for number, line in enumerate(text.decode(errors="replace").splitlines(), start=1):
        found = re.fullmatch(r"([0-9a-f]{40}) [ *](.+)", line)
        if not found:
            raise GenreflowError(
                f"{source}, line {number}: expected a SHA-1, two spaces and a path, "
                f"found '{line[:80]}'"
            )
        if not _is_pickle(found[2]):
            sha1[found[2]] = found[1]
    return sha1


def _is_same(target: Path, member: zipfile.ZipInfo, sha1: str | None) -> bool:
    """Tell whether a member is already there with the right size and checksum."""
    if _size(target) != member.file_size or not target.is_file():
        return False
    crc, hashed = 0, _sha1()
    with target.open("rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
            hashed.update(chunk)
    return hashed.hexdigest() == sha1 if sha1 else crc == member.CRC


def _write_member(
    archive: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, sha1: str | None
) -> None:
    hashed = _sha1()
    with _writing(target), atomic(target) as part:
        with part.open("wb") as out:
            for chunk in _read_member(archive, file, member):
                hashed.update(chunk)
                out.write(chunk)
        if sha1 not in (None, hashed.hexdigest()):
            raise GenreflowError(
                f"'{member.filename}' in {archive} has the sha1 {hashed.hexdigest()}, expected "
                f"{sha1}. The archive is broken: delete it and download it again"
            )


def _read_member(archive: Path, file: zipfile.ZipFile, member: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield a member's content in chunks, never more than its declared size."""
    broken = (
        zipfile.BadZipFile,
        EOFError,
        OSError,
        RuntimeError,  # encrypted, or a compression that zipfile doesn't know
        zlib.error,
        lzma.LZMAError,
    )
    try:
        with file.open(member) as source:
            while chunk := source.read(CHUNK):
                yield chunk
    except broken as error:
        raise GenreflowError(
            f"cannot read '{member.filename}' in {archive} ({error}). The archive is broken: "
            "delete it and download it again"
        ) from error


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the file system refuses into an error that says what to do."""
    try:
        yield
    except requests.RequestException:
        raise  # an OSError by inheritance, but the network's
    except OSError as error:
        reason = _DISK_FULL.get(error.errno)
        free = shutil.disk_usage(_existing(path.parent)).free
        advice = f"{_gib(free)} are free there; make room and" if reason else "Mend that and"
        raise GenreflowError(
            f"cannot write {path}: {reason or error.strerror}. {advice} run again: it goes on "
            "where it ended"
        ) from error


def _existing(folder: Path) -> Path:
    """Return the folder itself or the nearest one above it that exists."""
    folder = folder.absolute()
    return next(parent for parent in (folder, *folder.parents) if parent.exists())


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None


def _sha1() -> "hashlib._Hash":
    # SHA-1 is what the archives' lists hold: it finds damage, not malice.
    return hashlib.sha1(usedforsecurity=False)


def _gib(count: int) -> str:
    return f"{count / 2**30:,.2f} GiB"


def _bar(name: str, progress: bool, **settings: int | None) -> tqdm:
    """Return a progress bar that counts bytes."""
    return tqdm(
        desc=name,
        disable=not progress,
        unit="B",
        unit_scale=True,
        unit_divisor=1024,
        mininterval=1.0,
        **settings,
    )
