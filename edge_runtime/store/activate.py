"""From pending to active, seen from a command: by the agent where one runs, else here, in turn."""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import partial
from typing import TYPE_CHECKING

from edge_runtime.choice.measuring import Cancelled
from edge_runtime.choice.record import Record, path_of, read
from edge_runtime.errors import BundleError, EdgeError, EngineError, StoreError
from edge_runtime.store import beside_agent, blame
from edge_runtime.store.beside_agent import (
    Activator,
    Say,
    Waiting,
    bare,
    demand_no_agent,
    why_it_waits,
    why_stuck,
)
from edge_runtime.store.disk import Store
from edge_runtime.store.slots import ModelState, Slot, State

if TYPE_CHECKING:
    from edge_runtime.choice.bringing_up import Chooser, Unpacked
    from edge_runtime.choice.measuring import Held
    from edge_runtime.engine.candidate import Candidate

READY_TIMEOUT_S = 60.0


@dataclass(frozen=True)
class Wanted:
    """What this device is, and the one variant or provider that is to run; '' where nobody has said."""

    board: str = ""
    variant: str = ""
    provider: str = ""


ANY = Wanted()


def bring_up(
    store: Store, slot: Slot, *, wait_s: float, wanted: Wanted = ANY, say: Say = lambda _: None
) -> Activator:
    """Return when the pending `slot` is confirmed, so active, and who did it.

    Without an agent there is no stream to prove it by: its golden outputs are what confirms it, from
    what is `wanted`. Where several candidates can serve they are measured and the best is recorded;
    `say` hears of it, and of whom it waits for. An agent knows what its configuration wants.

    Raises EngineError, WorkerError or BundleError when it does not work here or not now, StoreError when
    the agent does not decide within `wait_s` seconds, another command does not end within them, or
    another request came between.
    """
    if stuck := why_stuck(store):
        say(f"warning: {stuck}")
    waiting = Waiting(store, f"{slot.model} {slot.version}", wait_s, say)
    while True:
        with store.turn() as held:
            if held is not None:
                with suppress(Cancelled):
                    _activate(store, slot, partial(_prove, store, slot, wanted, held, say), say)
                    return "command"
                waiting.had_turn()
        if is_active(store.state(), slot):
            return waiting.whom
        says = beside_agent.told(store)
        if not waiting.goes_on(bare(slot, says.pending.get(slot.model, "")) if says else ""):
            raise StoreError(_not_yet(store, slot, waiting))


def choose_again(
    store: Store,
    slot: Slot,
    *,
    wait_s: float,
    wanted: Wanted = ANY,
    anew: bool = False,
    say: Say = lambda _: None,
) -> "Candidate | None":
    """Measure the active `slot` where no record holds any more; what is chosen then, None for no change.

    A record holds for this machine and these engines; where something is `wanted`, for just that; where
    it is to be measured `anew`, none does. Where an agent runs it measures by itself.

    Raises EngineError, WorkerError or BundleError where it cannot be measured, StoreError where another
    command does not end within `wait_s` seconds or an agent started; its record stays then.
    """
    waiting = Waiting(store, f"{slot.model} {slot.version}", wait_s, say)
    while anew or not _holds(read(path_of(store.root, slot.model, slot.digest)), wanted):
        with store.turn() as held:
            if held is not None:
                with suppress(Cancelled):
                    return _measured(store, slot, wanted, held, say)
                waiting.had_turn()
        if store.agent_running():
            demand_no_agent(store, wanted.variant, wanted.provider)
            return None
        if not waiting.goes_on():
            raise StoreError(waiting.gave_up("How it is to run was not changed."))
    return None


def _measured(store: Store, slot: Slot, wanted: Wanted, held: "Held", say: Say) -> "Candidate":
    try:
        return _chosen(_chooser(wanted, say), _unpacked(store, slot), held, say)
    except EdgeError as error:
        now = store.state().models.get(slot.model, ModelState())
        raise type(error)(f"{_sentence(error)} How it is to run was not changed. {runs(now)}") from error


def _holds(found: Record | None, wanted: Wanted) -> bool:
    """Whether a record is of this machine as it is, and of what is `wanted`, if anything is."""
    from edge_runtime.choice.key import holds_here

    if found is None or not holds_here(found.key):
        return False
    measured = Wanted(found.key.board, found.key.variant, found.key.provider)
    return all(
        asked in ("", known) for asked, known in zip(astuple(wanted), astuple(measured), strict=True)
    )


def _not_yet(store: Store, slot: Slot, waiting: Waiting) -> str:
    now = store.state().models[slot.model].slots.get(slot.digest, slot)
    subject = f"{slot.model} {slot.version}"
    if waiting.whom == "command":
        activate = f"`edge-runtime activate {slot.model}`"
        return waiting.gave_up(f"It is installed and pending: {activate} goes on with it.")
    if stuck := why_stuck(store):
        return f"{subject}: it is installed and pending; {stuck}"
    says = beside_agent.told(store)
    if now.state == "trial" and now.proved and not (says and says.pending.get(slot.model)):
        lacks = says.lacks.get(slot.model) if says else ""
        return (
            f"{subject}: it runs, on trial; the agent has not confirmed it within {waiting.wait_s:g} s"
            f"{f', as it lacks {lacks}' if lacks else ''}. `edge-runtime status` tells; "
            f"`edge-runtime confirm {slot.model}` vouches for it."
        )
    found = why_it_waits(says, now)
    why = f"Why it waits: {_sentence(found)}" if found else "Why not: journalctl -u edge-runtime."
    return (
        f"{subject}: it is installed and pending, but the agent has not activated it within "
        f"{waiting.wait_s:g} s. {why} `edge-runtime status` shows when it has."
    )


def is_active(state: State, slot: Slot) -> bool:
    """Whether a slot that was pending is active by now; False while it is still pending.

    Raises EngineError when it was rejected, StoreError when a later request took its place.
    """
    now = state.models.get(slot.model, ModelState())
    if slot.digest == now.active:
        return True
    if bad := now.bad.get(slot.digest):
        why = _sentence(bare(bad, bad.reason))
        raise EngineError(f"{slot.model} {slot.version}: it was rejected: {why} {runs(now)}")
    if slot.digest != now.pending:
        raise StoreError(
            f"{slot.model} {slot.version}: it is not pending any more: a later request replaced it, its "
            "files were damaged, or what loaded it was ended. `edge-runtime status` shows what is; "
            f"why, where an agent runs: journalctl -u edge-runtime. {runs(now)}"
        )
    return False


def runs(now: ModelState) -> str:
    """A sentence on what a model runs."""
    return f"Version {now.slots[now.active].version} goes on running." if now.active else "None runs."


def _sentence(words: object) -> str:
    return f"{str(words).rstrip('.')}."


def _activate(store: Store, slot: Slot, prove: Callable[[], None], say: Say) -> None:
    """Have it proved in a process of its own, as often as its trial allows; `say` hears of each attempt.

    What becomes of it is remembered. Raises what went wrong when it is not active in the end.
    """
    why = ""
    while not is_active(store.state(), slot):  # raises when it was rejected
        try:
            now = store.tried(slot.model, slot.digest, why=why)
            if now.state == "bad":
                continue
            say(_attempt(now))
            prove()
        except (KeyboardInterrupt, Cancelled):
            store.refunded(slot.model, slot.digest)  # it is stopped on purpose, or makes way
            raise
        except EdgeError as error:
            if not _another_attempt(store, slot, error):
                raise _with_what_runs(store, slot, error) from error
            why = str(error)
        else:
            store.proved(slot.model, slot.digest)
            store.confirmed(slot.model, slot.digest)


def _attempt(slot: Slot) -> str:
    """What begins, which attempt of its trial that is, and why the one before ended."""
    subject = f"{slot.model} {slot.version}"
    told = f"{subject}: replays its golden inputs"
    if slot.state != "trial":
        return told
    told += f", attempt {slot.allowed - slot.attempts} of {slot.allowed}"
    return f"{told}; the one before: {bare(slot, slot.reason)}" if slot.reason else told


def _another_attempt(store: Store, slot: Slot, error: EdgeError) -> bool:
    """Remember what an error says of the slot; whether to look at it again at once."""
    now = store.state().models.get(slot.model, ModelState())
    if slot.digest not in now.slots:
        return True  # another request replaced it meanwhile
    decision = blame.decide(error, now, slot.digest)
    store.judged(slot.model, slot.digest, decision, str(error))
    return decision == "attempt"


def _with_what_runs(store: Store, slot: Slot, error: EdgeError) -> EdgeError:
    """The same error; its sentence goes on to what is tried again, and what runs."""
    now = store.state().models.get(slot.model, ModelState())
    told = _sentence(error)
    if now.pending == slot.digest:
        activate = f"`edge-runtime activate {slot.model}`"
        told += f" It stays pending: {activate} tries it again, and so does an agent."
    return type(error)(f"{told} {runs(now)}")


def _prove(store: Store, slot: Slot, wanted: Wanted, held: "Held", say: Say) -> None:
    """Replay the golden inputs of the candidate that is, or was, chosen here."""
    _chosen(_chooser(wanted, say), _unpacked(store, slot), held, say, prove=True)


def _chosen(
    chooser: "Chooser", bundle: "Unpacked", held: "Held", say: Say, *, prove: bool = False
) -> "Candidate":
    """What is recorded, or else is measured now; with `prove` what is recorded has to load as well."""
    try:
        brought = chooser.choose(bundle, held)
        if prove and not brought.is_new:
            chooser.bring_up(bundle, brought.record.chosen, held)
    finally:
        held.close()
    if brought.trouble:
        say(f"warning: what was measured is not kept: {brought.trouble}")
    return brought.record.chosen


def _unpacked(store: Store, slot: Slot) -> "Unpacked":
    """Raises BundleError where the slot's files are those of another bundle."""
    from edge_runtime.bundle import open_folder
    from edge_runtime.choice.bringing_up import Unpacked

    folder = store.slot_path(slot.model, slot.digest)
    with open_folder(folder, root=None, allow_unsigned=True) as found:
        if found.digest != slot.digest:
            raise BundleError(
                f"{folder}: expected the bundle {slot.digest}, found another. Install it again."
            )
    record = path_of(store.root, slot.model, slot.digest)
    return Unpacked(f"{slot.model} {slot.version}", slot.digest, folder, record)


def _chooser(wanted: Wanted, say: Say) -> "Chooser":
    """How candidates are chosen where no agent's configuration says it."""
    from edge_runtime.choice.bringing_up import Chooser
    from edge_runtime.choice.key import key_of
    from edge_runtime.choice.measuring import Limits
    from edge_runtime.worker import Worker

    board, variant, provider = wanted.board, wanted.variant, wanted.provider
    return Chooser(
        start=partial(
            Worker,
            board=board,
            variant=variant,
            provider=provider,
            on_line=say,  # a plan that is built tells how far it is
        ),
        key=key_of(board=board, variant=variant, provider=provider),
        limits=Limits(load_s=READY_TIMEOUT_S),
        say=say,
    )
