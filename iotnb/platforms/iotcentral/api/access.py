"""Who may do what: API tokens, roles, users, organizations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iotnb.platforms.iotcentral.api.chapter import Collection, Document


class ApiTokens(Collection):
    """`/api/apiTokens`: the token itself is in the answer to `create` only, and never again."""

    path = "/apiTokens"

    def create(self, id: str, document: Mapping[str, Any]) -> Document:
        """Creates a token with `{"roles": [{"role": ...}]}`; `token` of the answer is a secret."""
        return super().create(id, document)

    def update(self, id: str, changes: Mapping[str, Any], *, etag: str = "") -> Document:
        """Not in the platform's document: raises what the server answers. Delete and create instead."""
        return super().update(id, changes, etag=etag)


class Roles(Collection):
    """`/api/roles`: read only; the built-in ones have fixed identifiers."""

    path = "/roles"


class Users(Collection):
    """`/api/users`: people (`type` email), service principals, groups of the directory."""

    path = "/users"


class Organizations(Collection):
    """`/api/organizations`: a tree of `id`, `displayName`, `parent`."""

    path = "/organizations"
