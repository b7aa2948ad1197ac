"""Errors that a person or a program can act on (RFC 9457 problem+json).

Every refusal of the product is a :class:`Problem` with a stable ``code``. Subclasses register
themselves, so that the table of codes in the documentation is the code itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

PROBLEMS: dict[str, type[Problem]] = {}


class Problem(Exception):
    """A refusal: ``code`` for programs, ``title`` and ``detail`` for people, ``status`` for HTTP.

    ``errors`` is a list of ``{"field", "message"}``; ``extra`` are further members of the answer;
    ``retry_after`` (seconds) becomes the ``Retry-After`` header.
    """

    code: ClassVar[str] = "internal_error"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "出错了，请稍后再试"

    def __init__(
        self,
        detail: str = "",
        *,
        errors: Sequence[Mapping[str, str]] = (),
        extra: Mapping[str, Any] | None = None,
        retry_after: int | None = None,
    ) -> None:
        super().__init__(detail or self.title)
        self.detail = detail or self.title
        self.errors = [dict(e) for e in errors]
        self.extra = dict(extra or {})
        self.retry_after = retry_after

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" in cls.__dict__:
            other = PROBLEMS.setdefault(cls.code, cls)
            if other is not cls:
                raise TypeError(f"problem code {cls.code!r} is taken by {other.__qualname__}")

    def to_dict(self) -> dict[str, Any]:
        """The problem+json members."""
        body: dict[str, Any] = {
            "type": f"/api/docs#{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.errors:
            body["errors"] = self.errors
        return body | self.extra


class NotFound(Problem):
    """Also for what exists but belongs to somebody else: its existence is not told."""

    code = "not_found"
    status = 404
    title = "没有找到"


class InvalidInput(Problem):
    code = "invalid_input"
    status = 422
    title = "输入有误"


class MalformedBody(Problem):
    code = "malformed_json"
    status = 400
    title = "请求内容不是有效的 JSON"


class BodyTooLarge(Problem):
    code = "body_too_large"
    status = 413
    title = "请求内容太大"


class UnsupportedMedia(Problem):
    code = "unsupported_media_type"
    status = 415
    title = "请求内容类型不受支持"


class MethodNotAllowed(Problem):
    code = "method_not_allowed"
    status = 405
    title = "这个地址不支持该方法"


class NotSignedIn(Problem):
    code = "not_signed_in"
    status = 401
    title = "请先登录"


class Forbidden(Problem):
    code = "forbidden"
    status = 403
    title = "没有权限"


class Conflict(Problem):
    code = "conflict"
    status = 409
    title = "状态已变化，请刷新后再试"


class ServiceUnavailable(Problem):
    code = "service_unavailable"
    status = 503
    title = "服务暂时不可用，请稍后再试"
