"""The errors of study notes as answers."""

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from systems.common.http.errors import CODES, VALIDATION, answer
from systems.common.http.errors import install as install_common
from systems.study_notes.domain.errors import Conflict, InvalidInput, NotFound, TooLarge


def install(app: FastAPI) -> None:
    """Let `app` answer every error in the one shape."""
    install_common(app)
    app.add_exception_handler(InvalidInput, _invalid_input)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Conflict, _conflict)


async def _invalid_input(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, InvalidInput):
        raise error
    status, code = (413, CODES[413]) if isinstance(error, TooLarge) else (400, VALIDATION)
    return answer(request, status, code, str(error), [(error.field, error.message)])


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 404, CODES[404], str(error))


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 409, CODES[409], str(error))
