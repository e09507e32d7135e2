"""Whether we may read and write what we have to, and whether others may not."""

import errno
import os
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import msgspec

from edge_runtime import durable, users
from edge_runtime.bundle import load_root
from edge_runtime.config import files as files_of
from edge_runtime.config import folders as folders_of
from edge_runtime.doctor.certificates import judge_certificate
from edge_runtime.doctor.findings import Device, Finding, ok, problem, warning
from edge_runtime.doctor.folders import in_the_way, nearest, try_to_write
from edge_runtime.service.unit import MADE_BY_SYSTEMD
from edge_runtime.starting import has_systemd

_MAX_ENTRIES = 20_000
_MAX_PEM_BYTES = 1 << 20
_SECRETS = ("key", "password_file")
_READ_BY_OTHERS = 0o007
_ROOM = "Make room there: `disk` below says how much there is."
_FULL = (errno.ENOSPC, errno.EDQUOT)


def folders(device: Device) -> Iterator[Finding]:
    """The data folder, tried; and whether all in it belongs to whom it belongs to."""
    data = device.data
    assert data is not None
    wanted = [data] if device.config is None else folders_of(device.config)
    systemd = has_systemd(device.root)
    found: dict[object, Finding] = {}  # a disk that is full is told once
    for folder in sorted(set(wanted)):
        told = _writable(folder, systemd=systemd)
        found.setdefault(os.stat(nearest(folder)).st_dev if told.advice == _ROOM else told, told)
    yield from found.values()
    if os.path.isdir(data):  # Path.is_dir would raise where we may not look
        yield from _owners(data)


def _writable(folder: Path, *, systemd: bool) -> Finding:
    if (file := in_the_way(folder)) is not None:
        return problem(
            f"{folder}: expected a folder, but {file} is a file.",
            f"Name a folder, or move {file} away.",
        )
    there = nearest(folder)
    me = users.name(os.geteuid())
    try:
        try_to_write(there)
    except OSError as error:
        if error.errno in _FULL:
            return problem(
                f"{there}: nothing can be written there: {error.strerror}.",
                _ROOM,
            )
        why = error.strerror or type(error).__name__
        found = judge_unwritable(folder, there, me, why, systemd=systemd)
        if there == folder and (advice := durable.advice(there, error)):
            return msgspec.structs.replace(found, advice=advice)
        return found
    made = "" if there == folder else f", where {folder} will be made"
    return ok(f"{there}: user {me} can write there{made}.")


def judge_unwritable(folder: Path, there: Path, user: str, why: str, *, systemd: bool) -> Finding:
    """`folder` is wanted, `there` is it or the nearest above it, and `user` cannot write to it.

    `systemd`: whether it is what starts the agent.
    """
    makes = next((above for above in MADE_BY_SYSTEMD if above in folder.parents), None)
    if systemd and there == makes:
        return warning(
            f"{folder} is not there yet, and user {user} cannot make it.",
            "systemd makes it at the service's first start: systemctl start edge-runtime",
        )
    return problem(
        f"{there}: user {user} cannot write there: {why}.",
        f"Make {folder} and give it to the agent's user; run the doctor as that user: sudo -u USER",
    )


def _owners(data: Path) -> Iterator[Finding]:
    owner = data.stat().st_uid
    if users.is_hidden(owner):
        yield warning(
            f"{data}: whose it is, is hidden from this process by its user namespace.",
            "Run the doctor outside of it, as the agent's user.",
        )
        return
    strangers = []
    for path in islice(data.rglob("*"), _MAX_ENTRIES):
        try:
            if path.lstat().st_uid != owner:
                strangers.append(path)
        except OSError:
            continue  # it went while we looked
    name, sudo = users.name(owner), users.sudo(owner)
    if strangers:
        first = strangers[0]
        yield problem(
            f"{data} belongs to user {name}, but {len(strangers)} in it do not, such as {first}, of "
            f"user {users.name(first.lstat().st_uid)}: the agent may not change them.",
            f"Give them back: chown -R {name} {data}. Run edge-runtime as that user: {sudo}",
        )
    elif os.geteuid() == 0 and owner != 0:
        yield warning(
            f"The doctor runs as root, who may do everything; {data} belongs to user {name}.",
            f"Run it as the agent's user: {sudo} edge-runtime doctor",
        )


def named(device: Device) -> Iterator[Finding]:
    """The files that the configuration names: there, readable, and secrets for us alone."""
    assert device.config is not None
    paths = files_of(device.config)
    for key, path in paths.items():
        yield from _readable(key, path)
    if device.config.device.trust is not None and os.access(device.config.device.trust, os.R_OK):
        root = load_root(device.config.device.trust)
        yield ok(f"`device.trust`: root file version {root.version} is in order.")
    if not paths:
        yield ok("The configuration names no other files.")


def _readable(key: str, path: Path) -> Iterator[Finding]:
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
    except OSError as error:
        yield problem(
            f"`{key}`: {path}: user {users.name(os.geteuid())} cannot read it: {error.strerror}.",
            "Put the file there, and let the agent's user read it: chown, chmod.",
        )
        return
    if key.rsplit(".", 1)[-1] in _SECRETS and mode & _READ_BY_OTHERS:
        yield warning(
            f"`{key}`: everybody on this machine may read {path}.", f"Close it: chmod o= {path}"
        )
    else:
        yield ok(f"`{key}`: {path} can be read.")


def certificates(device: Device) -> Iterator[Finding]:
    """How long the certificates that the configuration names are good for."""
    assert device.config is not None
    paths = files_of(device.config)
    for key, path in paths.items():
        if key.rsplit(".", 1)[-1] in ("ca", "certificate") and os.access(path, os.R_OK):
            with path.open("rb") as file:
                pem = file.read(_MAX_PEM_BYTES)
            yield judge_certificate(f"`{key}`: {path}", pem, time.time())
