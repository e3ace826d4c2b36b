"""One real call through pydantic-ai, for every vendor alike: what is asked, what comes back, what went wrong."""

import hashlib
import json
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx2
from pydantic_ai import messages as wire
from pydantic_ai.direct import model_request, model_request_stream
from pydantic_ai.models import Model, ModelRequestParameters, create_async_httpx2_client
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition
from pydantic_ai.usage import RequestUsage

from penstock.ai.answers import NO_USAGE, ModelAnswer, ModelFailure, Usage
from penstock.ai.failures import Trouble, failure_of
from penstock.ai.headers import limits_in
from penstock.ai.output import schema_of
from penstock.ai.port import OnText, OnUsage
from penstock.ai.request import AnyRequest, Attachment
from penstock.ai.vendors.errors import CALL_ERRORS, trouble_of
from penstock.domain.calls import current_scope

KEY_HEADER = "Idempotency-Key"


@dataclass(slots=True)
class Exchange:
    """One call, for the hooks of its client: what goes with it besides its body, and what is known of its answer so
    far."""

    key: str | None
    streams: bool = False
    headers: dict[str, str] = field(default_factory=dict)
    usage: Usage = NO_USAGE


EXCHANGE: ContextVar[Exchange | None] = ContextVar("penstock_exchange", default=None)


def http_client() -> httpx2.AsyncClient:
    """The client of one provider: it sends the idempotency key of the call, and keeps the headers of the answer."""
    client = create_async_httpx2_client()
    hooks = client.event_hooks
    client.event_hooks = {
        "request": [*hooks.get("request", []), _send_key],
        "response": [*hooks.get("response", []), _keep_headers],
    }
    return client


async def _send_key(request: httpx2.Request) -> None:
    exchange = EXCHANGE.get()
    if exchange is not None and exchange.key is not None:
        request.headers[KEY_HEADER] = exchange.key


async def _keep_headers(response: httpx2.Response) -> None:
    exchange = EXCHANGE.get()
    if exchange is not None:
        exchange.headers = dict(response.headers)


class WireProvider:
    """A provider reached through a model of pydantic-ai, whose library must not retry: a call here is one real call."""

    offline = False

    def __init__(self, name: str, model: Model, client: httpx2.AsyncClient, api_key: str | None) -> None:
        self.name = name
        self.model = model.model_name
        self.account = hashlib.sha256(api_key.encode()).hexdigest()[:8] if api_key else ""
        self._model = model
        self._client = client

    async def call(
        self, request: AnyRequest, *, on_text: OnText | None = None, on_usage: OnUsage | None = None
    ) -> ModelAnswer[str] | ModelFailure:
        """See `Provider.call`."""
        exchange = Exchange(_key_of(request), streams=on_text is not None)
        EXCHANGE.set(exchange)
        try:
            if on_text is None:
                response = await model_request(self._model, *self._asked(request), **self._how(request))
            else:
                response = await self._streamed(request, exchange, on_text, on_usage)
        except CALL_ERRORS as error:
            return self._failure(trouble_of(error), exchange)
        exchange.usage = _usage(response.usage)
        return self._answer(response, exchange)

    async def close(self) -> None:
        """Close its connections."""
        await self._client.aclose()

    async def _streamed(
        self, request: AnyRequest, exchange: Exchange, on_text: OnText, on_usage: OnUsage | None
    ) -> wire.ModelResponse:
        async with model_request_stream(self._model, *self._asked(request), **self._how(request)) as stream:
            async for event in stream:
                usage = _usage(stream.usage)
                if usage != exchange.usage:
                    exchange.usage = usage
                    if on_usage is not None:
                        on_usage(usage)
                if piece := _piece(event):
                    on_text(piece)
            return stream.get()

    def _asked(self, request: AnyRequest) -> tuple[list[wire.ModelMessage]]:
        content = [
            wire.BinaryContent(part.data, media_type=part.media_type) if isinstance(part, Attachment) else part
            for part in request.parts
        ]
        prompt = wire.UserPromptPart(content if len(content) > 1 or not isinstance(content[0], str) else content[0])
        return ([wire.ModelRequest([prompt], instructions=request.instructions)],)

    def _how(self, request: AnyRequest) -> dict[str, Any]:
        settings = ModelSettings()
        if request.temperature is not None:
            settings["temperature"] = request.temperature
        if request.max_output_tokens is not None:
            settings["max_tokens"] = request.max_output_tokens
        return {"model_settings": settings, "model_request_parameters": self._parameters(request)}

    def _parameters(self, request: AnyRequest) -> ModelRequestParameters:
        """The output asked for in the best way that the vendor has: a JSON schema, else a tool, else in words."""
        profile = self._model.profile
        if request.output is None:
            if request.json and profile.get("supports_json_object_output", False):
                # JSON, with nothing said about it: the instructions say what it is to look like.
                return ModelRequestParameters(output_mode="prompted", prompted_output_template=False)
            return ModelRequestParameters()
        name, schema = schema_of(request)
        wanted = OutputObjectDefinition(schema, name=name)
        if profile.get("supports_json_schema_output", False):
            return ModelRequestParameters(output_mode="native", output_object=wanted)
        if not profile.get("supports_tools", True):
            return ModelRequestParameters(output_mode="prompted", output_object=wanted)
        tool = ToolDefinition(name=name, parameters_json_schema=schema, description="Give the answer.", kind="output")
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)

    def _answer(self, response: wire.ModelResponse, exchange: Exchange) -> ModelAnswer[str] | ModelFailure:
        text = _text(response)
        if response.finish_reason == "content_filter":
            details = response.provider_details or {}
            why = details.get("refusal") or details.get("block_reason") or details.get("finish_reason")
            message = f"the answer was stopped by the content filter{f': {why}' if why else ''}"
            return self._failure(Trouble(message, names=("content_filter",)), exchange)
        if response.finish_reason == "error":
            return self._failure(Trouble("the answer ended with an error", broken="answer"), exchange)
        return ModelAnswer(
            text=text,
            value=text,
            provider=self.name,
            model=response.model_name or self.model,
            usage=exchange.usage,
            finish_reason=response.finish_reason,
            limits=limits_in(exchange.headers),
        )

    def _failure(self, trouble: Trouble, exchange: Exchange) -> ModelFailure:
        trouble = replace(trouble, headers=trouble.headers or exchange.headers)
        now = datetime.now(UTC)
        return failure_of(trouble, provider=self.name, model=self.model, now=now, usage=exchange.usage)


def _key_of(request: AnyRequest) -> str | None:
    """Names the call for a provider that remembers calls: the same in every attempt of a step that asks the same."""
    scope = current_scope()
    if scope is None:
        return None
    parts = [part.data if isinstance(part, Attachment) else part.encode() for part in request.parts]
    digest = hashlib.sha256(request.instructions.encode())
    for part in parts:
        digest.update(len(part).to_bytes(8))
        digest.update(part)
    return f"{scope.key}:{digest.hexdigest()[:16]}"


def _piece(event: wire.ModelResponseStreamEvent) -> str | None:
    """The text in an event; the arguments of a tool's call are the answer's text too."""
    if isinstance(event, wire.PartStartEvent):
        return _part_text(event.part)
    if isinstance(event, wire.PartDeltaEvent):
        delta = event.delta
        if isinstance(delta, wire.TextPartDelta):
            return delta.content_delta
        if isinstance(delta, wire.ToolCallPartDelta):
            return delta.args_delta if isinstance(delta.args_delta, str) else None
    return None


def _text(response: wire.ModelResponse) -> str:
    for part in response.parts:
        if isinstance(part, wire.ToolCallPart):
            return _part_text(part) or ""
    return response.text or ""


def _part_text(part: wire.ModelResponsePart) -> str | None:
    if isinstance(part, wire.TextPart):
        return part.content
    if isinstance(part, wire.ToolCallPart):
        return part.args if isinstance(part.args, str) or part.args is None else json.dumps(part.args)
    return None


def _usage(usage: RequestUsage) -> Usage:
    if usage.unmeasured_requests or not (usage.input_tokens or usage.output_tokens):
        return NO_USAGE
    return Usage(usage.input_tokens, usage.output_tokens, usage.cache_read_tokens)
