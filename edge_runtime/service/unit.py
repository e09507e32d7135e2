"""The agent's unit for systemd: a text, made from where things are on this machine.

The lines themselves say why they are as they are; docs/device.md, what they mean for the agent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from edge_runtime.errors import ConfigError

NAME = "edge-runtime.service"
# What lies right in these, systemd makes for the service, and gives to its user.
MADE_BY_SYSTEMD = {Path("/var/lib"): "StateDirectory", Path("/run"): "RuntimeDirectory"}
# What PrivateTmp and ProtectHome hide from a service.
_HIDDEN = tuple(map(Path, ("/home", "/root", "/run/user", "/tmp", "/var/tmp")))  # noqa: S108
_NO_DEVICES = (
    "# A GPU needs other lines: write this file by `edge-runtime service install --gpu`.",
    "PrivateDevices=yes",
    "DevicePolicy=closed",
)
_UNSAFE = set("\"'\\%$;") | {chr(code) for code in range(0x21)}


@dataclass(frozen=True)
class Unit:
    """Absolute paths. `writable`: folders the agent writes to; `needed`: what else it has to see.

    `priority`: the highest of real-time mode that a model asks for, 0 where none does. `gpu`: whether an
    engine may use one; `groups`: of this machine, whose members may.
    """

    command: Path
    config: Path
    user: str
    writable: Sequence[Path]
    needed: Sequence[Path] = ()
    priority: int = 0
    gpu: bool = False
    groups: Sequence[str] = ()

    def text(self) -> str:
        """Raises ConfigError for a path that the service could not see, or that a unit cannot hold."""
        for path in (self.command, self.config, *self.writable, *self.needed):
            _check(path)
        for what, word in [("user", self.user), *(("group", group) for group in self.groups)]:
            _check_word(what, word)
        values = {
            "COMMAND": str(self.command),
            "CONFIG": str(self.config),
            "USER": self.user,
            "WRITABLE": "\n".join(_writable(self.writable)),
            "REALTIME": "\n".join(_realtime(self.priority)),
            "DEVICES": "\n".join(_devices(self.groups) if self.gpu else _NO_DEVICES),
            "CODE": f"MemoryDenyWriteExecute={'no' if self.gpu else 'yes'}",
        }
        text = resources.files("edge_runtime.service").joinpath(NAME).read_text("utf-8")
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        return text


def _realtime(priority: int) -> list[str]:
    """A limit, for no capability is left: with PrivateUsers= the kernel would not count one anyway."""
    return ["RestrictRealtime=no", f"LimitRTPRIO={priority}"] if priority else ["RestrictRealtime=yes"]


def _devices(groups: Sequence[str]) -> list[str]:
    """A driver for GPUs has a dozen device files, other ones with each release, so all are let through;
    which may be opened their owners and groups say. It also maps memory to be written and executed."""
    lines = [
        "# For a GPU: device files are protected by their owners and groups alone.",
        "PrivateDevices=no",
    ]
    return lines + ([f"SupplementaryGroups={' '.join(groups)}"] if groups else [])


def _writable(folders: Sequence[Path]) -> list[str]:
    """Folders that systemd does not make have to be there before, and to belong to the user."""
    lines = []
    for folder in dict.fromkeys(folders):
        if any(other in folder.parents for other in folders):
            continue
        if kind := MADE_BY_SYSTEMD.get(folder.parent):
            lines += [f"{kind}={folder.name}", f"{kind}Mode=0750"]
        else:
            lines.append(f"ReadWritePaths={folder}")
    return lines


def _check(path: Path) -> None:
    if not path.is_absolute() or ".." in path.parts:
        raise ConfigError(f"{path}: expected an absolute path without '..' for a service.")
    for hidden in _HIDDEN:
        if hidden in (path, *path.parents):
            raise ConfigError(
                f"{path}: a service does not see {hidden}. Keep the program in /opt, the configuration "
                "and its files in /etc/edge-runtime, and `device.data` in /var/lib/edge-runtime."
            )
    _check_word("path", str(path))


def _check_word(what: str, text: str) -> None:
    bad = sorted(_UNSAFE & set(text))
    if bad or not text:
        found = f"found {bad[0]!r} in {text!r}" if bad else "found none"
        raise ConfigError(f"{what} of a service: expected no spaces, quotes, '%', '$' or ';', {found}.")
