"""Hypothesis looks at new examples on every run, except in CI, where a run must be repeatable.

No example has a deadline: how long one takes is the machine's matter.
"""

import os

from hypothesis import settings

settings.register_profile("ours", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "ours")
