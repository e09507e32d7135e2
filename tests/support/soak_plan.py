"""What befalls a device in a soak, and when: a pure function of the seed."""

import random
from dataclasses import dataclass
from typing import Literal, get_args

Kind = Literal[
    "new version",
    "bad version",
    "worker killed",
    "agent killed",
    "sensor's broker away",
    "fleet's broker away",
    "collector away",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
SPOILT = ("wrong_goldens", "fails", "not_onnx", "hangs")  # what a bad version is
_LONGEST_S = 5.0
_LAST = {"agent killed": 1 / 2, "worker killed": 2 / 3, "new version": 2 / 3}  # of the time


@dataclass(frozen=True)
class Incident:
    """`at_s` since the beginning; `away_s`: how long what is killed stays away; `spoilt` says how a bad
    version is bad."""

    at_s: float
    kind: Kind
    away_s: float
    spoilt: str


def incidents(seed: int, duration_s: float, every_s: float) -> tuple[Incident, ...]:
    """Rounds of one incident of each kind, in another order each round, `every_s` apart on average.

    After the first round the agent is not killed in the second half, nor its worker killed or replaced
    in the last third: they have to live long for a leak to show.
    """
    chance = random.Random(seed)
    found: list[Incident] = []
    at_s = every_s
    while True:
        for kind in chance.sample(KINDS, len(KINDS)):
            away_s = chance.uniform(0.2, 1) * min(_LONGEST_S, every_s / 2)
            incident = Incident(round(at_s, 2), kind, round(away_s, 2), chance.choice(SPOILT))
            at_s += every_s * chance.uniform(0.75, 1.25)
            if incident.at_s > duration_s - every_s and len(found) >= len(KINDS):
                return tuple(found)
            first_round = len(found) < len(KINDS)
            if first_round or incident.at_s < _LAST.get(kind, 1) * duration_s:
                found.append(incident)
