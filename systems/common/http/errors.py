"""Errors as answers: `{"error": {"code", "message", "details": [{"field", "message"}], "request_id"}}`."""

import logging
from collections.abc import Mapping, Sequence
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import InterfaceError, OperationalError
from starlette.exceptions import HTTPException

from penstock import StoreUnavailable
from systems.common.http.request_ids import HEADER

logger = logging.getLogger(__name__)

VALIDATION = "VALIDATION_ERROR"
CODES: Mapping[int, str] = {
    400: VALIDATION,
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "TOO_LARGE",
}


class Unauthorized(Exception):
    """The request names no user."""


class NothingMore(Exception):
    """There is nothing to say and never will be: 204, by which a browser's event source stops to reconnect."""


def install(app: FastAPI) -> None:
    """Let `app` answer in the one shape whatever any system can meet; a system adds handlers for its own errors."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(Unauthorized, _unauthorized)
    app.add_exception_handler(NothingMore, _nothing_more)
    app.add_exception_handler(StoreUnavailable, _unavailable)
    app.add_exception_handler(OperationalError, _unavailable)
    app.add_exception_handler(InterfaceError, _unavailable)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def answer(
    request: Request,
    status: int,
    code: str,
    message: str,
    details: Sequence[tuple[str, str]] = (),
    more: Mapping[str, object] | None = None,
) -> JSONResponse:
    """One error; `details` are (field, message) pairs, `more` further members of the error."""
    error = {
        "code": code,
        "message": message,
        "details": [{"field": field, "message": text} for field, text in details],
        "request_id": getattr(request.state, "request_id", None),
        **(more or {}),
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


async def _unauthorized(request: Request, error: Exception) -> JSONResponse:
    return answer(request, 401, CODES[401], str(error), [("X-User-Id", str(error))])


async def _nothing_more(request: Request, error: Exception) -> Response:
    return Response(status_code=204)


async def _unavailable(request: Request, error: Exception) -> JSONResponse:
    logger.warning("the database cannot be reached", extra={"error": str(error)})
    return answer(request, 503, "UNAVAILABLE", "the database cannot be reached just now; try again")


async def _http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    code = CODES.get(error.status_code, "HTTP_ERROR")
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
