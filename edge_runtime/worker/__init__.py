"""One model in a process of its own: it may hang, crash or be killed, and nobody else does."""

from edge_runtime.worker.process import Answer, Info, Worker

__all__ = ["Answer", "Info", "Worker"]
