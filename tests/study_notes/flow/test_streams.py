"""What the model says of a source is read while it says it, over the wire; offline, what it has said."""

import asyncio
import json
from pathlib import Path

from penstock.ai import ModelChain, OfflineModel
from penstock.ai.providers import provider_from
from penstock.testing import ModelServer
from systems.study_notes.domain.lifecycle import SourceStatus
from systems.study_notes.infrastructure.offline_tasks import offline_tasks
from tests.study_notes.flow.support import CARDS, QUIZ, jobs, lesson, made, open_search, status, submit, system

LESSON = json.dumps(lesson())
SAMPLE = Path(__file__).parents[3] / "systems" / "study_notes" / "samples" / "water_mills.md"


async def test_a_lesson_is_read_while_it_comes(tmp_path: Path) -> None:
    async with ModelServer() as server, asyncio.timeout(50):
        stream = server.stream()
        for rest in ({"tags": ["mill", "wheel", "stone"]}, {"quiz": QUIZ}, {"flashcards": CARDS}):
            server.answer_json(rest)
        chain = ModelChain([provider_from("openai", model="gpt-test", api_key="key", base_url=server.base_url)])
        async with system(tmp_path, model=chain, search=open_search()) as notes:
            source_id = await submit(notes)
            await notes.start()
            [job] = await jobs(notes, source_id, "PROCESS_SOURCE_TEXT")
            reader = notes.engine.tail(job.id, "chunk 1 of 1")
            half = len(LESSON) // 2
            await stream.send(LESSON[:half])
            assert (await anext(reader)).text == LESSON[:half]
            await stream.send(LESSON[half:])
            await stream.end()
            assert "".join([piece.text async for piece in reader]) == LESSON[half:]
            await notes.run_until_idle()
            assert (await status(notes, source_id)).status is SourceStatus.COMPLETED
            [tags] = [piece async for piece in notes.engine.tail(job.id, "tags")]
            assert json.loads(tags.text) == {"tags": ["mill", "wheel", "stone"]}


async def test_offline_each_answer_is_a_stream(tmp_path: Path) -> None:
    async with system(tmp_path, model=OfflineModel(offline_tasks()), search=open_search()) as notes:
        source_id = await made(notes, SAMPLE.read_text())
        streams = {
            job.kind: [one.name for one in await notes.engine.jobs.streams(job.id)]
            for job in await jobs(notes, source_id)
        }
    assert streams["PROCESS_SOURCE_TEXT"] == ["chunk 1 of 1", "tags"]
    assert streams["GENERATE_STUDY_TOOLS"] == ["flashcards 1 of 1", "quiz 1 of 1"]
    assert not streams["ASSEMBLE_NOTE"]
