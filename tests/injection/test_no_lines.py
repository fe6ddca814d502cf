"""What is nobody's fault is silent: values that are no text arrive as text, and iterators end."""

from __future__ import annotations

from tests.injection.running import Runner
from tests.receiver import Receiver

MEMCACHED = """
import socket, threading
server = socket.create_server(("127.0.0.1", 0))
def serve():
    while True:
        connection, _ = server.accept()
        lines = connection.makefile("rwb")
        for line in lines:
            if line.startswith((b"set", b"add")):
                lines.readline()
                lines.write(b"" if b"noreply" in line else b"STORED\\r\\n")
            else:
                lines.write(b"END\\r\\n")
            lines.flush()
threading.Thread(target=serve, daemon=True).start()
from pymemcache.client.base import Client
client = Client(server.getsockname()[:2], default_noreply=False)
print(client.set(b"\\xff\\xfe", b"v"), client.get(b"\\xff\\xfe"), client.add("text", b"v"))
print(client.get_many([b"\\xff", b"a"]), client.get_many(["b", "a"]), client.set_many({b"\\xff": b"v"}))
"""


def test_what_apps_attach_to_records_is_text(runner: Runner, receiver: Receiver) -> None:
    done = runner.compare("""
        import logging
        class Stock: pass
        log = logging.getLogger("shop")
        extra = {7: 1, "kind": Stock, b"x": 2, None: 3, "in": {7: Stock, b"y": [Stock]}, "": 4, (1, 2): 5}
        log.error("sold", extra=extra)
    """)
    assert done.lines == []
    (record,) = receiver.logs
    kind = "<class '__main__.Stock'>"
    inner = {"7": kind, "b'y'": [kind]}
    assert record.attributes == {"7": 1, "kind": kind, "b'x'": 2, "None": 3, "in": inner, "(1, 2)": 5}


def test_binary_keys_of_memcached_are_texts(library_runner: Runner, receiver: Receiver) -> None:
    done = library_runner.compare(MEMCACHED)
    assert (done.status, done.lines) == (0, []), done.stderr
    statements = [str(span.attributes["db.statement"]) for span in receiver.spans]
    bad = "\N{REPLACEMENT CHARACTER}"
    expected = [
        f"set {bad}{bad}",
        f"get {bad}{bad}",
        "add text",
        f"get_many {bad} a",
        "get_many b a",
        f"set_many {bad}",
    ]
    assert set(expected) <= set(statements)
