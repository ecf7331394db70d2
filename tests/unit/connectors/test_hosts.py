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
        "https://www.xledger.net%00.evil.example/",
        "https://www.xledger.net\\@evil.example/",
        "https://evil.example/www.xledger.net",
        "https://evil.example#www.xledger.net",
        "https://:@www.xledger.net/",
        "https://user@www.xledger.net/",
        "https://www.xledger.net./graphql",
        "https://www。xledger。net/",
        "https://www.xledger.net\u200b/",
        "https://WWW.XLEDGER.NET.EVIL.EXAMPLE/",
        "https://2130706433/",
        "https://0x7f000001/",
        "https://017700000001/",
        "https://127.1/",
        "https://0/",
        "https://0.0.0.0/",
        "https://[::]/",
        "https://[::ffff:127.0.0.1]:9001/",
        "https://[::ffff:7f00:1]:9001/",
        "https://[0:0:0:0:0:ffff:a9fe:a9fe]/",
        "https://[fe80::1%25eth0]/",
        "https://[fd00:ec2::254]/",
        "http://169.254.169.254/computeMetadata/v1/",
        "http://0xa9fea9fe/",
        "http://2852039166/",
        "http://metadata.google.internal/",
        "https://100.100.100.200/",
        "https://127.0.0.1.nip.io:9001/",
        "https://localtest.me:9003/",
        "https://localhost.:9003/",
        "https://7f000001.c0a80001.rbndr.us/",
        "gopher://127.0.0.1:9001/",
        "//www.xledger.net/graphql",
        "https:///www.xledger.net/",
        "https:www.xledger.net/",
        "https://www.xledger.net:0/",
        "https://www.xledger.net:99999/",
        "https://www.xledger.net:443:443/",
        "javascript://www.xledger.net/%0aalert(1)",
        "data:text/plain,www.xledger.net",
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
