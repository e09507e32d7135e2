"""The process that tries adapters of other packages; see `trying`."""

import sys

from edge_runtime.engine.registry import why_unusable
from edge_runtime.engine.trying import answer

if __name__ == "__main__":
    answer(sys.argv[1], sys.argv[2:], why_unusable)
