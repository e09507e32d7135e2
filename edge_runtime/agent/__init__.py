"""The agent: keeps what should run running, hears sensors, remembers predictions, tells the fleet."""
