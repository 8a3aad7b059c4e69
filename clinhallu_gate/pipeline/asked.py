"""Who is asked: the examined model and the judge, each hosted here or behind addresses that already serve it."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from clinhallu_gate.config.flags import serve_args_with
from clinhallu_gate.config.registry import ModelEntry, registry_names, resolve_model
from clinhallu_gate.datasets.load import NAMES
from clinhallu_gate.egress import demand_allowed, is_allowed
from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting.endpoint import JUDGE_API_KEY, Access, check_endpoint, root_url
from clinhallu_gate.hosting.identity import ModelIdentity, endpoint_identity, hosted_identity
from clinhallu_gate.pipeline.options import RunOptions

ORACLE: Final = "oracle"
_REVISION: Final = {"--endpoint": "--model-revision", "--judge-endpoint": "--judge-revision"}
"""Which option says what an endpoint serves."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A model that is asked."""

    entry: ModelEntry
    identity: ModelIdentity
    endpoints: tuple[str, ...]
    """Base URLs of running servers; empty if the model is to be hosted."""
    api_key: str | None = field(default=None, repr=False)
    api: bool = False
    """Whether the address is a provider's, as the registry has it."""

    offline: bool = False
    """Whether what is hosted here may ask no hub, as it is shown data of patients."""
    asks: bool = True
    """Whether it is asked at all: of a model whose results were made elsewhere, nothing is."""

    @property
    def hosted(self) -> bool:
        """Whether it is hosted here."""
        return self.asks and not self.endpoints

    @property
    def digest(self) -> str | None:
        """Digest of what decides its replies; None where an endpoint does not say what it serves."""
        return self.identity.digest if self.identity.lasting else None


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the command line says about one model."""

    name: str | None
    endpoints: tuple[str, ...]
    revision: str | None
    access: Access
    options: RunOptions
    look_only: bool
    patients: bool
    """Whether what it would be shown is of patients: nobody elsewhere is asked anything then."""
    besides: tuple[str, ...] = ()
    """Names that are no models and are valid all the same."""


def known_entry(options: RunOptions) -> ModelEntry | None:
    """Return the examined model's entry without asking anybody; None if only its server knows what it is.

    Raises:
        BadInput: No such model; or only a server elsewhere could say, and the data may be of patients.
    """
    if options.model is not None:
        return _endpoint_entry(_wish(options), options.model) if options.endpoints else _registered(_wish(options))
    asked = () if is_public(options) else map(root_url, options.endpoints)
    if not all(is_allowed(url, options.allow_hosts) for url in asked):
        raise BadInput(
            "--model: needed beside an --endpoint that is not this machine, as nobody else is asked anything before it "
            "is known whether the data are of patients. Name the model, or allow its host with --allow-host."
        )
    return None


def is_public(options: RunOptions) -> bool:
    """Whether the data are those that everybody has: it need not be looked for patients in them."""
    return bool(options.data) and all(spec in NAMES for spec in options.data)


def _wish(options: RunOptions, *, look_only: bool = True, patients: bool = False) -> "_Wish":
    access = Access(key=options.api_key)
    return _Wish(options.model, options.endpoints, options.model_revision, access, options, look_only, patients)


def asked_model(options: RunOptions, *, look_only: bool, patients: bool) -> Asked:
    """Return the examined model. Raises ``BadInput``: one line on what cannot be used.

    Args:
        options: The options of the run.
        look_only: To collect tests and run none: no server and no hub is asked.
        patients: Whether the data are of patients: no hub is asked, and no server but here and where it is allowed.
    """
    wish = _wish(options, look_only=look_only, patients=patients)
    if wish.name is None and look_only and wish.endpoints:
        raise BadInput("--model: needed beside --endpoint to collect only, as no server is asked then.")
    if wish.name is None and (look_only or not wish.endpoints):
        raise BadInput("--model: none given. Name a model of the registry, a hub id or a folder, or use --endpoint.")
    return _asked(wish)


def asked_judge(options: RunOptions, default: str | None, *, look_only: bool, patients: bool) -> Asked | None:
    """Return the judge model; None for the oracle, which is asked nothing. Raises ``BadInput``.

    Args:
        options: The options of the run.
        default: The judge that the model's entry names.
        look_only: To collect tests and run none: no server and no hub is asked.
        patients: Whether the data are of patients: no hub is asked, and no server but here and where it is allowed.
    """
    name = options.judge or (None if options.judge_endpoints else default)
    if name == ORACLE:
        if options.judge_endpoints or options.judge_revision:
            raise BadInput("--judge: the oracle is no model; it has no --judge-endpoint and no --judge-revision.")
        return None
    if name is None and (look_only or not options.judge_endpoints):
        known = ", ".join((ORACLE, *registry_names()))
        raise BadInput(f"--judge: none given, and the model's entry names none. Valid: {known}, a hub id or a folder.")
    with _speaking_of_the_judge():
        return _asked(
            _Wish(
                name,
                options.judge_endpoints,
                options.judge_revision,
                Access("--judge-endpoint", JUDGE_API_KEY, options.judge_api_key),
                options,
                look_only,
                patients,
                besides=(ORACLE,),
            )
        )


@contextmanager
def _speaking_of_the_judge() -> Iterator[None]:
    """Let errors about a model name the judge's option."""
    try:
        yield
    except BadInput as error:
        said = str(error)
        raise BadInput(f"--judge{said.removeprefix('--model')}" if said.startswith("--model:") else said) from None


def _asked(wish: _Wish) -> Asked:
    entry = _registered(wish) if wish.name is not None and not wish.endpoints else None
    if entry is not None and not entry.api_only:
        return _hosted(entry, wish)
    endpoints = wish.endpoints or ((entry.endpoint,) if entry is not None and entry.endpoint else ())
    if not endpoints:
        raise BadInput(
            f"--model: {wish.name} is served by an API only, and its entry names no address: use --endpoint."
        )
    if wish.patients:
        _demand_allowed(endpoints, wish, api=entry is not None)
    if wish.look_only and wish.name is not None:
        return Asked(_endpoint_entry(wish, wish.name), endpoint_identity(wish.name, None), endpoints)
    if entry is not None:  # an API is not asked for its list of models: not every one has it, or names them all
        return Asked(entry, endpoint_identity(entry.source, wish.revision), endpoints, _key_of(entry), api=True)
    served = {_served(wish, url) for url in endpoints}
    if len(served) > 1:
        raise BadInput(f"{wish.access.option}: the endpoints serve different models: {', '.join(sorted(served))}.")
    name = served.pop()
    return Asked(_endpoint_entry(wish, name), endpoint_identity(name, wish.revision), endpoints, wish.access.key)


def _demand_allowed(endpoints: Iterable[str], wish: _Wish, *, api: bool) -> None:
    """Raise ``BadInput`` if data of patients may not be sent to one of the addresses."""
    for url in endpoints:
        address = url if api else root_url(url, wish.access)
        demand_allowed(address, wish.options.allow_hosts, option="--model" if api else wish.access.option)


def _hosted(entry: ModelEntry, wish: _Wish) -> Asked:
    if wish.revision is not None:
        option = wish.access.option
        raise BadInput(f"{_REVISION[option]}: says what an {option} serves; a hosted model's is in its registry entry.")
    entry = serve_args_with(entry, wish.options.serve_flags)
    if wish.look_only and entry.folder is None:
        return Asked(entry, endpoint_identity(entry.source, None), ())
    return Asked(entry, hosted_identity(entry, offline=wish.patients), (), offline=wish.patients)


def _key_of(entry: ModelEntry) -> str | None:
    """Return the key of an API from the environment. Raises ``BadInput`` if it is wanted and not there."""
    if entry.api_key_env is None:
        return None
    key = os.environ.get(entry.api_key_env)
    if not key:
        raise BadInput(f"--model: {entry.name} needs a key: set the environment variable {entry.api_key_env}.")
    return key


def entry_of(name: str, root: Path) -> ModelEntry:
    """Return the registry's entry of a model, or one that holds no more than its name."""
    extra = root / "models.yaml"
    try:
        return resolve_model(name, extra=extra if extra.is_file() else None)
    except BadInput:
        return ModelEntry(name=name, source=name)


def _registered(wish: _Wish, name: str | None = None) -> ModelEntry:
    extra = wish.options.root / "models.yaml"
    return resolve_model(name or wish.name or "", extra=extra if extra.is_file() else None, besides=wish.besides)


def _endpoint_entry(wish: _Wish, served: str) -> ModelEntry:
    """Return the registry's entry where there is one, for its defaults; an endpoint may serve any name."""
    try:
        return _registered(wish, wish.name or served)
    except BadInput:
        return ModelEntry(name=wish.name or served, source=served)


def _served(wish: _Wish, url: str) -> str:
    """Return the name under which ``url`` serves the model: the model's own, or its source's (a hub id)."""
    if wish.name is None:
        return check_endpoint(url, access=wish.access)
    entry = _endpoint_entry(wish, wish.name)
    try:
        return check_endpoint(url, entry.source, access=wish.access)
    except BadInput:
        return check_endpoint(url, wish.name, access=wish.access)
