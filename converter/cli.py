"""The command `edge-runtime convert`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from converter.comparison import command
from converter.comparison.metrics import METRICS
from converter.window import WindowSpec
from edge_runtime.errors import ConfigError, ManifestError

_EPILOG = (
    "A .joblib or .pkl file runs code that it names when it is opened: convert only files you trust. "
    "FILE is .npz, .npy or .csv; FILE:KEY picks one array of an .npz."
)


@click.command(short_help="Convert a trained model into one signed bundle.", epilog=_EPILOG)
# readable=False: that a file cannot be read is said below, with its own exit code
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True,
    type=click.Path(path_type=Path, readable=False),
)  # fmt: skip
@click.option(
    "--inputs", required=True, metavar="FILE[:KEY]",
    help="Inputs that were held out from training: (inputs, features) or (windows, samples, axes), a "
    ".csv with a line of titles for a model of named columns, or an .npz with an array for each input "
    "of a model of several. The bundle must agree with MODEL on all.",
)  # fmt: skip
@click.option(
    "--labels", metavar="FILE[:KEY]",
    help="Their true labels or values, to measure accuracy; of a network of several outputs an .npz "
    "with an array for each.",
)  # fmt: skip
@click.option(
    "--training", metavar="FILE[:KEY]",
    help="Inputs that MODEL was trained on. The bundle gets sketches of them, for drift.",
)  # fmt: skip
@click.option(
    "--training-labels", metavar="FILE[:KEY]",
    help="Their labels: MODEL is cross-validated with them, that is, fitted anew several times.",
)  # fmt: skip
@click.option(
    "--cross-validation", type=int, default=5, show_default=True, metavar="FOLDS",
    help="How often MODEL is fitted anew on --training. 0: never.",
)  # fmt: skip
@click.option("--name", required=True, help="The model's name: a-z, 0-9 and '-', such as motion.")
@click.option("--version", required=True, help="Its semantic version, such as 1.0.0.")
@click.option(
    "--output", required=True, type=click.Path(path_type=Path), metavar="F.edge",
    help="The bundle to write. It replaces a file of that name only once it is complete.",
)  # fmt: skip
@click.option(
    "--signing-key", "signing_keys", multiple=True, type=click.Path(path_type=Path, readable=False),
    metavar="KEY",
    help="A private key from `edge-runtime keys generate`. Repeat it for several signers.",
)  # fmt: skip
@click.option("--unsigned", is_flag=True, help="Write a bundle without signature. Devices refuse it.")
@click.option("--release", type=int, help="The release counter; by default it follows the version.")
@click.option(
    "--floor", type=int, default=0, metavar="RELEASE",
    help="The lowest release that devices may go back to once they have confirmed this one, for one "
    "that mends a security fault. Default: any.",
)  # fmt: skip
@click.option(
    "--channels", metavar="A,B,C", help="Names of the axes, in their order. Default: 0,1,2 and so on."
)
@click.option("--rate-hz", type=float, help="Samples a second of the recordings behind the windows.")
@click.option(
    "--stride", type=int, help="Samples from one window's start to the next one's. Default: a window."
)
@click.option(
    "--input-dtype", type=click.Choice(["float32", "float64", "int64", "int32", "uint8"]),
    help="What devices give the model; by default float32, or a table's own dtypes.",
)  # fmt: skip
@click.option(
    "--preprocessing", type=click.Path(path_type=Path), metavar="FILE",
    help="A fitted scikit-learn transformer or Pipeline, saved like MODEL, that goes before a MODEL "
    "trained on what it gives.",
)  # fmt: skip
@click.option(
    "--board", "boards", multiple=True, metavar="BOARD",
    help="What the bundle is for, such as pi4 or orin-nano; repeat it for several. Boards with TensorRT "
    "get a variant for it.",
)  # fmt: skip
@click.option(
    "--quantize", is_flag=True,
    help="Try smaller and faster variants, and keep those that pay and hold --max-accuracy-drop.",
)  # fmt: skip
@click.option(
    "--calibration", metavar="FILE[:KEY]",
    help="Training inputs, at least 10, that ranges of quantized numbers are taken from. Default: those "
    "of --training. Implies --quantize.",
)  # fmt: skip
@click.option(
    "--max-accuracy-drop", type=float, default=0.01, show_default=True, metavar="SHARE",
    help="What a variant may lose: of accuracy or R² with --labels, else of agreement with MODEL.",
)  # fmt: skip
@click.option(
    "--choices", type=click.Path(path_type=Path), metavar="F.edge|FILE.json",
    help="Make the variants of a bundle made before again, byte for byte, and measure nothing.",
)  # fmt: skip
@click.option(
    "--report", type=click.Path(path_type=Path), metavar="FILE.html",
    help="Write a report with plots, one HTML file that needs no network, too.",
)  # fmt: skip
@click.option(
    "--classes", metavar="A,B,C",
    help="Of a network, from Keras or ONNX: what its outputs are called, in their order.",
)  # fmt: skip
@click.option(
    "--compare", is_flag=True,
    help="Convert two or more MODELs and write the bundle of one: the best by --metric on --labels, or "
    "a faster or smaller one that is as good within noise. The report says why.",
)  # fmt: skip
@click.option(
    "--metric", type=click.Choice(list(METRICS)),
    help="What --compare goes by. Default: accuracy of labels, r2 of values.",
)  # fmt: skip
@click.option(
    "--max-size", callback=command.size, metavar="SIZE",
    help="Of --compare: leave out models larger than this, such as 500kB.",
)  # fmt: skip
@click.option(
    "--max-latency-us", type=float, metavar="MICROSECONDS",
    help="Of --compare: leave out models that take longer for one row, in onnxruntime on this machine.",
)  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the bundle's manifest as JSON.")
def convert(
    models: tuple[Path, ...],
    output: Path,
    signing_keys: tuple[Path, ...],
    *,
    unsigned: bool,
    report: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Convert a trained MODEL with its preprocessing into one signed bundle.

    MODEL is a fitted scikit-learn estimator or Pipeline, saved by joblib or pickle, a Keras 3
    model (.keras, .h5), the folder of a SavedModel, or an ONNX file (.onnx). The result
    is compared with MODEL on every input before anything is written; a difference is an error
    that says where.

    With --compare there are several MODELs, of which one is chosen.
    """
    if unsigned == bool(signing_keys):
        raise click.UsageError(
            "expected --signing-key KEY, or --unsigned for a bundle that devices refuse; "
            + ("found both." if unsigned else "found neither. `edge-runtime keys generate` makes one.")
        )
    drop = click.get_current_context().get_parameter_source("max_accuracy_drop")
    tries = options["quantize"] or options["calibration"] or options["choices"]
    if drop is ParameterSource.COMMANDLINE and not tries:
        raise click.UsageError("--max-accuracy-drop: expected --quantize too, found none.")
    from edge_runtime.bundle import load_private_key
    from edge_runtime.durable import replace_file

    outputs = [output, *([report] if report else [])]
    _check_nothing_read_is_replaced(outputs, models, signing_keys, options)
    for key in signing_keys:
        load_private_key(key)  # a wrong key is told before the work, not after it
    made = _made(models, outputs=outputs, **options)
    bundle = made.bundle if options["compare"] else made
    if report:
        _say("measuring the variants for the report")
        replace_file(report, made.report_html().encode())
    if output.exists():
        _say(f"replacing {output}, which is there already")
    saved = bundle.save(output, signing_key=signing_keys or None)
    if as_json:
        from edge_runtime.bundle.manifest import encode

        click.echo(encode(bundle.manifest))
        return
    click.echo(made.report())
    signed = "unsigned" if unsigned else "signed by " + ", ".join(str(key) for key in signing_keys)
    click.echo(f"\nwrote {saved} ({saved.stat().st_size / 1000:,.1f} kB, {signed})")


def _check_nothing_read_is_replaced(
    outputs: Sequence[Path],
    models: Sequence[Path],
    signing_keys: Sequence[Path],
    options: dict[str, Any],
) -> None:
    """A trained model that a bundle was written over cannot be had again. Raises UsageError."""
    read = [("MODEL", path) for path in models] + [("--signing-key", path) for path in signing_keys]
    for name in ("inputs", "labels", "training", "training_labels", "calibration", "preprocessing"):
        if (given := options[name]) is not None:
            option = f"--{name.replace('_', '-')}"
            read += [(option, Path(given)), (option, Path(str(given).rpartition(":")[0]))]
    for output in outputs:
        for what, path in read:
            if _is_same_file(path, output):
                raise click.UsageError(
                    f"{output} is what {what} names, and would be overwritten. Choose another file to "
                    "write, such as motion-1.0.0.edge."
                )


def _is_same_file(path: Path, other: Path) -> bool:
    try:
        return path.is_file() and path.samefile(other)
    except OSError:  # one is not there, or cannot be seen: who reads or writes it says so
        return False


@contextmanager
def _of_the_command_line() -> Iterator[None]:
    """Of these names and numbers none comes from a file: a wrong one is a wrong command line."""
    try:
        yield
    except (ConfigError, ManifestError) as error:
        raise click.UsageError(str(error)) from error


def _made(
    models: tuple[Path, ...],
    *,
    labels: str | None,
    compare: bool,
    metric: str | None,
    max_size: int | None,
    max_latency_us: float | None,
    **options: Any,
) -> Any:
    """The bundle of the one model, or the comparison of several."""

    def one(model: Path) -> Any:
        return _converted(model, labels=labels, **options)

    terms = command.Terms(metric, max_size, max_latency_us)
    if not compare:
        command.check_one(models, terms)
        return one(models[0])
    command.check_several(models, labels)
    return command.compare_files(one, models, terms, progress=_say)


def _converted(
    model: Path,
    *,
    inputs: str,
    labels: str | None,
    outputs: list[Path],
    preprocessing: Path | None,
    classes: str | None,
    boards: tuple[str, ...],
    calibration: str | None,
    training: str | None,
    training_labels: str | None,
    cross_validation: int,
    channels: str | None,
    rate_hz: float | None,
    stride: int | None,
    name: str,
    version: str,
    release: int | None,
    floor: int,
    **options: Any,
) -> Any:
    import converter

    run = converter.convert  # first of all: it says when the extra is missing
    from converter.bundling import identity
    from converter.converted import check_folder
    from converter.loading import load_model, read_inputs, read_labels
    from edge_runtime.boards import supported

    for path in outputs:
        check_folder(path)
    if len(set(map(os.path.realpath, outputs))) < len(outputs):
        raise click.UsageError("--report: expected another file than --output, found the same.")
    if training_labels and not training:
        raise click.UsageError("--training-labels: expected --training FILE too, found none.")
    with _of_the_command_line():  # told before the work
        identity(name, version, release, floor)
        supported(boards)
    window = None
    if channels or rate_hz is not None or stride is not None:
        names = tuple(each.strip() for each in (channels or "").split(",") if each.strip())
        window = WindowSpec(channels=names, rate_hz=rate_hz, stride=stride)
    _say(f"reading {model}")
    trained = load_model(model)
    before = None if preprocessing is None else load_model(preprocessing)
    first = trained if before is None else before
    known = None if training is None else read_inputs(training, first)
    truth = None if training_labels is None else read_labels(training_labels, trained)
    return run(
        trained,
        read_inputs(inputs, first),
        None if labels is None else read_labels(labels, trained),
        window=window,
        preprocessing=before,
        classes=None if classes is None else [each.strip() for each in classes.split(",")],
        boards=boards,
        training=None if truth is None else (known, truth),
        reference=known,
        calibration=None if calibration is None else read_inputs(calibration, first),
        cross_validation=cross_validation,
        name=name,
        version=version,
        release=release,
        floor=floor,
        progress=_say,
        **options,
    )


def _say(what: str) -> None:
    click.echo(f"{what} …", err=True)
