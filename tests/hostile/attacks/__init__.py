"""All attacks, one module a group, or a part of one."""

from tests.hostile.attacks import (
    archives,
    endless,
    folders,
    forgery,
    graphs,
    libraries,
    manifests,
    names,
    onnx_data,
    plans,
    replacement,
    rollback,
    roots,
    wrong_models,
)
from tests.hostile.case import Case

CASES: tuple[Case, ...] = (
    *forgery.CASES,
    *roots.CASES,
    *rollback.CASES,
    *endless.CASES,
    *replacement.CASES,
    *names.CASES,
    *archives.CASES,
    *folders.CASES,
    *manifests.CASES,
    *onnx_data.CASES,
    *graphs.CASES,
    *wrong_models.CASES,
    *libraries.CASES,
    *plans.CASES,
)
