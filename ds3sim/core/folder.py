"""Folders of results: may I write there; written whole or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ds3sim.core.errors import InputError, require
from ds3sim.core.files import undisturbed


@dataclass(frozen=True)
class Marker:
    """The file by which a folder says what wrote it, so that nothing else is replaced.

    Attributes:
        name: of the file.
        by: the command that writes such folders.
        files: what a later writing may take away; other files in the folder are kept.
    """

    name: str
    by: str
    files: tuple[str, ...] = ()

    @property
    def content(self) -> bytes:
        """What the file holds."""
        return f"This folder was written by {self.by}; {self.by} may replace its files.\n".encode()


def check_folder(out: str | os.PathLike[str], marker: Marker) -> Path:
    """The folder for results as an absolute path, checked before anything is computed.

    A folder that exists is used only if it holds the marker or nothing at all.

    Raises:
        InputError: it is a file, a folder with files of others, or cannot be made.
    """
    require(
        bool(str(out).strip()) and "\0" not in str(out), f"--out {out}: is not the name of a folder: name one for the"
        " results",
    )  # fmt: skip
    path = Path(os.path.abspath(out))
    try:
        if path.is_dir():
            ours = (path / marker.name).is_file() or not any(path.iterdir())
            require(
                ours, f"{out}: is a folder with files that {marker.by} did not write: give a new or an empty folder"
            )
        else:
            require(not (path.exists() or path.is_symlink()), f"{out}: is a file: give a folder for the results")
        base = next(parent for parent in (path, *path.parents) if parent.exists())
        require(base.is_dir(), f"{out}: {base} is a file, not a folder: give another folder")
        require(os.access(base, os.W_OK | os.X_OK), f"{out}: no permission to write in {base}: give another folder")
        # Modes do not tell all (root, special file systems): try.
        os.rmdir(tempfile.mkdtemp(prefix=".ds3sim.", dir=base))
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise InputError(f"{out}: cannot be used: {getattr(error, 'strerror', None) or error}") from error
    return path


def write_folder(out: str | os.PathLike[str], contents: Mapping[str, bytes], marker: Marker) -> list[Path]:
    """Write a folder, whole or not at all.

    Everything is written to a temporary folder beside ``out``, which then takes its place: after a crash there is
    the old folder or the new one, never a half. Files in a replaced folder that are not the marker's are kept.

    Args:
        out: the folder; see :func:`check_folder`.
        contents: name to content; the marker is added.

    Returns:
        The paths written, in the order of ``contents``.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    target = check_folder(out, marker)
    contents = {marker.name: marker.content, **contents}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".tmp", dir=target.parent))
    except OSError as error:
        raise InputError(f"{out}: cannot be made: {error.strerror or error}") from error
    try:
        for name, content in contents.items():
            (temporary / name).write_bytes(content)
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o777 & ~umask)
        with undisturbed():
            _take_place(temporary, target, {*marker.files, *contents})
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    finally:
        with undisturbed():
            shutil.rmtree(temporary, ignore_errors=True)
    return [target / name for name in contents if name != marker.name]


def _take_place(temporary: Path, target: Path, ours: set[str]) -> None:
    """Put ``temporary`` where ``target`` is, keeping files that are not ours."""
    if not target.exists():
        os.rename(temporary, target)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{target.name[:100]}.", suffix=".old", dir=target.parent))
    try:
        os.rename(target, old)  # onto an empty folder: atomic
    except OSError:  # a mount point, or the folder may not be moved: file by file, the marker first
        os.rmdir(old)
        for name in os.listdir(temporary):
            os.replace(temporary / name, target / name)
        return
    try:
        os.rename(temporary, target)
    except BaseException:
        os.rename(old, target)
        raise
    for entry in os.listdir(old):
        if entry not in ours:
            os.rename(old / entry, target / entry)
    shutil.rmtree(old, ignore_errors=True)


def add_files(out: str | os.PathLike[str], contents: Mapping[str, bytes], marker: Marker) -> list[Path]:
    """Put files into a folder, made if needed, each whole or not at all, in the order given.

    Raises:
        InputError: ``out`` cannot be used, or the disk refuses.
    """
    target = check_folder(out, marker)
    try:
        target.mkdir(parents=True, exist_ok=True)
        (target / marker.name).write_bytes(marker.content)
        temporary = Path(tempfile.mkdtemp(prefix=".ds3sim.", suffix=".tmp", dir=target))
        try:
            for name, content in contents.items():
                (temporary / name).write_bytes(content)
            with undisturbed():
                for name in contents:
                    os.replace(temporary / name, target / name)
        finally:
            with undisturbed():
                shutil.rmtree(temporary, ignore_errors=True)
    except OSError as error:
        raise InputError(f"{out}: cannot be written: {error.strerror or error}") from error
    return [target / name for name in contents]
