"""JSON in and out: bodies are small and typed, answers are never kept by anybody in between."""

from __future__ import annotations

import re
from typing import Annotated, Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from chat.errors import BadRequest, NotFound, TooLarge

T = TypeVar("T")

BODY_LIMIT = 16 * 1024  # bytes; a few bodies may have more

# U+0000 is refused in every string, as one of the engines can't store it.
Line = Annotated[str, msgspec.Meta(min_length=1, max_length=1024, pattern=r"^[^\x00]*$")]
# What somebody or something is called: one line with something to see in it.
Name = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[^\x00-\x1f\x7f]*[^\s\x00-\x1f\x7f][^\x00-\x1f\x7f]*\Z")]
Address = Annotated[str, msgspec.Meta(max_length=254, pattern=r"^[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+\Z")]
Picture = Annotated[str, msgspec.Meta(max_length=1024, pattern=r"^https://[^\s\x00-\x1f\x7f]+\Z")]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
Limit = Annotated[int, msgspec.Meta(ge=1, le=200)]

_encode = msgspec.json.Encoder().encode
_PLACE = re.compile(r"^(.*?) - at `\$\.?(?:key in )?(.*?)`$", re.DOTALL)
_MISSING = re.compile(r"missing required field `(.*)`")


def answer(value: object, status: int = 200) -> Response:
    """A JSON answer."""
    return Response(_encode(value), status, {"cache-control": "no-store"}, "application/json")


async def read(request: Request, shape: type[T], limit: int = BODY_LIMIT) -> T:
    """The body as this type. BadRequest names the field at fault; TooLarge beyond so many bytes, read or announced."""
    try:
        return msgspec.json.decode(await read_bytes(request, "application/json", limit), type=shape)
    except msgspec.ValidationError as error:
        raise explain(error) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest("The body isn't JSON that can be read.") from error


async def read_bytes(request: Request, media: str, limit: int) -> bytes:
    """The body as it is: BadRequest for another media type, TooLarge beyond so many bytes, read or announced."""
    # A form on somebody else's page can't send these types, so it also keeps forgeries out.
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media:
        raise BadRequest(f"The body must be {media}.")
    length: Any = request.headers.get("content-length", "0")
    if length.isdecimal() and int(length) > limit:
        raise TooLarge
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise TooLarge
    return bytes(body)


def read_query(request: Request, shape: type[T]) -> T:
    """The query string as this type, or BadRequest."""
    try:
        return msgspec.convert(dict(request.query_params), shape, strict=False)
    except msgspec.ValidationError as error:
        raise explain(error) from error


def named(request: Request, kind: str, name: str = "id") -> str:
    """The id in the path. What can't be an id is answered like an id that isn't there: NotFound."""
    found: str = request.path_params[name]
    if len(found) > 64 or not found.isascii() or not found.isprintable():
        raise NotFound(field=kind)
    return found


def given(body: msgspec.Struct) -> dict[str, Any]:
    """The fields that a change names; the others stay as they are."""
    values = {name: getattr(body, name) for name in body.__struct_fields__}
    return {name: value for name, value in values.items() if value is not msgspec.UNSET}


def explain(error: msgspec.ValidationError) -> BadRequest:
    """What was wrong, and where: msgspec says ``Expected `str`, got `int` - at `$.email` ``."""
    text = str(error)
    placed = _PLACE.match(text)
    says, field = (placed[1], placed[2]) if placed else (text, "")
    missing = _MISSING.search(says)
    if missing:
        field = f"{field}.{missing[1]}".strip(".")
    return BadRequest(f"{says}.", field=field or None)
