"""Heat, power and memory, as far as /sys and /proc tell."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from edge_runtime.agent.lacking import no_temperature
from edge_runtime.agent.patience import Asking
from edge_runtime.config import TemperatureConfig
from edge_runtime.doctor.findings import Device, Finding, megabytes, ok, problem, warning
from edge_runtime.telemetry import health

_HOT_C, _TOO_HOT_C = 80.0, 95.0
_LITTLE, _TOO_LITTLE = 200 << 20, 64 << 20
_SERVICE = "system.slice/edge-runtime.service"
# Of a Raspberry Pi up to 4, and of a 5 whose kernel has it; the other is mainline's, of every Pi.
_THROTTLED = "sys/devices/platform/soc*/soc*:firmware/get_throttled"
_VOLTAGE = "sys/class/hwmon/hwmon*/name"
_DRIVER = "Look what its driver says: dmesg. Name another zone that answers: ls /sys/class/thermal"
_COOL = "Give it air, shade or a heat sink; clean the fan."
_SUPPLY = "Use the power supply that the board's maker names, and a short, thick cable."
_MORE = "Stop other programs, use a smaller model, or raise the limit (MemoryMax)."


def temperature(device: Device) -> Iterator[Finding]:
    if device.config and (asked := device.config.device.temperature):
        sensor = Asking(partial(health.hottest, asked.sensor))
        celsius = sensor.ask()
        yield judge_ceiling(asked, celsius, hangs=sensor.hangs)
    zones = Asking(partial(_hottest_zone, device.root))
    zone = zones.ask()
    if zones.hangs:
        yield warning("A thermal zone of this machine does not answer: its driver hangs.", _DRIVER)
    elif zone is None:
        yield ok("This machine does not tell its temperature.")
    else:
        yield judge_temperature(*zone)


def _hottest_zone(root: Path) -> tuple[float, str] | None:
    return max(health.temperatures(root), default=None)


def judge_ceiling(asked: TemperatureConfig, celsius: float | None, *, hangs: bool = False) -> Finding:
    """`celsius`: what the configured sensor tells, None where it tells nothing, or `hangs`."""
    if celsius is None:
        zone = "Name a thermal zone that has a file `temp`, or leave it out: ls /sys/class/thermal"
        told = no_temperature(asked, hangs=hangs)
        return problem(f"`device.temperature.sensor`: {told}", _DRIVER if hangs else zone)
    told = f"{asked.sensor} is at {celsius:.0f} °C"
    if celsius >= asked.ceiling_c:
        return warning(
            f"{told}, and from {asked.ceiling_c:g} °C on the models are eased: a lighter variant, or "
            "fewer windows.",
            _COOL,
        )
    return ok(f"{told}; the models are eased from {asked.ceiling_c:g} °C on.")


def judge_temperature(celsius: float, zone: str) -> Finding:
    told = f"{zone} is at {celsius:.0f} °C"
    if celsius >= _TOO_HOT_C:
        return problem(f"{told}: it is about to switch itself off.", _COOL)
    if celsius >= _HOT_C:
        return warning(f"{told}: it runs slower to stay alive.", _COOL)
    return ok(f"{told}.")


def power(device: Device) -> Iterator[Finding]:
    """What a Raspberry Pi's firmware says of its supply; other boards do not tell."""
    for file in device.root.glob(_THROTTLED):
        with suppress(OSError, ValueError):
            yield judge_power(int(health.read(file), 16))
            return
    for file in device.root.glob(_VOLTAGE):
        with suppress(OSError, ValueError):
            if health.read(file).strip() == "rpi_volt":
                yield judge_power(int(health.read(file.with_name("in0_lcrit_alarm"))) & 1)
                return
    yield ok("This board does not tell of its power supply.")


def judge_power(bits: int) -> Finding:
    """`bits` of vcgencmd get_throttled: 0 too little voltage, 2 throttled, 16 and 18 since the boot."""
    if bits & 1:
        return problem(
            "The power supply is too weak right now: the board may stop or spoil its card.", _SUPPLY
        )
    if bits & 1 << 2:
        return warning("The processor is slowed down right now, by heat or a weak supply.", _COOL)
    if bits & 1 << 16:
        return warning("The power supply was too weak since the last start.", _SUPPLY)
    if bits & 1 << 18:
        return warning("The processor was slowed down since the last start.", _COOL)
    return ok("The power supply is strong enough.")


def memory(device: Device) -> Iterator[Finding]:
    with suppress(OSError, ValueError, KeyError, IndexError):
        yield judge_memory("This machine", health.memory(device.root)["MemAvailable"])
    for name, folder in _groups(device.root):
        with suppress(OSError, ValueError):
            limit = health.read(folder / "memory.max").strip()
            if limit != "max":
                left = int(limit) - int(health.read(folder / "memory.current"))
                yield judge_memory(f"{name}, limited to {megabytes(int(limit))},", left)
        with suppress(OSError, ValueError):
            events = dict(line.split() for line in health.read(folder / "memory.events").splitlines())
            if killed := int(events.get("oom_kill", 0)):
                yield warning(f"{name}: {killed} processes were ended for want of memory.", _MORE)


def judge_memory(subject: str, left: int) -> Finding:
    told = f"{subject} has {megabytes(left)} of memory left"
    if left < _TOO_LITTLE:
        return problem(f"{told}: a model's process will be ended for want of it.", _MORE)
    if left < _LITTLE:
        return warning(f"{told}: that is little for a model.", _MORE)
    return ok(f"{told}.")


def _groups(root: Path) -> Iterator[tuple[str, Path]]:
    """The cgroups (version 2) that count: the service's, and ours."""
    base = root / "sys/fs/cgroup"
    if (base / _SERVICE).is_dir():
        yield "The service", base / _SERVICE
    with suppress(OSError, StopIteration):
        own = next(
            line
            for line in health.read(root / "proc/self/cgroup").splitlines()
            if line.startswith("0::/")
        )
        yield "This process's group", base / own.removeprefix("0::/")
