"""docs/hostile.md: groups, advisories and rules, from cases tried without their rules."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from tests.hostile.without_rules import Ending, Trial

INTRODUCTION = """# Hostile input

Written by `scripts/hostile-rules`, which takes each rule out of the program, once, and tries the cases
that name it again. Every case is canonical and properly signed except for its one fault. In every run
of the suite `tests/hostile/` demands its exact error and sentence, bounded memory and time, and that
nothing was written.
"""
RULES = """
## Rules

A rule is one statement that refuses. Without it, its cases get through, or another layer refuses them in
other words, or the program ends in an exception that nobody expects, because the statement also stood
for "go no further". A case that names several rules is tried without all of them at once. What happens
inside the worker's process cannot be taken out from outside; the rules named for it tell of its end.

"""


def page(found: Sequence[Trial]) -> tuple[str, list[str]]:
    """The page, and the rules of which no case shows that they are needed."""
    by_rule: dict[str, Counter[Ending]] = defaultdict(Counter)
    for trial in found:
        for rule in trial.case.refused_by:
            by_rule[rule][trial.ending] += 1
    unproved = [rule for rule, endings in by_rule.items() if endings.keys() <= {Ending.SAME}]
    parts = [INTRODUCTION, *_groups(found), RULES, *_rules(by_rule), *_without_need(unproved)]
    return "".join(parts), unproved


def _groups(found: Sequence[Trial]) -> list[str]:
    counts = Counter(trial.case.group for trial in found)
    lines = [f"\n{len(found)} cases.\n\n| group | cases | comes from |\n|---|---:|---|\n"]
    for group, count in counts.items():
        cited = {
            each.strip()
            for trial in found
            if trial.case.group == group
            for each in trial.case.advisory.split(",")
        }
        lines.append(f"| {group} | {count} | {', '.join(sorted(cited - {''}))} |\n")
    return lines


def _rules(by_rule: dict[str, Counter[Ending]]) -> list[str]:
    shown = (Ending.TAKEN, Ending.OTHERWISE, Ending.CRASHES, Ending.SAME)
    head = "| rule | cases | " + " | ".join(each.value for each in shown) + " |\n"
    lines = [head, "|---|---:|---:|---:|---:|---:|\n"]
    for rule, endings in sorted(by_rule.items()):
        counts = " | ".join(str(endings[each] or "") for each in shown)
        lines.append(f"| `{rule}` | {endings.total()} | {counts} |\n")
    taken = sum(endings[Ending.TAKEN] > 0 for endings in by_rule.values())
    lines.append(f"\n{len(by_rule)} rules; without {taken} of them at least one case gets through.\n")
    return lines


def _without_need(unproved: Sequence[str]) -> list[str]:
    return [f"\nNot shown to be needed: {', '.join(unproved)}.\n"] if unproved else []
