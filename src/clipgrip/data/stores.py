"""Object stores: places such as ``s3://bucket/folder``, read through fsspec."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
from collections.abc import Iterator
from typing import Any

from clipgrip.errors import DataError, MissingPackage
from clipgrip.files import AnyPath, open_file, openable
from clipgrip.sentences import Sentence
from clipgrip_line.causes import cause

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):(/{1,3})(.*)", re.DOTALL)
"""A scheme has at least two letters: one is a drive of Windows. One slash will do: ``Path`` merges two."""
PACKAGES = {
    "s3": "s3fs",
    "s3a": "s3fs",
    "gs": "gcsfs",
    "gcs": "gcsfs",
    "abfs": "adlfs",
    "az": "adlfs",
}
"""The package that fsspec needs for a scheme."""
VERSIONS = ("size", "ETag", "etag", "md5Hash", "generation", "LastModified", "mtime", "created")
"""Attributes that differ when an object was replaced by another one; each store has some of them."""


def url_of(place: AnyPath) -> str | None:
    """The URL of a place in an object store, also after it went through a ``Path``; None for a local path.

    A ``file://`` URL is a local path, which `local_of` gives.
    """
    text = os.fspath(place)
    found = _URL.fullmatch(text.replace(os.sep, "/"))
    if found is None or found[1].casefold() == "file" or os.path.exists(text):
        return None
    return f"{found[1].casefold()}://{found[3]}"


def local_of(place: AnyPath) -> str:
    """The path of a ``file://`` URL; any other place as it is."""
    text = os.fspath(place)
    found = _URL.fullmatch(text.replace(os.sep, "/"))
    is_file = found is not None and found[1].casefold() == "file" and not os.path.exists(text)
    return "/" + found[3] if found is not None and is_file else text


def folder_of(url: str) -> str:
    """The URL of the folder that an object lies in."""
    return url.rpartition("/")[0]


def join_url(folder: str, name: str) -> str:
    """The URL of ``name`` in a folder, ``..`` resolved."""
    scheme, _, rest = folder.partition("://")
    return f"{scheme}://{posixpath.normpath(posixpath.join(rest, name))}"


def file_system(url: str) -> Any:
    """The fsspec file system of a URL.

    Raises:
        MissingPackage: fsspec, or its package for this scheme, is not installed.
        DataError: fsspec does not know the scheme.
    """
    scheme = url.partition("://")[0]
    try:
        import fsspec

        return fsspec.filesystem(scheme)
    except ImportError as error:
        package = PACKAGES.get(scheme, "")
        also = f" {package}" if package not in ("", "s3fs") else ""
        raise MissingPackage(
            "{scheme}:// needs packages that are not here. Install them with: pip install {what}",
            scheme=scheme,
            what=f"'clipgrip[store]'{also}",
        ) from error
    except ValueError as error:
        raise DataError(
            "{url}: {scheme}:// is no kind of place that is read. Read are s3://, gs://, az:// and what else "
            "fsspec knows.",
            url=url,
            scheme=scheme,
        ) from error


def objects_below(url: str) -> list[tuple[str, int]]:
    """URL and size in bytes of each object at or below a URL, sorted.

    DataError: nothing is there, or it cannot be reached.
    """
    system, scheme = file_system(url), url.partition("://")[0]
    with _store_errors(url):
        found = system.find(url, detail=True)
        if not found and system.isfile(url):
            found = {url: system.info(url)}
    if not found:
        raise DataError(
            "{url}: nothing is there. Check the name of the bucket and of the folder.", url=url
        )
    named = {
        f"{scheme}://{name.partition('://')[2] or name.lstrip('/')}": fact
        for name, fact in found.items()
    }
    return sorted((name, int(fact.get("size") or 0)) for name, fact in named.items())


def objects_in(url: str) -> list[str]:
    """The objects directly in a folder, sorted; empty where it contains folders or is none.

    DataError: the store cannot be reached.
    """
    scheme = url.partition("://")[0]
    with _store_errors(url):
        try:
            found = file_system(url).ls(url, detail=True)
        except (FileNotFoundError, NotADirectoryError):
            return []
    if any(one["type"] != "file" for one in found):
        return []
    return sorted(
        f"{scheme}://{one['name'].partition('://')[2] or one['name'].lstrip('/')}" for one in found
    )


def forget_listing(url: str) -> None:
    """Drop fsspec's cached listings, so that the next look asks the store."""
    with _store_errors(url):
        file_system(url).invalidate_cache()


def version_of(url: str) -> list[str] | None:
    """The object's size and version attributes, such as its ETag; None where it does not exist.

    DataError: the store cannot be reached.
    """
    with _store_errors(url):
        try:
            facts = file_system(url).info(url)
        except FileNotFoundError:
            return None
    return [name + str(facts[name]) for name in VERSIONS if facts.get(name) is not None]


def exists(url: str) -> bool:
    """Whether an object is there; DataError where the store cannot be reached."""
    with _store_errors(url):
        return bool(file_system(url).isfile(url))


def opened(place: str) -> Any:
    """A file opened for reading, on a disk or in a store.

    Raises:
        DataError: the store cannot be reached.
        OSError: as `open_file`.
    """
    if url_of(place) is None:
        return open_file(place)
    with _store_errors(place):
        return file_system(place).open(place, "rb")


def for_pyarrow(place: AnyPath) -> Any:
    """What pyarrow takes for a place: a path, or the open file of a store."""
    return openable(place) if url_of(place) is None else opened(os.fspath(place))


def read_range(place: str, start: int, size: int) -> bytes:
    """``size`` bytes from ``start`` of a file on a disk or in a store; OSError where they cannot be read."""
    if url_of(place) is None:
        with open_file(place) as file:
            file.seek(start)
            return file.read(size)
    return _bytes_of(place, start, start + size)


def read_object(url: str, most: int) -> bytes:
    """The whole object; OSError where it cannot be read or is larger than ``most`` bytes."""
    data = _bytes_of(url, 0, most + 1)
    if len(data) > most:
        raise OSError(Sentence("{url}: it is larger than {most} MiB", url=url, most=most >> 20))
    return data


def _bytes_of(url: str, start: int, end: int) -> bytes:
    try:
        found: bytes = file_system(url).cat_file(url, start=start, end=end)
    except OSError:
        raise
    except Exception as error:  # every store has errors of its own
        raise OSError(f"{url}: {cause(error)}") from error
    return found


@contextlib.contextmanager
def _store_errors(url: str) -> Iterator[None]:
    """Turn whatever a store's package raises into a DataError."""
    try:
        yield
    except (DataError, MissingPackage):
        raise
    except Exception as error:  # every store has errors of its own
        raise DataError(
            "{url} cannot be reached: {error}. Check the name, the connection and the credentials, which are "
            "found as those of every program for this store (for s3: AWS_ACCESS_KEY_ID, AWS_PROFILE or a role; "
            "AWS_ENDPOINT_URL for another store than Amazon's).",
            url=url,
            error=cause(error),
        ) from error
