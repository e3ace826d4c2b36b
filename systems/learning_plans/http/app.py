"""The application: routes, middleware and error answers put together."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from systems.common.http.body_limit import BodyLimit
from systems.common.http.request_ids import RequestIds
from systems.learning_plans.http import errors, job_routes, operations, plan_routes
from systems.learning_plans.http.services import Services

# Notes are the longest field; JSON may write a character as \uXXXX twice.
MAX_BODY_BYTES = 65_536

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(services: Services, lifespan: Lifespan) -> FastAPI:
    """The HTTP side of learning plans; `lifespan` opens what `services` stand on."""
    # No documentation pages: theirs load scripts from elsewhere. The description itself is at /openapi.json.
    app = FastAPI(title="Learning plans", version="1", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.state.services = services
    errors.install(app)
    for router in (plan_routes.router, job_routes.router, operations.router, operations.operators):
        app.include_router(router)
    app.add_middleware(BodyLimit, max_bytes=MAX_BODY_BYTES)
    app.add_middleware(RequestIds)
    return app
