"""The manifest: one content, one text; and only texts that make sense."""

import contextlib
import math
import struct
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_runtime.bundle.manifest import (
    Input,
    Label,
    Manifest,
    Output,
    Profile,
    Step,
    Variant,
    Window,
    canonical_json,
    check_name,
    decode,
    default_release,
    encode,
)
from edge_runtime.errors import ManifestError
from tests.support.tiny_bundle import MODEL_FILE, tiny_bundle
from tests.support.unpacked import payloads

RAW = payloads(tiny_bundle())["manifest.json"]
MANIFEST = decode(RAW)


def altered(**changes: Any) -> Manifest:
    return msgspec.structs.replace(MANIFEST, **changes)


def test_a_manifest_survives_its_text() -> None:
    assert decode(encode(MANIFEST)) == MANIFEST
    assert encode(decode(RAW)) == RAW


def test_canonical_json_is_sorted_and_holds_no_white_space() -> None:
    value = {"b": [1, 2.5, True, None], "a": {"é": "ü", "z": "\n"}, "\U0001f600": 1, "\uffff": 2}

    expected = '{"a":{"z":"\\n","é":"ü"},"b":[1,2.5,true,null],"\uffff":2,"\U0001f600":1}'
    assert canonical_json(value) == expected.encode()


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (10.0, "10.0"),
        (0.1, "0.1"),
        (1e-5, "0.00001"),
        (1.5e-7, "1.5e-7"),
        (123456789012345680.0, "1.2345678901234568e17"),
        (1e15, "1000000000000000.0"),
        (1e16, "1e16"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
        (5e-324, "5e-324"),
    ],
)
def test_numbers_are_spelt_as_the_specification_says(number: float, text: str) -> None:
    assert canonical_json(number) == text.encode()


@given(
    st.binary(min_size=8, max_size=8).map(lambda raw: struct.unpack("<d", raw)[0]).filter(math.isfinite)
)
def test_every_number_reads_back_to_the_same_bits(number: float) -> None:
    again = msgspec.json.decode(canonical_json(number))

    assert struct.pack("<d", again) == struct.pack("<d", number)


@pytest.mark.parametrize(
    "other",
    [
        RAW + b"\n",
        RAW.replace(b":", b": ", 1),
        RAW.replace(b'"tiny"', b'"t\\u0069ny"'),
        RAW.replace(b'"rate_hz":10.0', b'"rate_hz":1e1'),
        RAW.replace(b'"release":1000000', b'"release":1,"release":1000000'),
        RAW.replace(b'"format":1', b'"format":1,"classes":[]'),
    ],
)
def test_another_spelling_of_the_same_content_is_refused(other: bytes) -> None:
    assert other != RAW
    with pytest.raises(ManifestError, match="another spelling"):
        decode(other)


def test_members_of_later_versions_are_passed_over() -> None:
    value = msgspec.json.decode(RAW) | {"later": {"x": [1]}}

    assert decode(canonical_json(value)) == MANIFEST


def test_a_manifest_of_before_there_was_a_floor_declares_none() -> None:
    value = msgspec.json.decode(RAW)
    del value["floor"]

    assert decode(canonical_json(value)) == MANIFEST
    assert MANIFEST.floor == 0


def test_a_floor_may_be_as_high_as_the_release() -> None:
    assert decode(encode(altered(floor=1_000_000))).floor == 1_000_000


@pytest.mark.parametrize("format_", [0, 2, None, "1", [1]])
def test_another_format_says_to_upgrade(format_: object) -> None:
    value = msgspec.json.decode(RAW) | {"format": format_}

    with pytest.raises(ManifestError, match=r"expected format 1, found .* Upgrade edge-runtime"):
        decode(canonical_json(value))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"release": -1}, "release is not from 0"),
        ({"release": 1 << 53}, "release is not from 0"),
        ({"release": 1 << 64}, "integers of 64 bits"),
        ({"floor": -1}, "floor is not from 0 to its own release, 1000000"),
        ({"floor": 1000001}, "floor is not from 0 to its own release, 1000000"),
        ({"floor": "1"}, "Expected `int`, got `str`"),
        ({"name": "../x"}, "expected 1 to 64 of a-z"),
        ({"version": "1"}, "expected a semantic version"),
        ({"task": "sorcery"}, "Invalid enum value 'sorcery'"),
        ({"classes": ("still",)}, "fewer than 2 classes"),
        ({"classes": ("still", "still")}, "a class is listed twice"),
        ({"inputs": ()}, "no inputs or no outputs"),
        ({"outputs": ()}, "no inputs or no outputs"),
        ({"variants": ()}, "no variants"),
        ({"variants": MANIFEST.variants * 2}, "a variant is listed twice"),
        ({"window": Window(channels=("x",), length=0, stride=1)}, "length or stride below 1"),
        ({"window": Window(channels=("x",), length=4, stride=-1)}, "length or stride below 1"),
        ({"files": {}}, "refers to 'golden/inputs/0.npy', which it does not list"),
        ({"preprocessing": "none"}, "Expected `array`"),
    ],
)
def test_a_manifest_whose_parts_do_not_fit_is_refused(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(altered(**change)))


def variant(**changes: Any) -> tuple[Variant, ...]:
    return (msgspec.structs.replace(MANIFEST.variants[0], **changes),)


def test_an_unproven_variant_comes_after_all_others_of_its_engine() -> None:
    proven, unproven = variant(id="a") + variant(id="b", unproven=True)

    assert decode(encode(altered(variants=(proven, unproven)))).variants[1].unproven
    with pytest.raises(ManifestError, match="'a' comes after one of its engine that is unproven"):
        decode(encode(altered(variants=(unproven, proven))))


def rows(least: int, mostly: int, most: int) -> Profile:
    return Profile(min_rows=least, opt_rows=mostly, max_rows=most)


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"engine": "tensorrt"}, "an optimization profile is for tensorrt, and it needs one"),
        ({"profile": rows(1, 1, 8)}, "an optimization profile is for tensorrt, and it needs one"),
        ({"host": MODEL_FILE}, "a file for the host is for tensorrt only"),
        ({"engine": "tensorrt", "profile": rows(0, 1, 8)}, "do not ascend from 1"),
        ({"engine": "tensorrt", "profile": rows(1, 9, 8)}, "do not ascend from 1"),
        (
            {"engine": "tensorrt", "profile": rows(1, 1, 8), "host": "variants/x/host.onnx"},
            "refers to 'variants/x/host.onnx', which it does not list",
        ),
    ],
)
def test_a_variant_for_tensorrt_has_a_profile_and_perhaps_a_part_for_the_host(
    changes: dict[str, Any], complaint: str
) -> None:
    whole = {"engine": "tensorrt", "profile": rows(1, 1, 8), "host": MODEL_FILE, "boards": ("rtx-50",)}
    manifest = altered(variants=variant(**whole))
    assert decode(encode(manifest)) == manifest
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(altered(variants=variant(**changes))))


def test_a_variant_may_be_for_the_engine_of_another_package() -> None:
    manifest = altered(variants=variant(engine="mine-2"))
    assert decode(encode(manifest)) == manifest
    with pytest.raises(ManifestError, match=r"str` matching regex .* at `\$\.variants\[0\]\.engine`"):
        decode(encode(altered(variants=variant(engine="My engine"))))


def column(name: str, **changes: Any) -> Input:
    return Input(**({"name": name, "dtype": "float64", "shape": (None,)} | changes))


def table(*columns: Input, **changes: Any) -> Manifest:
    """The manifest with these inputs, and a golden file for those of each dtype."""
    names = {each.dtype: f"golden/inputs/{each.dtype}.npy" for each in columns}
    goldens = {"inputs": tuple(names[each.dtype] for each in columns)}
    file = MANIFEST.files["golden/inputs/0.npy"]
    parts = {
        "inputs": columns,
        "golden": msgspec.structs.replace(MANIFEST.golden, **goldens),
        "files": MANIFEST.files | dict.fromkeys(names.values(), file),
        "window": None,
    }
    return altered(**(parts | changes))


COLOUR, SIZE = Label(name="colour", classes=("red", "blue")), Label(name="size", classes=("one",))


@pytest.mark.parametrize(
    ("change", "has_labels"),
    [
        ({"task": "classification"}, True),
        ({"task": "classification", "classes": (), "labels": (COLOUR, SIZE)}, True),
        ({"task": "clustering", "classes": ("0",)}, True),
        ({"task": "anomaly", "classes": ("anomaly", "normal")}, True),
        ({"task": "regression", "classes": ()}, False),
        ({"task": "transformation", "classes": ()}, False),
    ],
)
def test_each_task_has_its_labels_or_none(change: dict[str, Any], has_labels: bool) -> None:
    manifest = decode(encode(altered(**change)))

    assert manifest == altered(**change)
    assert manifest.has_labels == has_labels


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"task": "regression"}, "a regression with classes"),
        ({"task": "transformation"}, "a transformation with classes"),
        ({"task": "clustering", "classes": ()}, "a clustering without classes"),
        ({"task": "anomaly"}, r"are not \['anomaly', 'normal'\]"),
        ({"task": "anomaly", "classes": ("normal", "anomaly")}, r"are not \['anomaly', 'normal'\]"),
        ({"labels": (COLOUR,)}, "both classes and labels"),
        ({"labels": (COLOUR,), "classes": (), "task": "clustering"}, "a clustering with several labels"),
        ({"labels": (COLOUR, COLOUR), "classes": ()}, "a label is listed twice"),
        ({"labels": (Label(name="x", classes=()),), "classes": ()}, "label 'x' has no classes"),
        ({"labels": (Label(name="x", classes=("a", "a")),), "classes": ()}, "a class of label 'x' is"),
    ],
)
def test_classes_and_labels_fit_the_task(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(altered(**change)))


def test_several_inputs_are_the_columns_of_a_table() -> None:
    columns = (column("Größe (cm)"), column("town", dtype="string", allow_nan=True), column("x" * 256))
    manifest = table(*columns)

    assert decode(encode(manifest)) == manifest
    assert manifest.is_table
    assert table(column("text", dtype="string")).is_table
    assert not MANIFEST.is_table


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (table(column("a"), column("a")), "a column is listed twice"),
        (table(column("a"), column("")), "a column's name is not 1 to 256 characters"),
        (table(column("a"), column("x" * 257)), "a column's name is not 1 to 256 characters"),
        (table(column("a"), column("b\n")), "without control characters"),
        (table(column("a"), column("b\x9b")), "without control characters"),
        (table(column("a"), window=MANIFEST.window), "a window of columns"),
        (
            table(
                *(column("a"), column("b", dtype="int64")),
                golden=msgspec.structs.replace(MANIFEST.golden, inputs=MANIFEST.golden.inputs * 2),
            ),
            "columns of different dtypes share the golden file 'golden/inputs/0.npy'",
        ),
    ],
)
def test_a_table_that_nobody_could_name_is_refused(refused: Manifest, complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(refused))


def several(*inputs: Input, **changes: Any) -> Manifest:
    """The manifest with these inputs, a golden file for each."""
    names = tuple(f"golden/inputs/{at}.npy" for at in range(len(inputs)))
    files = dict.fromkeys(names, MANIFEST.files["golden/inputs/0.npy"])
    return table(
        *inputs,
        golden=msgspec.structs.replace(MANIFEST.golden, inputs=names),
        files=MANIFEST.files | files,
        **changes,
    )


IMAGE, PLACE = column("image", shape=(None, 4, 4, 3)), column("place", shape=(None,))


def test_several_inputs_may_be_arrays_by_name() -> None:
    manifest = several(IMAGE, PLACE, column("x" * 256, dtype="int64", shape=(None, None, 2)))

    assert decode(encode(manifest)) == manifest
    assert not manifest.is_table


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (several(IMAGE, IMAGE), "an input is listed twice"),
        (several(IMAGE, column("")), "an input's name is not 1 to 256 characters"),
        (several(IMAGE, column("b\n")), "without control characters"),
        (several(IMAGE, column("b", dtype="string")), "not all of them columns, and 'b' is texts"),
        (several(IMAGE, column("b", shape=(3,))), "input 'b' has a shape that does not begin with null"),
        (several(IMAGE, column("b", shape=())), "input 'b' has a shape that does not begin with null"),
        (several(IMAGE, PLACE, window=MANIFEST.window), "a window of several inputs"),
        (table(IMAGE, column("b", shape=(None, 2))), "two of them in one golden file"),
    ],
)
def test_several_inputs_that_nobody_could_give_are_refused(refused: Manifest, complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(refused))


def valued(*names: str) -> Manifest:
    """The manifest of a regression with these outputs."""
    outputs = tuple(
        Output(name=name, dtype="float32", shape=(None, 2, 3), meaning="value") for name in names
    )
    goldens = (MANIFEST.golden.outputs[0],) * len(outputs)
    golden = msgspec.structs.replace(MANIFEST.golden, outputs=goldens)
    return altered(task="regression", classes=(), outputs=outputs, golden=golden)


def test_values_may_be_several_outputs_told_apart_by_name() -> None:
    assert decode(encode(valued("speed", "map"))) == valued("speed", "map")
    with pytest.raises(ManifestError, match="an output is listed twice"):
        decode(encode(valued("speed", "speed")))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"count": 0}, "no golden inputs"),
        ({"inputs": ()}, "golden inputs do not match"),
        ({"outputs": ()}, "golden outputs do not match"),
    ],
)
def test_goldens_fit_the_inputs_and_outputs(change: dict[str, Any], complaint: str) -> None:
    golden = msgspec.structs.replace(MANIFEST.golden, **change)

    with pytest.raises(ManifestError, match=complaint):
        decode(encode(altered(golden=golden)))


REFUSED = Output(name="refused", dtype="int64", shape=(None,), meaning="refused")


def refusing(*outputs: Output, refusals: tuple[str, ...] = ("Größe is beyond the knots",)) -> Manifest:
    """The manifest with these outputs, each with a golden file, and these reasons."""
    goldens = (MANIFEST.golden.outputs[0],) * len(outputs)
    golden = msgspec.structs.replace(MANIFEST.golden, outputs=goldens)
    return altered(outputs=outputs, golden=golden, refusals=refusals)


def test_a_model_may_refuse_rows_and_says_why() -> None:
    manifest = refusing(*MANIFEST.outputs, REFUSED, refusals=("a", "x" * 500))

    assert decode(encode(manifest)) == manifest


def test_a_manifest_from_before_refusals_has_none() -> None:
    value = msgspec.json.decode(RAW)
    value.pop("refusals", None)

    assert decode(canonical_json(value)).refusals == ()


@pytest.mark.parametrize(
    ("refused", "complaint"),
    [
        (refusing(*MANIFEST.outputs), "refusals without an output 'refused'"),
        (refusing(*MANIFEST.outputs, REFUSED, refusals=()), "an output 'refused' without refusals"),
        (refusing(REFUSED, *MANIFEST.outputs), "'refused' is not the last one alone"),
        (refusing(*MANIFEST.outputs, REFUSED, REFUSED), "'refused' is not the last one alone"),
        (refusing(*MANIFEST.outputs, REFUSED, refusals=("a", "")), "not 1 to 500 printable characters"),
        (refusing(*MANIFEST.outputs, REFUSED, refusals=("x" * 501,)), "not 1 to 500 printable"),
        (refusing(*MANIFEST.outputs, REFUSED, refusals=("a\x1b[2J",)), "not 1 to 500 printable"),
        (refusing(*MANIFEST.outputs, REFUSED, refusals=("a\nb",)), "not 1 to 500 printable"),
    ],
)
def test_refusals_and_their_output_belong_together(refused: Manifest, complaint: str) -> None:
    with pytest.raises(ManifestError, match=complaint):
        decode(encode(refused))


def test_nesting_is_bounded() -> None:
    def nested(levels: int) -> bytes:
        value: Any = 0
        for _ in range(levels):
            value = [value]
        return encode(altered(preprocessing=(Step(name="deep", parameters={"x": value}),)))

    assert decode(nested(20)).preprocessing[0].name == "deep"
    for levels in (40, 900):
        with pytest.raises(ManifestError, match="at most 32 levels"):
            decode(nested(levels))
    with pytest.raises(ManifestError):
        decode(b"[" * 100_000)


def test_size_is_bounded() -> None:
    with pytest.raises(ManifestError, match="at most 4194304 bytes"):
        decode(bytes((4 << 20) + 1))


@given(st.binary(max_size=200))
def test_garbage_is_a_manifest_error_and_nothing_else(raw: bytes) -> None:
    with pytest.raises(ManifestError):
        decode(raw)


@given(st.data(), st.sampled_from([b"null", b"-1", b"1e999", b"[]", b"{}", b'"', b"\xff", b"9" * 30]))
def test_a_spoilt_manifest_is_a_manifest_error_or_another_manifest(
    data: st.DataObject, inserted: bytes
) -> None:
    start = data.draw(st.integers(0, len(RAW)))
    end = data.draw(st.integers(start, min(len(RAW), start + 8)))
    with contextlib.suppress(ManifestError):
        decode(RAW[:start] + inserted + RAW[end:])


@pytest.mark.parametrize(
    ("version", "release"), [("0.0.0", 0), ("1.2.3", 1002003), ("2.0.0-rc.1", 2000000)]
)
def test_the_release_counter_grows_with_the_version(version: str, release: int) -> None:
    assert default_release(version) == release


@pytest.mark.parametrize(
    ("refused", "value"),
    [
        *(
            (default_release, value)
            for value in ("1.1000.0", "1.0", "01.0.0", "1.0.0+x", "v1.0.0", "1.0.0\n")
        ),
        *((check_name, value) for value in ("", "-a", "a-", "A", "a_b", "a" * 65, "a\n")),
    ],
)
def test_names_and_versions_have_one_form(refused: Callable[[str], object], value: str) -> None:
    with pytest.raises(ManifestError):
        refused(value)
