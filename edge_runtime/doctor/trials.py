"""Whether a version that waits to be active gets anywhere."""

import time
from collections.abc import Iterator
from pathlib import Path

from edge_runtime.config import TrialConfig
from edge_runtime.doctor.findings import Device, Finding, ok, warning
from edge_runtime.doctor.store import TRIES_AGAIN, installed, opened
from edge_runtime.store import state_file
from edge_runtime.store.beside_agent import bare, told, why_it_waits
from edge_runtime.store.slots import Slot
from edge_runtime.store.trials import CONTACT

WHY_UNTRIED = "Look why it cannot be tried: journalctl -u edge-runtime"
_PATIENCE_S = 600.0


def look(device: Device) -> Iterator[Finding]:
    if (store := opened(device)) is None:
        return
    path = store.root
    pending = [now.slots[now.pending] for now in installed(store).values() if now.pending]
    if not pending:
        return
    asked = {model.name: model.trial for model in device.config.models} if device.config else {}
    quiet_s = time.time() - (path / state_file.NAME).stat().st_mtime
    agent_runs = store.agent_running()
    says = told(store)
    for slot in pending:
        yield judge(
            slot,
            asked.get(slot.model),
            path,
            quiet_s=quiet_s,
            agent_runs=agent_runs,
            why=why_it_waits(says, slot),
            lacks=says.lacks.get(slot.model, "") if says else "",
        )


def judge(
    slot: Slot,
    asks: TrialConfig | None,
    path: Path,
    *,
    quiet_s: float,
    agent_runs: bool,
    why: str = "",
    lacks: str = "",
) -> Finding:
    """The pending `slot` of the store at `path`; `quiet_s`: since when nothing changed there, seconds.

    `asks`: what the configuration asks of its trial; None where the model is not configured. `why` it
    cannot be tried, `lacks`: what it has still to show; '' where it can, and where that is not known.
    """
    at = f"{slot.model} --store {path}"
    what = f"{slot.model} {slot.version} is installed and waits to be tried."
    if slot.state == "trial":
        left = f"{slot.attempts} of {slot.allowed} attempts left"
        reason = bare(slot, slot.reason).rstrip(".")
        last = f" The last attempt: {reason}." if reason not in ("", why.rstrip(".")) else ""
        what = f"{slot.model} {slot.version} is on trial, {left}.{last}"
    if why:
        what += f" Why it waits: {why.rstrip('.')}."
    if not agent_runs:
        return warning(
            f"{what} No agent runs on this store.",
            f"Start one: systemctl start edge-runtime. Or do without: edge-runtime activate {at}",
        )
    if why:
        return warning(what, TRIES_AGAIN)
    if quiet_s < _PATIENCE_S + (asks.serve_s if asks else 0):
        return ok(what)
    what += f" Nothing came of it for {quiet_s / 60:,.0f} minutes."
    if not slot.proved:
        return warning(what, WHY_UNTRIED)
    return warning(
        f"{what} It has to show {lacks or _words(asks)}.",
        "Look whether the agent hears its sensor and its fleet: systemctl status edge-runtime. To vouch "
        f"for it: edge-runtime confirm {at}; to give it up: edge-runtime rollback {at}",
    )


def _words(asks: TrialConfig | None) -> str:
    asks = asks or TrialConfig()
    parts = [f"{asks.predictions} good predictions"] if asks.predictions else []
    parts += [f"{asks.serve_s:g} s of service"] if asks.serve_s else []
    parts += [CONTACT] if asks.fleet else []
    return ", ".join(parts) or "nothing more"
