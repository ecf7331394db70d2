import pytest

from connectors.hosts import AllowedHosts

HOSTS = AllowedHosts(
    own=frozenset({"www.xledger.net"}),
    extra=frozenset({"127.0.0.1:9001", "[::1]:9002", "localhost:9003", "erp.example:8443", "10.0.0.7:443"}),
)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.xledger.net/graphql",
        "https://www.xledger.net:443/graphql",
        "https://WWW.XLEDGER.NET/graphql",
        "http://127.0.0.1:9001/v2.0",
        "https://127.0.0.1:9001/v2.0",
        "http://[::1]:9002/",
        "http://localhost:9003/",
        "https://erp.example:8443/x",
        "https://10.0.0.7/x",
    ],
)
def test_what_is_listed_is_allowed(url: str) -> None:
    assert HOSTS.refusal(url) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://www.xledger.net/graphql",
        "https://www.xledger.net:8443/graphql",
        "https://www.xledger.net.evil.example/",
        "https://user:secret@www.xledger.net/",
        "https://www.xledger.net@evil.example/",
        "http://erp.example:8443/",
        "http://10.0.0.7:443/",
        "http://127.0.0.1:9999/",
        "https://169.254.169.254/latest/meta-data",
        "https://erp.example/",
        "ftp://www.xledger.net/",
        "file:///etc/passwd",
        "www.xledger.net",
        "https://",
        "https://www.xledger.net:port/",
        "",
    ],
)
def test_anything_else_is_refused(url: str) -> None:
    refusal = HOSTS.refusal(url)
    assert refusal is not None
    assert "secret" not in refusal
