"""The 76 layers and applications of Keras that are converted and compared with their own predictions."""

from collections.abc import Callable
from typing import Any

from tests.converter.frontends.tensorflow.kit import (
    Case,
    Kit,
    Make,
    adapted,
    numbers,
    padded,
    pixels,
    self_attention,
    sentences,
    seq,
    whole,
    words,
)


def activations(kit: Kit) -> Any:
    layers = kit.layers
    return kit.model((8,), *(layers.Dense(8, activation=name) for name in ("gelu", "swish", "mish")))


def tf_call(call: Callable[[Any, Any], Any], *shape: int) -> Make:
    """A Lambda layer of TensorFlow's own functions."""

    def make(kit: Kit) -> Any:
        return kit.model(shape, kit.layers.Lambda(lambda x: call(kit.tf, x)))

    return make


def keras_rfft(kit: Kit) -> Any:
    class Spectrum(kit.keras.layers.Layer):  # type: ignore[misc, name-defined]
        def call(self, x: Any) -> Any:
            real, imaginary = kit.keras.ops.rfft(x)
            return kit.keras.ops.sqrt(real * real + imaginary * imaginary)

    return kit.model((64,), Spectrum())


def application(name: str, size: int = 64, **options: Any) -> Make:
    def make(kit: Kit) -> Any:
        build = getattr(kit.keras.applications, name)
        return build(weights=None, input_shape=(size, size, 3), classes=10, **options)

    return make


def _embedded(kit: Kit) -> Any:
    layers = kit.layers
    return kit.model((6,), layers.Embedding(20, 5, mask_zero=True), layers.GRU(4), dtype="int64")


def _convolutional() -> tuple[Case, ...]:
    line, image = numbers(16, 4), numbers(12, 10, 3)
    return (
        Case("Dense", seq(6, of=lambda k: [k.Dense(8, "relu"), k.Dense(3, "softmax")]), numbers(6)),
        Case("Conv1D", seq(16, 4, of=lambda k: k.Conv1D(5, 3)), line),
        Case(
            "Conv1D causal dil2",
            seq(16, 4, of=lambda k: k.Conv1D(5, 3, padding="causal", dilation_rate=2)),
            line,
        ),
        Case("Conv2D", seq(12, 10, 3, of=lambda k: k.Conv2D(5, 3, 2, "same")), image),
        Case("Conv3D", seq(6, 8, 7, 2, of=lambda k: k.Conv3D(4, 3)), numbers(6, 8, 7, 2)),
        Case("Conv2DTranspose", seq(12, 10, 3, of=lambda k: k.Conv2DTranspose(5, 3, 2)), image),
        Case("Conv1DTranspose", seq(16, 4, of=lambda k: k.Conv1DTranspose(5, 3, 2)), line),
        Case("SeparableConv2D", seq(12, 10, 3, of=lambda k: k.SeparableConv2D(5, 3)), image),
        Case("SeparableConv1D", seq(16, 4, of=lambda k: k.SeparableConv1D(5, 3)), line),
        Case("DepthwiseConv2D", seq(12, 10, 3, of=lambda k: k.DepthwiseConv2D(3)), image),
        Case("DepthwiseConv1D", seq(16, 4, of=lambda k: k.DepthwiseConv1D(3)), line),
    )


def _normalizing() -> tuple[Case, ...]:
    image, row = numbers(12, 10, 4), numbers(6)
    return (
        Case("BatchNorm", seq(12, 10, 4, of=lambda k: k.BatchNormalization()), image),
        Case("LayerNorm", seq(6, of=lambda k: k.LayerNormalization()), row),
        Case("GroupNorm", seq(12, 10, 4, of=lambda k: k.GroupNormalization(2)), image),
        Case("UnitNorm", seq(6, of=lambda k: k.UnitNormalization()), row),
        Case("RMSNorm", seq(6, of=lambda k: k.RMSNormalization()), row),
    )


def _recurrent() -> tuple[Case, ...]:
    series = numbers(10, 4)

    def stateful(kit: Kit) -> Any:
        layers = [kit.keras.Input(batch_shape=(1, 10, 4)), kit.layers.LSTM(5, stateful=True)]
        return kit.keras.Sequential([*layers, kit.layers.Dense(2)])

    return (
        Case("LSTM", seq(10, 4, of=lambda k: k.LSTM(5)), series),
        Case("LSTM var-len", seq(None, 4, of=lambda k: k.LSTM(5, return_sequences=True)), series),
        Case("LSTM unroll", seq(10, 4, of=lambda k: k.LSTM(5, unroll=True)), series),
        Case("GRU", seq(10, 4, of=lambda k: k.GRU(5)), series),
        Case("GRU reset_after=False", seq(10, 4, of=lambda k: k.GRU(5, reset_after=False)), series),
        Case("SimpleRNN", seq(10, 4, of=lambda k: k.SimpleRNN(5)), series),
        Case("Bidirectional LSTM", seq(10, 4, of=lambda k: k.Bidirectional(k.LSTM(5))), series),
        Case("Masking+LSTM", seq(10, 4, of=lambda k: [k.Masking(), k.LSTM(5)]), padded(10, 4)),
        Case("ConvLSTM1D", seq(4, 8, 2, of=lambda k: k.ConvLSTM1D(3, 3)), numbers(4, 8, 2)),
        Case("ConvLSTM2D", seq(4, 8, 8, 2, of=lambda k: k.ConvLSTM2D(3, 3)), numbers(4, 8, 8, 2)),
        Case("stateful LSTM", stateful, series),
        Case("TimeDistributed", seq(10, 4, of=lambda k: k.TimeDistributed(k.Dense(3))), series),
    )


def _attentive() -> tuple[Case, ...]:
    given = numbers(7, 8)
    heads = {"num_heads": 2, "key_dim": 4}
    grouped = {"head_dim": 4, "num_query_heads": 4, "num_key_value_heads": 2}
    tokens = whole(6, high=20)
    return (
        Case("Attention", self_attention("Attention", as_list=True), given),
        Case("AdditiveAttention", self_attention("AdditiveAttention", as_list=True), given),
        Case("MultiHeadAttention", self_attention("MultiHeadAttention", **heads), given),
        Case("GroupQueryAttention", self_attention("GroupQueryAttention", **grouped), given),
        Case("Embedding", seq(6, of=lambda k: k.Embedding(20, 5), dtype="int64"), tokens),
        Case("Embedding mask+GRU", _embedded, tokens),
    )


def _pooling() -> tuple[Case, ...]:
    line, image = numbers(16, 4), numbers(12, 10, 3)
    return (
        Case(
            "MaxPool1D/2D",
            seq(12, 10, 3, of=lambda k: [k.MaxPool2D(), k.Reshape((30, 3)), k.MaxPool1D(2)]),
            image,
        ),
        Case("AvgPool2D same", seq(12, 10, 3, of=lambda k: k.AvgPool2D(3, 2, "same")), image),
        Case("GlobalAvgPool1D", seq(16, 4, of=lambda k: k.GlobalAveragePooling1D()), line),
        Case("GlobalMaxPool2D", seq(12, 10, 3, of=lambda k: k.GlobalMaxPooling2D()), image),
        Case("AdaptiveAvgPool2D", seq(12, 10, 3, of=lambda k: k.AdaptiveAveragePooling2D(4)), image),
        Case(
            "LeakyReLU/PReLU/ELU",
            seq(16, 4, of=lambda k: [k.LeakyReLU(), k.PReLU(), k.ELU()]),
            line,
        ),
        Case("gelu/swish/mish", activations, numbers(8)),
    )


def _shaping() -> tuple[Case, ...]:
    line, image, row = numbers(16, 4), numbers(12, 10, 3), numbers(6)
    return (
        Case(
            "UpSampling2D bilinear",
            seq(12, 10, 3, of=lambda k: k.UpSampling2D(2, interpolation="bilinear")),
            image,
        ),
        Case(
            "ZeroPad/Crop",
            seq(12, 10, 3, of=lambda k: [k.ZeroPadding2D((1, 2)), k.Cropping2D(((2, 0), (1, 3)))]),
            image,
        ),
        Case(
            "Flatten/Reshape/Permute",
            seq(16, 4, of=lambda k: [k.Permute((2, 1)), k.Reshape((8, 8)), k.Flatten()]),
            line,
        ),
        Case(
            "Dropout/GaussianNoise",
            seq(6, of=lambda k: [k.Dropout(0.5), k.GaussianNoise(1.0), k.Dense(2)]),
            row,
        ),
        Case("EinsumDense", seq(16, 4, of=lambda k: k.EinsumDense("abc,cd->abd", (None, 3))), line),
        Case("SpectralNorm Dense", seq(6, of=lambda k: k.SpectralNormalization(k.Dense(4))), row),
    )


def _preprocessing() -> tuple[Case, ...]:
    image, row = pixels(24, 20, 3), numbers(6, low=-3, high=9)
    colours, numbered = words(4), whole(4, high=9)
    known = ["red", "green", "blue"]

    def looked_up(**options: Any) -> Make:
        return seq(4, of=lambda k: k.StringLookup(vocabulary=known, **options), dtype="string")

    def resizing(**options: Any) -> Make:
        return seq(24, 20, 3, of=lambda k: k.Resizing(9, 11, **options))

    def text_vectorization(kit: Kit) -> Any:
        layer = kit.layers.TextVectorization(output_sequence_length=5)
        layer.adapt(["the sensor is hot", "all quiet here"])
        return kit.model((1,), layer, kit.layers.Embedding(30, 3), dtype="string")

    def encoded(mode: str) -> Make:
        return seq(4, of=lambda k: k.CategoryEncoding(9, output_mode=mode), dtype="int64")

    return (
        Case("Normalization", adapted("Normalization", row), row),
        Case("Rescaling", seq(24, 20, 3, of=lambda k: k.Rescaling(1 / 127.5, -1)), image),
        Case("Resizing bilinear", resizing(), image),
        Case("Resizing antialias", resizing(antialias=True), image),
        Case("Resizing bicubic", resizing(interpolation="bicubic"), image),
        Case("Resizing any-size in", seq(None, None, 3, of=lambda k: k.Resizing(9, 11)), image),
        Case("CenterCrop", seq(24, 20, 3, of=lambda k: k.CenterCrop(9, 11)), image),
        Case("RandomFlip(infer)", seq(24, 20, 3, of=lambda k: k.RandomFlip()), image),
        Case("RandomRotation(infer)", seq(24, 20, 3, of=lambda k: k.RandomRotation(0.2)), image),
        Case("Discretization", seq(6, of=lambda k: k.Discretization([-1.0, 0.5, 4.0])), row),
        Case("CategoryEncoding 1hot", encoded("one_hot"), numbered),
        Case("CategoryEncoding multi", encoded("multi_hot"), numbered),
        Case("StringLookup", looked_up(), colours),
        Case("StringLookup onehot", looked_up(output_mode="multi_hot"), colours),
        Case(
            "IntegerLookup",
            seq(4, of=lambda k: k.IntegerLookup(vocabulary=[3, 7, 1]), dtype="int64"),
            numbered,
        ),
        Case("Hashing", seq(4, of=lambda k: k.Hashing(5), dtype="string"), colours),
        Case("TextVectorization", text_vectorization, sentences),
    )


def _signals() -> tuple[Case, ...]:
    signal = numbers(256)

    def log(tf: Any, x: Any) -> Any:
        return tf.math.log1p(tf.abs(x))

    def spectrum(tf: Any, x: Any) -> Any:
        return tf.abs(tf.signal.rfft(x))

    def spectrogram(tf: Any, x: Any) -> Any:
        return tf.abs(tf.signal.stft(x, 64, 32))

    return (
        Case("Lambda", tf_call(log, 6), numbers(6)),
        Case("Lambda tf.signal.rfft", tf_call(spectrum, 256), signal),
        Case("Lambda tf.signal.stft", tf_call(spectrogram, 256), signal),
        Case("keras.ops.rfft", keras_rfft, numbers(64)),
        Case(
            "STFTSpectrogram",
            seq(256, 2, of=lambda k: k.STFTSpectrogram(frame_length=64, frame_step=32, fft_length=64)),
            numbers(256, 2),
        ),
        Case(
            "MelSpectrogram",
            seq(
                256,
                of=lambda k: k.MelSpectrogram(
                    fft_length=64, sequence_stride=32, num_mel_bins=12, sampling_rate=1000, max_freq=500
                ),
            ),
            signal,
        ),
    )


def _applications() -> tuple[Case, ...]:
    image = pixels(64, 64, 3)
    scaled = numbers(64, 64, 3)
    return (
        Case("MobileNetV2", application("MobileNetV2"), scaled),
        Case("MobileNetV3Small", application("MobileNetV3Small"), image),
        Case("EfficientNetB0", application("EfficientNetB0"), image),
        Case("EfficientNetV2B0", application("EfficientNetV2B0"), image),
        Case("ResNet50", application("ResNet50"), scaled),
        Case("ConvNeXtTiny", application("ConvNeXtTiny"), image),
    )


CASES = (
    *_convolutional(),
    *_normalizing(),
    *_recurrent(),
    *_attentive(),
    *_pooling(),
    *_shaping(),
    *_preprocessing(),
    *_signals(),
    *_applications(),
)
