"""TRANSCRIBE_AUDIO: the words of a recording, chunk by chunk."""

from systems.study_notes.application.extraction import ExtractedText, read_source, stored_file
from systems.study_notes.application.ports import Clock, Recordings, Steps, Transcriber, Transcript
from systems.study_notes.application.progress import Entered, enter_stage
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork
from systems.study_notes.application.together import all_or_first_error
from systems.study_notes.domain.errors import PermanentSourceError
from systems.study_notes.domain.lifecycle import Stage
from systems.study_notes.domain.spoken import Chunk, chunks_of, joined
from systems.study_notes.domain.text import clean, has_words

CHUNK_S = 300.0
AT_ONCE = 12


class TranscribeAudio:
    """`begin` → `prepare`; each may be done again."""

    stages = (Stage.TRANSCRIPTION_PENDING, Stage.TRANSCRIPTION_IN_PROGRESS)

    def __init__(
        self,
        reads: ReadUnits,
        recordings: Recordings,
        transcriber: Transcriber | None,
        clock: Clock,
        *,
        chunk_s: float = CHUNK_S,
        at_once: int = AT_ONCE,
    ) -> None:
        """`transcriber` None: no provider is configured. Chunks are `chunk_s` seconds long, `at_once` are under way."""
        self._reads = reads
        self._recordings = recordings
        self._transcriber = transcriber
        self._clock = clock
        self._chunk_s = chunk_s
        self._at_once = at_once

    async def begin(self, uow: UnitOfWork, source_id: int) -> Entered | None:
        """Enter the stage; None when the job has nothing left to do."""
        return await enter_stage(uow, source_id, Stage.TRANSCRIPTION_IN_PROGRESS, self._clock.now())

    async def prepare(self, source_id: int, steps: Steps) -> ExtractedText | None:
        """Cut and transcribe, each chunk in a step: one that was transcribed is not paid for again.

        None when the source is gone. Raises `PermanentSourceError` without a provider, for a damaged recording and for
        one without words, `StageError` when a chunk could not be transcribed this time (the others are kept).
        """
        source = await read_source(self._reads, source_id)
        if source is None:
            return None
        if self._transcriber is None:
            raise PermanentSourceError("no transcription provider is configured")
        path = stored_file(source)
        chunks = chunks_of(await self._recordings.length_s(path), self._chunk_s)
        language = source.language_code
        calls = [
            steps.step(
                # The length belongs to the name: a later run may be told to cut otherwise.
                f"chunk {chunk.number} of {len(chunks)} ({self._chunk_s:g} s)",
                self._chunk,
                self._transcriber,
                path,
                chunk,
                language,
            )
            for chunk in chunks
        ]
        transcripts = await all_or_first_error(calls, self._at_once)
        text = clean(joined(transcript.text for transcript in transcripts))
        if not has_words(text):
            raise PermanentSourceError("nothing is said in the recording")
        words = [word.as_json() for transcript in transcripts for word in transcript.words]
        providers = [transcript.provider for transcript in transcripts]
        return ExtractedText(source_id, text, {"words": words, "transcription": {"providers": providers}})

    async def _chunk(self, transcriber: Transcriber, path: str, chunk: Chunk, language: str | None) -> Transcript:
        audio = await self._recordings.piece(path, chunk.start_s, chunk.length_s)
        heard = await transcriber.transcribe(audio, language)
        words = tuple(word.later(chunk.start_s) for word in heard.words)
        return Transcript(heard.text, words, heard.provider)
