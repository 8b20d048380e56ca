"""A certificate authority of the tests' own."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme


class Certificates:
    """TLS contexts of a server that is ``name`` (a host name or an address) and of clients that believe it."""

    def __init__(self, name: str) -> None:
        self._authority = trustme.CA()
        self.server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(name).configure_cert(self.server)
        self.client = ssl.create_default_context()
        self._authority.configure_trust(self.client)

    def write(self, path: Path) -> None:
        """What a client must believe, as curl's --cacert takes it."""
        self._authority.cert_pem.write_to_path(path)
