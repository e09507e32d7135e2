"""What a plan depends on: when any of it changes, the plan is built again."""

import hashlib

import msgspec

from edge_runtime.bundle.manifest import Profile, canonical_json

# Flags of the builder, by name; a library that does not know one goes without (TensorRT 11 has no flags
# of precision at all: the graph says in which it computes). Multiplying float32 with ten bits of
# mantissa, as TensorRT does unless told not to, is not what was proved; and x - x is not 0 where x is
# missing.
CLEARED, SET = ("TF32",), ("STRICT_NANS",)
# Counts changes of how `builder` builds that the members of a key do not show.
RECIPE = 1


class PlanKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """model: SHA-256 of the ONNX file. library and version: who builds. cuda, capability and board: see
    `Gpu`. flags: what the builder is told."""

    model: str
    library: str
    version: str
    cuda: str
    capability: str
    board: str
    precision: str
    profile: Profile
    flags: tuple[str, ...] = (*(f"-{name}" for name in CLEARED), *(f"+{name}" for name in SET))
    recipe: int = RECIPE

    @property
    def file_name(self) -> str:
        """A name of fixed length without an end, the same for the same key."""
        return hashlib.sha256(canonical_json(msgspec.to_builtins(self))).hexdigest()[:32]

    def difference(self, other: "PlanKey") -> str | None:
        """In words, in what another key for the same graph differs; None where it is for another, or the
        same: another process may have kept the plan meanwhile."""
        of = (self.model, self.precision, self.profile)
        if self == other or of != (other.model, other.precision, other.profile):
            return None
        pairs = [
            (theirs, ours)
            for theirs, ours in zip(other._made_by(), self._made_by(), strict=True)
            if theirs != ours
        ]
        theirs, ours = (", ".join(each) for each in zip(*pairs, strict=True))
        return f"the kept one is of {theirs}, and here is {ours}"

    def _made_by(self) -> tuple[str, ...]:
        return (
            f"{self.library} {self.version}",
            f"CUDA {self.cuda}",
            f"compute capability {self.capability}",
            f"the board {self.board}",
            f"the builder's settings {' '.join(self.flags)}, {self.recipe}",
        )
