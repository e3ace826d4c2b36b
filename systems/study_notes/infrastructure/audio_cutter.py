"""Measures and cuts recordings: a program of its own, `python -m systems.study_notes.infrastructure.audio_cutter`.

`length KIND FILE` writes the length in seconds, `piece KIND FILE START SECONDS` that part as FLAC (16 kHz, one channel,
16 bits). FFmpeg's libraries read files that anybody may have made: see `apart`.
"""

import io
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from systems.study_notes.infrastructure.apart import Unreadable, run

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.audio.stream import AudioStream
    from av.container import InputContainer

_MAX_LENGTH_S = 100 * 3600
_DEMUXERS = {"mp3": "mp3", "wav": "wav", "m4a": "mov", "ogg": "ogg", "webm": "matroska"}
_RATE = 16_000
# Decoders need what comes before to sound right; what is decoded too early is cut off again.
_RUN_UP_S = 2.0


def work(arguments: Sequence[str]) -> bytes:
    """Do what the arguments say. Raises `Unreadable`."""
    # Loaded only here: it takes half a second, and is in an extra.
    import av  # noqa: PLC0415

    what, kind, path, *span = arguments
    try:
        with av.open(path, format=_DEMUXERS[kind], options={"protocol_whitelist": "file"}) as container:
            if what == "length":
                return f"{length_s(container):.3f}".encode()
            return piece(container, float(span[0]), float(span[1]))
    except (av.FFmpegError, ValueError, MemoryError) as error:
        # Not the whole text: it names the file.
        raise Unreadable(str(getattr(error, "strerror", None) or type(error).__name__)) from error


def length_s(container: "InputContainer") -> float:
    """The length by the packets of sound: what a header states may be missing or false. Raises `Unreadable`."""
    stream = _sound(container)
    begin, end = None, 0
    for packet in container.demux(stream):
        if packet.pts is None:
            continue
        begin = packet.pts if begin is None else min(begin, packet.pts)
        end = max(end, packet.pts + (packet.duration or 0))
    seconds = float((end - (begin or 0)) * (stream.time_base or 0))
    if seconds <= 0:
        raise Unreadable("the recording has no sound")
    if seconds > _MAX_LENGTH_S:
        raise Unreadable(f"the recording is longer than {_MAX_LENGTH_S // 3600} hours")
    return seconds


def piece(container: "InputContainer", start_s: float, seconds: float) -> bytes:
    """The sound from `start_s` on as FLAC. Raises `Unreadable`."""
    stream = _sound(container)
    out = io.BytesIO()
    import av  # noqa: PLC0415

    with av.open(out, "w", format="flac") as flac:
        written = flac.add_stream("flac", rate=_RATE, layout="mono", format="s16")
        for frame in _cut(container, stream, start_s, seconds):
            flac.mux(written.encode(frame))
        flac.mux(written.encode(None))
    return out.getvalue()


def _cut(container: "InputContainer", stream: "AudioStream", start_s: float, seconds: float) -> Iterator["AudioFrame"]:
    graph = _graph(stream, start_s, seconds)
    base = float(stream.time_base or 0)
    origin = stream.start_time or 0
    if start_s > _RUN_UP_S:
        container.seek(origin + int((start_s - _RUN_UP_S) / base), stream=stream, backward=True)
    for frame in container.decode(stream):
        if frame.pts is None:
            continue
        frame.pts -= origin
        if float(frame.pts * base) >= start_s + seconds:
            break
        graph.push(frame)
        yield from _pulled(graph)
    graph.push(None)
    yield from _pulled(graph)


def _graph(stream: "AudioStream", start_s: float, seconds: float) -> Any:
    from av.filter import Graph  # noqa: PLC0415

    graph = Graph()
    source = graph.add_abuffer(template=stream)
    trim = graph.add("atrim", f"start={start_s:.6f}:end={start_s + seconds:.6f}")
    again = graph.add("asetpts", "PTS-STARTPTS")
    shape = graph.add("aformat", f"sample_fmts=s16:channel_layouts=mono:sample_rates={_RATE}")
    graph.link_nodes(source, trim, again, shape, graph.add("abuffersink")).configure()
    return graph


def _pulled(graph: Any) -> Iterator["AudioFrame"]:
    import av  # noqa: PLC0415

    while True:
        try:
            yield graph.pull()
        except (av.BlockingIOError, av.EOFError):
            return


def _sound(container: "InputContainer") -> "AudioStream":
    if not container.streams.audio:
        raise Unreadable("the file has no sound")
    return container.streams.audio[0]


if __name__ == "__main__":
    run(work)
