"""What a command can say of the agent that runs on the same store, before it waits for it."""

from edge_runtime import __version__
from edge_runtime.errors import StoreError
from edge_runtime.store.disk import Store
from edge_runtime.store.locks import holder
from edge_runtime.worker.release import other_release


def why_stuck(store: Store) -> str:
    """Why the agent that runs takes no version up, and what to do; '' where it does or none runs."""
    agent = holder(store.root / "agent.lock")
    if agent is None or not agent.release:
        return ""
    if told := other_release(agent.release, __version__):
        return f"the agent on {store.root}, process {agent.pid}, takes nothing up: {told}"
    return ""


def demand_no_agent(store: Store, variant: str, provider: str) -> None:
    """Raise StoreError where a command is to say what runs, and an agent's configuration says it."""
    pins = {"variant": variant, "provider": provider}
    given = [name for name, value in pins.items() if value]
    if given and store.agent_running():
        options = " and ".join(f"--{name}" for name in given)
        settings = " and ".join(f"`models[].{name} = {pins[name]!r}`" for name in given)
        raise StoreError(
            f"{store.root}: {options} would say what runs where no agent does, and one runs here. "
            f"Nothing was changed. Write {settings} into its configuration and restart it: "
            "systemctl restart edge-runtime."
        )
