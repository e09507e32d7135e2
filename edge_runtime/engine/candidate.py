"""One way to run a model on a machine: a variant of its bundle, and what the engine runs that on."""

import msgspec


class Candidate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`provider`: one that the variant's engine names, '' for the way it takes by itself."""

    variant: str
    provider: str = ""

    def __str__(self) -> str:
        return f"{self.variant} on {self.provider}" if self.provider else self.variant
