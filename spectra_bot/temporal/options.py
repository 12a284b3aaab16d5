"""Where Temporal is, and how we come in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalOptions:
    """A Temporal server and our place there.

    Args:
        address: `host:port`.
        task_queue: the workers and callers that share it share their runs.
        tls: speak TLS; an API key implies it, and what is given of certificates.
        payloads: a place for payloads above 256 KiB as an fsspec URL, such as `file:///srv/spectra` or
            `s3://bucket/prefix`; all that share runs share it. Without one such payloads are refused.
        server_ca: the certificate that the server's is signed with, where it is not a public one.
        build_id: the version of what our workers run, for Temporal's worker versioning; without it they have none.
        deployment: the name under which Temporal keeps the versions; it has no dot.
    """

    address: str = "localhost:7233"
    namespace: str = "default"
    task_queue: str = "spectra"
    tls: bool = False
    payloads: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    server_ca: bytes | None = field(default=None, repr=False)
    client_cert: bytes | None = field(default=None, repr=False)
    client_key: bytes | None = field(default=None, repr=False)
    build_id: str | None = None
    deployment: str = "spectra-bot"
