"""The connection to a database server is encrypted, and the server's certificate checked, as the URL asks."""

from __future__ import annotations

import datetime
import ipaddress
import os
import re
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from backy2_core.contracts.meta_backend import SchemaState
from backy2_core.errors import MetaBackendError
from tests.meta_backends.test_servers import open_url
from tests.support.servers import NOBODY, PASSWORD, USER, MariaDB, PostgreSQL, Server, own_mariadb, own_postgresql


def certificate(folder: Path, name: str, host: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for a host, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(host))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.crt", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    paths[1].write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))
    paths[1].chmod(0o600)
    if os.geteuid() == 0:
        os.chown(paths[1], NOBODY, NOBODY)
    return paths


def free_port() -> int:
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        port: int = taken.getsockname()[1]
        return port


class TlsPostgreSQL(PostgreSQL):
    """Listens on loopback, and takes only encrypted connections there."""

    def make(self) -> None:
        super().make()
        self.port = free_port()
        self.socket = f".s.PGSQL.{self.port}"
        certificate(self.folder, "server", "127.0.0.1")
        (self.folder / "data" / "pg_hba.conf").write_text(
            "local all all scram-sha-256\nhostssl all all 127.0.0.1/32 scram-sha-256\n"
        )

    def command(self) -> list[str]:
        files = [f"--ssl_{kind}_file={self.folder}/server.{end}" for kind, end in (("cert", "crt"), ("key", "key"))]
        return [*super().command(), "--ssl=on", *files, "--listen_addresses=127.0.0.1", f"--port={self.port}"]

    def url(self, database: str, user: str = USER, password: str = PASSWORD) -> str:
        return f"{super().url(database, user, password)}&port={self.port}"

    def address(self, **options: str | Path) -> str:
        given = "".join(f"&{key}={value}" for key, value in options.items())
        return f"postgresql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/postgres?options=-csearch_path%3Dd1{given}"


class TlsMariaDB(MariaDB):
    """Listens on loopback, and takes only encrypted connections there."""

    def make(self) -> None:
        self.port = free_port()
        certificate(self.folder, "server", "127.0.0.1")
        super().make()

    def command(self) -> list[str]:
        command = [word for word in super().command() if word != "--skip-networking"]
        files = [f"--ssl-{kind}={self.folder}/server.{end}" for kind, end in (("cert", "crt"), ("key", "key"))]
        listening = ["--bind-address=127.0.0.1", f"--port={self.port}", "--require-secure-transport=ON"]
        return [*command, *files, *listening]

    def address(self, **options: str | Path) -> str:
        given = "&".join(f"{key}={value}" for key, value in options.items())
        return f"mysql://{USER}:{PASSWORD}@127.0.0.1:{self.port}/d1?{given}"


@pytest.fixture(scope="module")
def postgresql() -> Iterator[TlsPostgreSQL]:
    with closing(own_postgresql(TlsPostgreSQL)) as server:
        server.make_database()
        yield server


@pytest.fixture(scope="module")
def mariadb() -> Iterator[TlsMariaDB]:
    with closing(own_mariadb(TlsMariaDB)) as server:
        server.administrate(f"CREATE USER {USER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}'")
        server.administrate(f"GRANT ALL ON *.* TO {USER}@'127.0.0.1'")
        server.make_database()
        yield server


def refusal(url: str) -> str:
    with open_url(url) as meta, pytest.raises(MetaBackendError) as caught:
        meta.schema_state()
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def cipher(url: str, question: str) -> str:
    with open_url(url) as meta:
        meta.initialise()
        assert meta.schema_state() is SchemaState.CURRENT
        with meta._database.read() as connection:
            return str(connection.exec_driver_sql(question).first()[-1])


def test_postgresql_is_spoken_to_under_tls_and_its_certificate_checked(postgresql, tmp_path):
    question = "SELECT cipher FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
    trusted = postgresql.folder / "server.crt"
    assert "AES" in cipher(postgresql.address(sslmode="verify-full", sslrootcert=trusted), question)
    stranger, _ = certificate(tmp_path, "stranger", "127.0.0.1")
    assert "certificate verify failed" in refusal(postgresql.address(sslmode="verify-full", sslrootcert=stranger))
    assert "no encryption" in refusal(postgresql.address(sslmode="disable"))


def test_mariadb_is_spoken_to_under_tls_and_its_certificate_checked(mariadb, tmp_path):
    trusted = mariadb.folder / "server.crt"
    assert "AES" in cipher(mariadb.address(ssl_ca=trusted, ssl_check_hostname="true"), "SHOW STATUS LIKE 'Ssl_cipher'")
    stranger, _ = certificate(tmp_path, "stranger", "127.0.0.1")
    assert "certificate verify failed" in refusal(mariadb.address(ssl_ca=stranger))
    assert "or wants TLS" in refusal(mariadb.address(ssl_disabled="true"))


@pytest.mark.parametrize("kind", ["postgresql", "mariadb"])
def test_a_certificate_for_another_host_is_refused(kind, request):
    server: Server = request.getfixturevalue(kind)
    url = (
        server.address(sslmode="verify-full", sslrootcert=server.folder / "server.crt")
        if kind == "postgresql"
        else server.address(ssl_ca=server.folder / "server.crt", ssl_check_hostname="true")
    )
    assert "localhost" in refusal(url.replace("127.0.0.1", "localhost"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"sslmode": "sure"}, r"check sslmode and sslrootcert .*sslmode"),
        (
            {"sslmode": "verify-full", "sslrootcert": "/not-there.crt"},
            r"check sslmode and sslrootcert .*/not-there\.crt",
        ),
        ({"sslmodus": "require"}, r"sslmodus"),
    ],
)
def test_wrong_options_for_postgresql_are_named(postgresql, options, said):
    assert re.search(said, refusal(postgresql.address(**options)))


def test_what_postgresql_refuses_is_told_apart(postgresql):
    url = postgresql.address(sslmode="require")
    assert "refuses this user or its password" in refusal(url.replace(PASSWORD, f"x{PASSWORD}"))
    assert "does not exist on that server" in refusal(url.replace("/postgres?", "/nowhere?"))
    assert "cannot be connected to; check that the server runs" in refusal(url.replace(str(postgresql.port), "1"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"ssl_ca": "/not-there.crt"}, r"TLS options .*No such file.*check /not-there\.crt"),
        ({"ssl_ca": __file__}, rf"TLS options .*check {re.escape(__file__)}"),
        ({"sslmode": "require"}, r"an option that its driver cannot use: .*sslmode"),
    ],
)
def test_wrong_options_for_mariadb_are_named(mariadb, options, said):
    assert re.search(said, refusal(mariadb.address(**options)))


@pytest.mark.parametrize(
    ("schema", "said"),
    [("d1", "has no schema that this user may use; make it, or grant"), ("public", "does not let this")],
)
def test_who_may_make_no_tables_is_told_so(postgresql, schema, said):
    user = f"reader_of_{schema}"
    postgresql.administrate(f"CREATE USER {user} PASSWORD '{PASSWORD}'")
    url = postgresql.address(sslmode="require").replace(f"//{USER}:", f"//{user}:").replace("3Dd1", f"3D{schema}")
    with open_url(url) as meta, pytest.raises(MetaBackendError, match=said):
        meta.initialise()
