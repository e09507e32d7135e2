"""Living under a service manager: its unit, and what it is told while we run."""
