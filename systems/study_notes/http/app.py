"""The application: routes, middleware and error answers put together."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from systems.common.http.body_limit import BodyLimit
from systems.common.http.request_ids import RequestIds
from systems.study_notes.application.inputs import MAX_TEXT_CHARS
from systems.study_notes.http import errors, health, note_routes, source_events, source_routes
from systems.study_notes.http.services import Services

# JSON may write a character as \uXXXX, one beyond the first 65,536 as two of these; and there are other fields.
MAX_BODY_BYTES = MAX_TEXT_CHARS * 12 + 65_536

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(services: Services, lifespan: Lifespan) -> FastAPI:
    """The HTTP side of study notes; `lifespan` opens what `services` stand on."""
    # No documentation pages: theirs load scripts from elsewhere. The description itself is at /openapi.json.
    app = FastAPI(title="Study notes", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.services = services
    errors.install(app)
    for router in (source_routes.router, source_events.router, note_routes.router, health.router):
        app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES, uploads_apart=True)
    app.add_middleware(RequestIds)
    return app
