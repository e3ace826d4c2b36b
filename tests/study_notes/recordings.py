"""Recordings made by the tests themselves: tones, each a few seconds long, in any kind that study notes take."""

import io
import itertools
import math
from array import array
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

import av

RATE = 16_000
_CODECS = {"mp3": "libmp3lame", "wav": "pcm_s16le", "m4a": "aac", "ogg": "libopus", "webm": "libopus"}
_FORMATS = {"mp3": "mp3", "wav": "wav", "m4a": "ipod", "ogg": "ogg", "webm": "webm"}
_RATES = {"ogg": 48_000, "webm": 48_000}


def recording(kind: str, tones: Sequence[int], seconds: float, bit_rate: int | None = None, **options: str) -> bytes:
    """One tone (Hz) after the other, each for `seconds`; `options` are those of the format."""
    rate = _RATES.get(kind, RATE)
    samples = array("h")
    for tone in tones:
        samples.extend(
            int(12_000 * math.sin(2 * math.pi * tone * index / rate)) for index in range(int(rate * seconds))
        )
    out = io.BytesIO()
    with av.open(out, "w", format=_FORMATS[kind], options=options) as container:
        stream: Any = container.add_stream(_CODECS[kind], rate=rate, layout="mono")
        if bit_rate is not None:
            stream.bit_rate = bit_rate
        for frame in _frames(samples, rate, stream.codec_context.format.name):
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def tone_of(audio: bytes) -> int:
    """The strongest tone (Hz, in steps of 100) in the middle of a recording: how often it crosses zero."""
    samples = samples_of(audio)
    middle = samples[len(samples) // 4 : 3 * len(samples) // 4]
    crossings = sum(1 for before, after in itertools.pairwise(middle) if before < 0 <= after)
    return round(crossings * RATE / max(1, len(middle)) / 100) * 100


def samples_of(audio: bytes) -> "array[int]":
    """The samples of a recording, at 16 kHz and in one channel."""
    samples = array("h")
    with av.open(io.BytesIO(audio), "r") as container:
        shape = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        for frame in [*container.decode(audio=0), None]:
            for one in shape.resample(frame):
                samples.frombytes(bytes(one.planes[0])[: one.samples * 2])
    return samples


def _frames(samples: "array[int]", rate: int, wanted: str) -> list[Any]:
    shape = av.AudioResampler(format=wanted, layout="mono", rate=rate)
    frames = []
    for start in range(0, len(samples), 960):
        piece = samples[start : start + 960]
        frame = av.AudioFrame(format="s16", layout="mono", samples=len(piece))
        frame.planes[0].update(piece.tobytes() + b"\0" * (frame.planes[0].buffer_size - 2 * len(piece)))
        frame.sample_rate = rate
        frame.pts = start
        frame.time_base = Fraction(1, rate)
        frames += shape.resample(frame)
    return frames + shape.resample(None)
