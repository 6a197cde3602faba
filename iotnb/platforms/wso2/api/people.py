"""Users and roles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iotnb.platforms.wso2.api.chapter import Chapter, Document, Documents, segment
from iotnb.secret import Sealed, Secret

Names = list[str]


class Users(Chapter):
    """`/users`; the server's user store gives at most 100 users in all."""

    def list(self, **filters: Any) -> Documents:
        """Users: username, firstname, lastname, emailAddress; `filter` is a prefix of the name."""
        return self._list("/users", ("users",), **filters)

    def count(self) -> int:
        """How many users there are."""
        return int(self._object("GET", "/users/count").get("count") or 0)

    def search(self, filter: str = "") -> Documents:  # the platform's word
        """User names that begin with a text."""
        return self._array("GET", "/users/search/usernames", params={"filter": filter or None})

    def get(self, username: str) -> Document:
        """One user."""
        return self._object("GET", self._at(username))

    def exists(self, username: str) -> bool:
        """Whether there is a user of this name."""
        return bool(self._call("GET", "/users/checkUser", params={"username": username}))

    def roles(self, username: str) -> Names:
        """The roles of a user."""
        return [str(each) for each in self._object("GET", f"{self._at(username)}/roles").get("roles") or []]

    def create(self, document: Mapping[str, Any]) -> Document:
        """Creates a user: username, firstname, lastname, emailAddress, roles. Conflict if there is one."""
        return self._object("POST", "/users", json=dict(document))

    def update(self, username: str, document: Mapping[str, Any]) -> Any:
        """Changes a user."""
        return self._call("PUT", self._at(username), json=dict(document))

    def delete(self, username: str) -> Any:
        """Deletes a user."""
        return self._call("DELETE", self._at(username))

    def invite(self, usernames: Sequence[str]) -> Any:
        """Sends users the invitation to enrol a device."""
        return self._call("POST", "/users/send-invitation", json=list(usernames))

    def change_password(self, old: Secret | str, new: Secret | str) -> Any:
        """Changes the password of the user who is logged in; this login goes on with its tokens."""
        body = Sealed(oldPassword=Secret(old).reveal(), newPassword=Secret(new).reveal())
        return self._call("PUT", "/users/credentials", json=body)

    def set_password(self, username: str, new: Secret | str) -> Any:
        """Sets the password of a user, for administrators."""
        body = Sealed(newPassword=Secret(new).reveal())
        return self._call("POST", f"/admin{self._at(username)}/credentials", json=body)

    def _at(self, username: str) -> str:
        return f"/users/{segment(username, what='a user name')}"


class Roles(Chapter):
    """`/roles`; a user holds permissions through roles, and scopes hang on permissions."""

    def list(self, **filters: Any) -> list[str]:
        """The names of all roles."""
        return [str(each) for each in self._list("/roles", ("roles",), **filters)]

    def filtered(self, prefix: str) -> Names:
        """The names of the roles that begin with a text."""
        path = f"/roles/filter/{segment(prefix, what='the beginning of a role')}"
        return [str(each) for each in self._list(path, ("roles",))]

    def combine(self, name: str, roles: Sequence[str]) -> Any:
        """Creates a role with the permissions of several others."""
        path = f"/roles/create-combined-role/{segment(name, what='a role')}"
        return self._call("POST", path, json=list(roles))

    def get(self, name: str) -> Document:
        """One role."""
        return self._object("GET", self._at(name))

    def permissions(self, name: str) -> Any:
        """The permissions of a role, as a tree."""
        return self._call("GET", f"{self._at(name)}/permissions")

    def create(self, name: str, *, users: Sequence[str] = (), permissions: Sequence[str] = ()) -> Any:
        """Creates a role with users and permissions."""
        body = {"roleName": name, "users": list(users), "permissions": list(permissions)}
        return self._call("POST", "/roles", json={key: value for key, value in body.items() if value})

    def update(self, name: str, document: Mapping[str, Any]) -> Any:
        """Changes a role."""
        return self._call("PUT", self._at(name), json=dict(document))

    def delete(self, name: str) -> Any:
        """Deletes a role."""
        return self._call("DELETE", self._at(name))

    def add_users(self, name: str, users: Sequence[str]) -> Any:
        """Gives the role to users."""
        return self._call("PUT", f"{self._at(name)}/users", json=list(users))

    def _at(self, name: str) -> str:
        return f"/roles/{segment(name, what='a role')}"
