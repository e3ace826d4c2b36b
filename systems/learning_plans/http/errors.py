"""The errors of learning plans as answers."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from systems.common.http.errors import CODES, VALIDATION, answer
from systems.common.http.errors import install as install_common
from systems.learning_plans.domain.errors import (
    Conflict,
    InvalidInput,
    LearningPlansError,
    NotFound,
    PlanTooLong,
    QuotaExceeded,
    RateLimited,
    TooManyPlans,
)


class Forbidden(LearningPlansError):
    """The admin token is missing, wrong, or not set here."""


_ANSWERS: dict[type[LearningPlansError], tuple[int, str]] = {
    NotFound: (404, CODES[404]),
    QuotaExceeded: (429, "QUOTA"),
    PlanTooLong: (403, "PLAN_LENGTH_LIMIT"),
    TooManyPlans: (403, "PLAN_LIMIT"),
    Forbidden: (403, CODES[403]),
}


def install(app: FastAPI) -> None:
    """Let `app` answer every error in the one shape."""
    install_common(app)
    app.add_exception_handler(InvalidInput, _invalid_input)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(RateLimited, _rate_limited)
    app.add_exception_handler(LearningPlansError, _plain)


async def _invalid_input(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, InvalidInput):
        raise error
    return answer(request, 400, VALIDATION, str(error), error.faults)


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    job_id = getattr(error, "job_id", None)
    return answer(request, 409, CODES[409], str(error), more={} if job_id is None else {"job_id": job_id})


async def _rate_limited(request: Request, error: Exception) -> JSONResponse:
    response = answer(request, 429, "RATE_LIMIT", str(error))
    response.headers["Retry-After"] = str(getattr(error, "retry_after_s", 1))
    return response


async def _plain(request: Request, error: Exception) -> JSONResponse:
    for kind, (status, code) in _ANSWERS.items():
        if isinstance(error, kind):
            return answer(request, status, code, str(error))
    raise error
