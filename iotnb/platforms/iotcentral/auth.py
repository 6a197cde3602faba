"""Logging in to Azure IoT Central: the fields, the ways, and the two audiences of Entra ID."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from iotnb import auth, errors
from iotnb.auth import Auth, Field, Method
from iotnb.errors import ConfigError
from iotnb.platforms.iotcentral import address, tokens
from iotnb.platforms.iotcentral.api.apps import Apps
from iotnb.platforms.iotcentral.api.chapter import PREVIEW, Link, document, segment
from iotnb.platforms.iotcentral.api.query import PATH as QUERY
from iotnb.platforms.iotcentral.api.query import RATE as QUERY_RATE
from iotnb.platforms.iotcentral.entra import Announce, Entra
from iotnb.platforms.iotcentral.tokens import APPLICATION, MANAGEMENT, ApiTokenAuth, Pasted
from iotnb.secret import Secret
from iotnb.session import Session, Settings

RATE = 20.0  # calls a second that an application takes, over all its users
GROUP = "IOTC"  # the tutorial's resource group

FIELDS = (
    Field(
        name="app_url",
        label="Application",
        help="Address of the application, or its subdomain alone.",
        placeholder="https://my-app.azureiotcentral.com",
    ),
    Field(
        name="api_token",
        label="API token",
        help="From Security > Permissions > API tokens; begins with SharedAccessSignature.",
        secret=True,
    ),
    Field(
        name="bearer",
        label="Token for the application",
        help="What `az account get-access-token --resource https://apps.azureiotcentral.com` prints, whole "
        "or the token alone. Lives for about an hour.",
        secret=True,
    ),
    Field(
        name="management_bearer",
        label="Token for management",
        help="The same for `--resource https://management.azure.com`: to create, list and delete "
        "applications. It does not open one.",
        secret=True,
    ),
    Field(
        name="subscription",
        label="Subscription",
        help="Id of the Azure subscription; read from the pasted JSON where it is there.",
        env=("AZURE_SUBSCRIPTION_ID",),
    ),
    Field(name="resource_group", label="Resource group", help="Where applications live.", default=GROUP),
    Field(name="management_url", label="Management address", default=address.MANAGEMENT),
    Field(
        name="directory",
        label="Directory (tenant)",
        help="Id of the Entra directory.",
        env=("AZURE_TENANT_ID",),
    ),
    Field(name="client_id", label="Client ID", help="Of the app registration.", env=("AZURE_CLIENT_ID",)),
    Field(
        name="client_secret",
        label="Client secret",
        help="Without one, a person signs in with a code in the browser.",
        secret=True,
        env=("AZURE_CLIENT_SECRET",),
    ),
    Field(name="login_url", label="Sign-in address", default=address.LOGIN),
    Field(name="dps_url", label="Provisioning address", default=address.PROVISIONING),
    Field(
        name="method",
        label="Method",
        help="auto takes what the given fields allow, an API token before the others.",
        default="auto",
        choices=("auto", "api_token", "bearer", "client_credentials", "device_code", "management"),
    ),
)

_CONTROL = ("management_bearer", "subscription", "resource_group", "management_url", "dps_url")
METHODS = (
    Method(
        name="management",
        label="a token for management alone",
        needs=("management_bearer",),
        uses=_CONTROL,
    ),
    Method(
        name="device_code",
        label="a code in the browser",
        needs=("app_url", "directory", "client_id"),
        uses=("login_url", *_CONTROL),
    ),
    Method(
        name="client_credentials",
        label="a service principal",
        needs=("app_url", "directory", "client_id", "client_secret"),
        uses=("login_url", *_CONTROL),
    ),
    Method(name="bearer", label="a token of Entra ID", needs=("app_url", "bearer"), uses=_CONTROL),
    Method(
        name="api_token", label="an API token", needs=("app_url", "api_token"), uses=("bearer", *_CONTROL)
    ),
)


@dataclass
class Login:
    """A login that the platform has accepted; `link` leads to the application, `control` to management.

    `entra` are credentials that open every application which the person is a user of, if there are any.
    """

    session: Session
    link: Link
    control: Link
    method: str
    user: str
    entra: Auth | None = None
    role: str = ""
    subscription: str = ""
    resource_group: str = GROUP
    dps_url: str = address.PROVISIONING
    settings: Settings = field(default_factory=Settings)
    others: tuple[Session, ...] = ()  # besides `session`: what ends with this login


def say(message: str) -> None:
    """Shows a person what to do to sign in: where the login is followed, or in the console."""
    if (follows := auth.witness()) is not None:
        follows.say(message)
        return
    sys.stdout.write(message + "\n")
    sys.stdout.flush()


def login(
    values: Mapping[str, str | Secret], *, settings: Settings | None = None, announce: Announce = say
) -> Login:
    """Logs in with the fields of `FIELDS` and reads something, as proof.

    Raises MissingFields or ConfigError for what is missing or cannot be right (such as a token for the other
    audience), Unauthorized, Forbidden, ConnectionFailed.
    """
    given = settings or Settings()
    form = {name: value for name, value in values.items() if value}
    method = _method(form)
    if given.rate is None and not address.local(_whole(form)):  # a sandbox is nobody else's
        given = replace(given, rate=RATE)
    return _Entrance(form, given, announce).enter(method.name)


def _method(form: Mapping[str, str | Secret]) -> Method:
    """The way that the values allow; of several the plainest: a token for management adds to the others."""
    if str(form.get("method") or "auto") == "auto":
        for method in reversed(METHODS):
            if all(form.get(name) for name in method.needs):
                return method
    return auth.choose_method("iotcentral", FIELDS, METHODS, form)


def _whole(form: Mapping[str, str | Secret]) -> str:
    """The address that is spoken to most, with a scheme; the checks of its form come later."""
    text = str(form.get("app_url") or form.get("management_url") or "")
    return text if "://" in text else f"//{text}"


class _Entrance(auth.Form):
    """One login on its way: what was given, and the sessions that are opened with it."""

    def __init__(self, form: Mapping[str, str | Secret], settings: Settings, announce: Announce) -> None:
        super().__init__(form)
        self.settings, self.announce = settings, announce
        self.entra: Auth | None = None
        self.verify = settings.verify
        self.subscription = self.text("subscription")
        self.opened: list[Session] = []

    def url(self, name: str, default: str) -> str:
        return address.checked(self.text(name) or default, name=name, verify=self.verify)

    def enter(self, method: str) -> Login:
        dps = self.url("dps_url", address.PROVISIONING)  # wrong addresses are told before anything is sent
        management_url = self.url("management_url", address.MANAGEMENT)
        try:
            application, control, user = self._credentials(method)
            main = self._application(application)
            management = self._open(management_url, control) if control is not None else None
            session = main or management
            if session is None:  # no way of FIELDS leads here
                raise ConfigError("neither an application nor a management token was given")
            made = Login(
                session=session,
                link=Link(main, lacks=_NO_APPLICATION),
                control=Link(management, lacks=_NO_MANAGEMENT),
                method=method,
                user=user,
                entra=self.entra,
                subscription=self.subscription,
                resource_group=self.text("resource_group") or GROUP,
                dps_url=dps,
                settings=self.settings,
                others=tuple(each for each in self.opened if each is not session),
            )
            if main is not None and management is not None:
                management.exchanges = main.exchanges  # one list: what happened in the order it happened
            prove(made)
        except BaseException:
            for each in self.opened:
                each.close()
            raise
        return made

    def _open(self, url: str, credentials: Auth) -> Session:
        session = Session(url, auth=credentials, settings=self.settings)
        self.opened.append(session)
        return session

    def _application(self, credentials: Auth | None) -> Session | None:
        if credentials is None:
            return None
        return _paced(self._open(address.application(self.text("app_url"), verify=self.verify), credentials))

    def _credentials(self, method: str) -> tuple[Auth | None, Auth | None, str]:
        """What opens the application, what opens management, and who one is."""
        control: Auth | None = None
        user = ""
        if self.text("management_bearer"):
            pasted = Pasted(self.secret("management_bearer"), audience=MANAGEMENT)
            self.subscription = self.subscription or pasted.subscription
            control, user = pasted.auth, pasted.user
        if method == "management":
            return None, control, user or "management"
        if method == "api_token":
            token = ApiTokenAuth(self.secret("api_token"))
            if self.text("bearer"):
                self.entra = Pasted(self.secret("bearer"), audience=APPLICATION).auth
            return token, control, token.id
        if method == "bearer":
            found = Pasted(self.secret("bearer"), audience=APPLICATION)
            self.subscription = self.subscription or found.subscription
            self.entra = found.auth
            return found.auth, control, found.user or user or "bearer"
        entra = Entra(
            self.url("login_url", address.LOGIN),
            self.text("directory"),
            self.text("client_id"),
            settings=self.settings,
            announce=self.announce,
        )
        self.opened.append(entra.session)
        if method == "client_credentials":
            entra.secret = self.secret("client_secret")
        application = entra.auth(APPLICATION, method)
        self.entra = application
        user = self.text("client_id")
        if method == "device_code":
            user = tokens.person(application.token.claims) or user
        if control is None and self.subscription and (entra.secret or entra.refresh):
            control = entra.auth(MANAGEMENT, method)
        return application, control, user


def beside(
    login: Login, url: str, *, host: str = "", credentials: Mapping[str, str | Secret] | None = None
) -> Login:
    """The same login for another application at `url`, with an API token or bearer of its own if given.

    `host` is the name under which it is asked for, where one address serves many applications.
    """
    given = dict(credentials or {})
    unknown = given.keys() - {"api_token", "bearer"}
    if unknown or len(given) > 1:
        raise ConfigError("another application is entered with api_token=... or bearer=..., or with neither")
    name = next(iter(given), "")
    found: Auth | None = login.entra
    user = login.user
    if name == "api_token":
        token = ApiTokenAuth(Secret(given[name]))
        found, user = token, token.id
    elif name == "bearer":
        pasted = Pasted(Secret(given[name]), audience=APPLICATION)
        found, user = pasted.auth, pasted.user
    if found is None:
        raise ConfigError(
            "an API token opens one application only: give api_token=... or bearer=... of this one"
        )
    session = _paced(
        Session(url, auth=found, settings=login.settings, headers={"Host": host} if host else {})
    )
    if not name:  # the same person: one list of what was asked
        session.exchanges = login.session.exchanges
    made = replace(
        login,
        session=session,
        link=Link(session, host=host, lacks=_NO_APPLICATION),
        method=name or login.method,
        user=user,
        role="",
        others=(),
    )
    try:
        prove(made)
    except BaseException:
        session.close()
        raise
    return made


def _paced(session: Session) -> Session:
    """The session of an application, which takes fewer queries than other calls; a sandbox takes any."""
    if session.settings.rate is not None:
        session.limit(QUERY, QUERY_RATE)
    return session


_NO_APPLICATION = (
    "this login opens no application, only management: connect with app_url=... and api_token=... "
    "or bearer=..."
)
_NO_MANAGEMENT = (
    "this login does not open management, which creates and deletes applications: connect with "
    "management_bearer=... and subscription=... as well; the token for the application is not good for it"
)


def prove(made: Login) -> None:
    """Reads one device (or the applications), and the role of an API token; explains a refusal."""
    session = made.session
    if not made.link.has:
        if made.subscription:
            _prove_management(made)
        return
    try:
        session.get("/api/devices", params={"api-version": PREVIEW, "maxpagesize": 1})
    except (errors.Unauthorized, errors.Forbidden) as error:
        raise tokens.refused(error, session.auth, audience=APPLICATION) from None
    except errors.NotFound as error:
        raise ConfigError(
            f"no application of IoT Central answers at {session.base_url} ({error.words or error.status}): "
            "check app_url; the application may have been deleted"
        ) from None
    if isinstance(session.auth, ApiTokenAuth):
        made.role = session.auth.role = _role(session, session.auth.id)


def _prove_management(made: Login) -> None:
    """Lists the applications of the subscription."""
    path = f"/subscriptions/{segment(made.subscription)}/providers/Microsoft.IoTCentral/iotApps"
    try:
        made.session.get(path, params={"api-version": Apps.version})
    except (errors.Unauthorized, errors.Forbidden) as error:
        raise tokens.refused(error, made.session.auth, audience=MANAGEMENT) from None


def _role(session: Session, token: str) -> str:
    """The role of an API token in words; "" where the token may not ask for it."""
    version = {"api-version": PREVIEW}
    answer = session.get(f"/api/apiTokens/{segment(token)}", params=version, expect={400, 401, 403, 404, 422})
    if answer.status != 200:
        return ""
    found = [
        str(each.get("role")) for each in document(answer).get("roles") or [] if isinstance(each, Mapping)
    ]
    return ", ".join(tokens.ROLES.get(each, each) for each in found)
