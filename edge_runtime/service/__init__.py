"""Living under a service manager: its unit, and what it is told while we run."""

from pathlib import Path

# Where the agent's configuration is unless somebody says otherwise.
USUAL_CONFIG = Path("/etc/edge-runtime/agent.toml")
