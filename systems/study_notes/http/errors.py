"""Errors as answers: `{"error": {"code", "message", "details": [{"field", "message"}], "request_id"}}`."""

import logging
from collections.abc import Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from penstock import StoreUnavailable
from systems.study_notes.domain.errors import Conflict, InvalidInput, NotFound, TooLarge
from systems.study_notes.http.request_ids import HEADER

logger = logging.getLogger(__name__)

VALIDATION = "VALIDATION_ERROR"
_CODES = {401: "UNAUTHORIZED", 404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED", 413: "TOO_LARGE"}


class Unauthorized(Exception):
    """The request names no user."""


class NothingMore(Exception):
    """There is nothing to say and never will be: 204, by which a browser's event source stops to reconnect."""


def install(app: FastAPI) -> None:
    """Let `app` answer every error in the one shape."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(InvalidInput, _invalid_input)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(NothingMore, _nothing_more)
    app.add_exception_handler(NotFound, _not_found)
    app.add_exception_handler(Conflict, _conflict)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def answer(
    request: Request, status: int, code: str, message: str, details: Sequence[tuple[str, str]] = ()
) -> JSONResponse:
    """One error; `details` are (field, message) pairs."""
    error = {
        "code": code,
        "message": message,
        "details": [{"field": field, "message": text} for field, text in details],
        "request_id": getattr(request.state, "request_id", None),
    }
    return JSONResponse({"error": error}, status)


async def _invalid_request(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # The first part of a place says where (body, query, path, header): the field's own name is what the client sent.
    # Broken JSON has a place in the text instead of a field.
    details = [
        (".".join(str(part) for part in one["loc"][1:] if one["type"] != "json_invalid") or "body", one["msg"])
        for one in error.errors()
    ]
    return answer(request, 400, VALIDATION, "; ".join(f"{field}: {text}" for field, text in details), details)


async def _invalid_input(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, InvalidInput):
        raise error
    status, code = (413, _CODES[413]) if isinstance(error, TooLarge) else (400, VALIDATION)
    return answer(request, status, code, str(error), [(error.field, error.message)])


async def _unauthorized(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 401, _CODES[401], str(error), [("X-User-Id", str(error))])


async def _nothing_more(request: Request, error: Exception) -> Response:
    return Response(status_code=204)


async def _not_found(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 404, _CODES[404], str(error))


async def _conflict(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 409, "CONFLICT", str(error))


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    logger.warning("the database cannot be reached", extra={"error": str(error)})
    return answer(request, 503, "UNAVAILABLE", "the database cannot be reached just now; try again")


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = VALIDATION if error.status_code == 400 else _CODES.get(error.status_code, "HTTP_ERROR")
    response = answer(request, error.status_code, code, str(error.detail or HTTPStatus(error.status_code).phrase))
    response.headers.update(error.headers or {})
    return response


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    # This runs outside our own middleware; the traceback is logged by the server, without the id.
    request_id = getattr(request.state, "request_id", "")
    fields = {"request_id": request_id, "path": request.url.path, "error": type(error).__name__}
    logger.error("a request failed", extra=fields)
    response = answer(request, 500, "INTERNAL_ERROR", "something went wrong here; the request id names it in our logs")
    response.headers[HEADER] = request_id
    return response
