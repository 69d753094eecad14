"""The client of the configured registry: a part of the composition, for commands that need nothing else."""

from receiver import __version__
from receiver.config import Settings
from receiver.oci.manifest import DocumentLimits
from receiver.registry.auth import Credentials, CredentialSource, IdentityToken
from receiver.registry.client import RegistryClient
from receiver.registry.docker_config import DockerConfig
from receiver.registry.location import Location
from receiver.registry.proxy import Proxy
from receiver.registry.transport import Asked, TlsFiles


def registry_client(
    settings: Settings, *, asked: Asked | None = None, credentials: CredentialSource | None = None
) -> RegistryClient:
    """The client of the configured registry; it opens nothing yet. ``asked`` is told of every request."""
    return RegistryClient(
        settings.registry,
        credentials=credentials or credential_source(settings),
        token_services=settings.token_services,
        tls=registry_tls(settings),
        proxy=registry_proxy(settings),
        request_rate=settings.request_rate,
        asked=asked,
        user_agent=f"addon-sync/{__version__}",
        named=settings.registry_named,
        max_document_size=document_limits(settings).max_size,
    )


def registry_tls(settings: Settings) -> TlsFiles:
    """The files for TLS to the registry."""
    return TlsFiles(ca_file=settings.ca_file, client_cert=settings.client_cert, client_key=settings.client_key)


def registry_proxy(settings: Settings) -> Proxy | None:
    """The proxy to the registry."""
    return None if settings.proxy is None else Proxy(origin=settings.proxy, exemptions=settings.no_proxy)


def credential_source(settings: Settings) -> CredentialSource:
    """The settings; without a user name there, Docker's configuration."""
    docker = None
    if settings.docker_config is not None:
        docker = DockerConfig(settings.docker_config, Location.of(settings.registry).origin)

    def credentials() -> Credentials | IdentityToken | None:
        if settings.registry_username is None:
            return None if docker is None else docker()
        password = settings.registry_password.word()
        return None if password is None else Credentials(username=settings.registry_username, password=password)

    return credentials


def document_limits(settings: Settings) -> DocumentLimits:
    """What a manifest or index may ask for."""
    return DocumentLimits(
        max_size=settings.max_document_size,
        max_layers=settings.max_layers,
        max_index_entries=settings.max_index_entries,
    )
