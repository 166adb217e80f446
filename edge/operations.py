"""
The HTTP API as a table: each row is a route and, from the same words, its place in the OpenAPI document. So the two
cannot tell different stories.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeVar

import msgspec
from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.problems import MEDIA_TYPE, Problem
from edge.shapes import ProblemDetails

__all__ = ["Access", "Operation", "Parameter", "body_of", "integer", "openapi", "routes"]

Access = Literal["public", "conversation", "operator"]
M = TypeVar("M", bound=BaseModel)

_PROBLEMS: Final = {
    400: "The request cannot be read.",
    401: "A token is missing, forged or expired.",
    403: "The token does not open this.",
    404: "There is no such thing.",
    409: "It is not possible in the present state.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "A field or parameter has a value that is not possible.",
    429: "Too many requests; see Retry-After.",
    503: "The store or the log cannot be reached now; see Retry-After.",
}
_SECURITY: Final[dict[Access, list[dict[str, list[str]]]]] = {
    "public": [],
    "conversation": [{"conversation": []}],
    "operator": [{"operator": []}],
}
_PATH_PARAMETERS: Final = {
    "bot": {"type": "string", "description": "name of the bot"},
    "conversation": {"type": "string", "format": "uuid"},
    "letter": {"type": "string", "format": "uuid"},
}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter, or with ``where='header'`` a header."""

    name: str
    description: str
    schema: dict[str, Any]
    where: Literal["query", "header"] = "query"


@dataclass(frozen=True, slots=True)
class Operation:
    """
    One thing that a client can ask for.

    Args:
        path: below the prefix, with ``{names}``.
        result: the answer's model; None for an answer without a body, or of another *media_type*.
    """

    method: Literal["GET", "POST", "DELETE"]
    path: str
    name: str
    summary: str
    handler: Callable[[Request], Awaitable[Response]]
    access: Access = "public"
    status: int = 200
    body: type[BaseModel] | None = None
    result: type[msgspec.Struct] | None = None
    media_type: str = "application/json"
    parameters: Sequence[Parameter] = ()
    problems: Sequence[int] = ()


def routes(prefix: str, operations: Sequence[Operation]) -> list[Route]:
    """One route a path, which knows all its methods, so that a wrong one is told the right ones."""
    paths: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = operation
    return [Route(prefix + path, _endpoint(methods), methods=list(methods)) for path, methods in paths.items()]


def _endpoint(methods: dict[str, Operation]) -> Callable[[Request], Awaitable[Response]]:
    async def endpoint(request: Request) -> Response:
        return await methods["GET" if request.method == "HEAD" else request.method].handler(request)

    return endpoint


async def body_of(request: Request, model: type[M], max_bytes: int) -> M:
    """The request's body as *model*; no body at all counts as ``{}``. Raises ``Problem``."""
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > max_bytes:
            raise Problem(413, "too_large", f"A body has at most {max_bytes} bytes.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if data and media_type != "application/json" and not media_type.endswith("+json"):
        raise Problem(415, "unsupported_media_type", "The body has to be JSON, with Content-Type: application/json.")
    try:
        return model.model_validate_json(bytes(data) or b"{}")
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        if any(issue["type"] == "json_invalid" for issue in found):
            raise Problem(400, "bad_json", "The body is not JSON.") from None
        errors = [
            {"pointer": "".join(f"/{part}" for part in issue["loc"]), "detail": issue["msg"]} for issue in found[:20]
        ]
        raise Problem(422, "bad_value", "Some fields have values that are not possible.", errors=errors) from None


def integer(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A query parameter. Raises ``Problem``."""
    text = request.query_params.get(name)
    if text is None:
        return default
    if re.fullmatch(r"[0-9]{1,18}", text) and least <= int(text) <= most:
        return int(text)
    errors = [{"pointer": name, "detail": f"is a number from {least} to {most}"}]
    raise Problem(422, "bad_value", f"The parameter {name!r} is not possible.", errors=errors)


def openapi(prefix: str, operations: Sequence[Operation], version: str) -> bytes:
    """The OpenAPI 3.1 document of *operations*, as JSON."""
    schema_of, components = _schemas(operations)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(prefix + operation.path, {})[operation.method.lower()] = _described(operation, schema_of)
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Botswain",
            "version": version,
            "description": "Talk to bots, read transcripts, look after what was set aside.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "conversation": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of the conversation, from when it was opened. Reading also works with"
                    " the operator's.",
                },
                "operator": {"type": "http", "scheme": "bearer", "description": "The setting `admin_token`."},
            },
        },
    }
    return json.dumps(document, indent=1).encode()


def _schemas(operations: Sequence[Operation]) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of each body and result, and the components that they refer to."""
    bodies = sorted({operation.body for operation in operations if operation.body}, key=lambda body: body.__name__)
    results = {operation.result for operation in operations if operation.result}
    ordered = [*sorted(results, key=lambda result: result.__name__), ProblemDetails]
    of_bodies, definitions = models_json_schema(
        [(body, "validation") for body in bodies], ref_template="#/components/schemas/{model}"
    )
    of_results, components = msgspec.json.schema_components(ordered, ref_template="#/components/schemas/{name}")
    for name, component in components.items():
        if name != ProblemDetails.__name__:
            component["required"] = list(component["properties"])  # those that have a default are written, too
    schema_of: dict[Any, Any] = {body: of_bodies[body, "validation"] for body in bodies}
    schema_of.update(zip(ordered, of_results, strict=True))
    return schema_of, dict(sorted((definitions.get("$defs", {}) | components).items()))


def _described(operation: Operation, schema_of: dict[Any, Any]) -> dict[str, Any]:
    good: dict[str, Any] = {"description": "Done."}
    if operation.result is not None:
        good["content"] = {"application/json": {"schema": schema_of[operation.result]}}
    elif operation.status == 200:
        good["content"] = {operation.media_type: {"schema": {}}}
    statuses = {*operation.problems, 503}
    if operation.access != "public":
        statuses |= {401, 403}
    if operation.body is not None:
        statuses |= {400, 413, 415, 422}
    if operation.parameters:
        statuses.add(422)
    if "{" in operation.path:
        statuses.add(404)
    problem = {MEDIA_TYPE: {"schema": schema_of[ProblemDetails]}}
    described: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": _SECURITY[operation.access],
        "parameters": [
            {
                "name": name,
                "in": "path",
                "required": True,
                "schema": {key: value for key, value in _PATH_PARAMETERS[name].items() if key != "description"},
                "description": _PATH_PARAMETERS[name].get("description", f"id of the {name}"),
            }
            for name in re.findall(r"\{(\w+)\}", operation.path)
        ]
        + [
            {
                "name": parameter.name,
                "in": parameter.where,
                "required": False,
                "description": parameter.description,
                "schema": parameter.schema,
            }
            for parameter in operation.parameters
        ],
        "responses": {
            str(operation.status): good,
            **{str(status): {"description": _PROBLEMS[status], "content": problem} for status in sorted(statuses)},
        },
    }
    if operation.body is not None:
        content = {"application/json": {"schema": schema_of[operation.body]}}
        described["requestBody"] = {"required": False, "content": content}
    return described
