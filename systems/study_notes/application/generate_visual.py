"""GENERATE_VISUAL: one picture."""

from collections.abc import Sequence
from dataclasses import dataclass

from systems.study_notes.application.ports import Clock, ImageCheck, ImageSearch
from systems.study_notes.application.progress import facts_of
from systems.study_notes.application.repositories import ReadUnits, UnitOfWork, VisualResult
from systems.study_notes.domain.errors import NoImageProvider
from systems.study_notes.domain.events import VisualFinished
from systems.study_notes.domain.lifecycle import VisualStatus
from systems.study_notes.domain.links import own_picture
from systems.study_notes.domain.records import Visual
from systems.study_notes.domain.similarity import MIN_SCORE, ImageCandidate, in_order

IMAGE_RESULTS = 5


@dataclass(frozen=True, slots=True)
class FoundVisual:
    """The outcome of a search, not yet written."""

    visual_id: int
    result: VisualResult


@dataclass(frozen=True, slots=True)
class VisualDone:
    """The outcome is written. The job ends well whatever it is, so that the note goes on."""

    visual_id: int
    status: VisualStatus
    events: tuple[VisualFinished, ...]


class GenerateVisual:
    """`begin` → `prepare` → `store`, or `give_up` after the last attempt; a finished visual is left alone."""

    def __init__(
        self,
        reads: ReadUnits,
        search: ImageSearch,
        check: ImageCheck,
        clock: Clock,
        *,
        results: int = IMAGE_RESULTS,
        min_score: float = MIN_SCORE,
    ) -> None:
        self._reads = reads
        self._search = search
        self._check = check
        self._clock = clock
        self._results = results
        self._min_score = min_score

    async def begin(self, uow: UnitOfWork, visual_id: int) -> bool:
        """Mark the visual as PROCESSING; False when the job has nothing left to do."""
        visual = await self._wanted(uow, visual_id)
        return visual is not None and await uow.visuals.start(visual_id, self._clock.now())

    async def prepare(self, visual_id: int) -> FoundVisual | None:
        """Search and check; None when the visual is gone. Raises `ImageSearchError` when no provider could answer."""
        async with self._reads() as uow:
            visual = await uow.visuals.get(visual_id)
        if visual is None:
            return None
        try:
            candidates = await self._search.search(visual.search_query, self._results)
        except NoImageProvider as error:
            return FoundVisual(visual_id, _nothing(str(error)))
        return FoundVisual(visual_id, await self._chosen(visual, candidates))

    async def store(self, uow: UnitOfWork, found: FoundVisual) -> VisualDone | None:
        """Write the outcome; None when the visual is finished or gone, or its source has ended."""
        visual = await self._wanted(uow, found.visual_id)
        now = self._clock.now()
        if visual is None or not await uow.visuals.finish(found.visual_id, found.result, now):
            return None
        source = await uow.sources.get(visual.source_id)
        if source is None:
            return None
        event = VisualFinished(**await facts_of(uow, source, now), visual_id=visual.id)
        return VisualDone(visual.id, found.result.status, (event,))

    async def give_up(self, uow: UnitOfWork, visual_id: int, reason: str) -> VisualDone | None:
        """Write FAILED with the reason, after the last attempt or when the job ended without its handler."""
        # A job that never began gives up too; a visual ends from PROCESSING only.
        await self.begin(uow, visual_id)
        return await self.store(uow, FoundVisual(visual_id, VisualResult(VisualStatus.FAILED, error_message=reason)))

    async def _wanted(self, uow: UnitOfWork, visual_id: int) -> Visual | None:
        """The visual, with its source held, while both are unfinished.

        Held, because the percent told with one picture counts the others: without it two could tell them out of order.
        """
        visual = await uow.visuals.get(visual_id)
        if visual is None or visual.status.is_finished:
            return None
        source = await uow.sources.hold(visual.source_id)
        return None if source is None or source.status.is_terminal else visual

    async def _chosen(self, visual: Visual, candidates: Sequence[ImageCandidate]) -> VisualResult:
        if not candidates:
            return _nothing("no picture was found")
        refusals: list[str] = []
        for candidate in in_order(visual.description, candidates, self._min_score):
            if candidate.offline:
                return VisualResult(
                    status=VisualStatus.COMPLETED,
                    image_url=own_picture(visual.id),
                    alt_text=visual.description,
                    provider=candidate.provider,
                )
            refusal = await self._check.refusal(candidate.image_url)
            if refusal is None:
                return _completed(visual, candidate)
            refusals.append(refusal)
        if not refusals:
            return _nothing("no picture found fits the description")
        return _nothing(f"no picture found can be used: {'; '.join(dict.fromkeys(refusals))}")


def _completed(visual: Visual, candidate: ImageCandidate) -> VisualResult:
    return VisualResult(
        status=VisualStatus.COMPLETED,
        image_url=candidate.image_url,
        alt_text=visual.description,
        source_url=candidate.page_url,
        source_title=candidate.title,
        provider=candidate.provider,
    )


def _nothing(reason: str) -> VisualResult:
    return VisualResult(VisualStatus.NO_IMAGE_FOUND, error_message=reason)
