"""`influxsnap serve` behind a port or a Unix socket, and what can go wrong between it and a client."""

import socket
import subprocess
import threading
from pathlib import Path

from lib.cuts import INFLUXSNAP
from lib.files import HANG, wait_until


class Acceptor:
    """with Acceptor(handle) as server: … handle(socket) in a thread of its own for each connection,
    on server.port of loopback, or at a Unix socket (path)."""

    def __init__(self, handle, path=None):
        self.handle = handle
        self.listener = socket.socket(socket.AF_UNIX if path else socket.AF_INET)
        self.listener.bind(str(path) if path else ("127.0.0.1", 0))
        self.listener.listen(20)
        self.port = None if path else self.listener.getsockname()[1]
        self.host = f"unix:{path}" if path else f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}/snapshot"
        self.threads = [threading.Thread(target=self.accept, daemon=True)]

    def __enter__(self):
        self.threads[0].start()
        return self

    def __exit__(self, *_):
        # close alone would not wake the thread
        self.listener.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join(HANG)
        self.listener.close()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self.answer, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def answer(self, connection):
        with connection:
            try:
                self.handle(connection)
            except OSError:
                pass  # the other side has gone


class Server(Acceptor):
    """with Server(store, log) as server: … as systemd does it with Accept=yes."""

    def __init__(self, store, log, *words, path=None):
        super().__init__(self.serve, path)
        self.log = Path(log)
        self.command = [INFLUXSNAP, "-c", str(store), "serve", *words]
        self.processes = []
        self.log.touch()

    def serve(self, connection):
        with self.log.open("ab") as log:
            process = subprocess.Popen(self.command, stdin=connection, stdout=connection, stderr=log)
        connection.close()
        self.processes.append(process)
        process.wait()

    def wait(self, least=0):
        """Until all connections have ended, so many at least; their exit codes."""
        wait_until(lambda: len(self.processes) >= least and all(process.poll() is not None for process in self.processes),
                   60, "influxsnap serve to end")
        return [process.returncode for process in self.processes]

    def __exit__(self, *what):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
        super().__exit__(*what)

    def said(self, least=0):
        self.wait(least)
        return self.log.read_text()


class Between(Acceptor):
    """A proxy before a server that spoils what comes from it: with at most `most` bytes, of which
    `change` makes others. Both may be set anew for each connection."""

    def __init__(self, server, most=None, change=None):
        super().__init__(self.pass_on)
        self.server, self.most, self.change = server, most, change
        self.passed = 0     # bytes, of the last connection

    def pass_on(self, client):
        with socket.create_connection(("127.0.0.1", self.server.port)) as upstream:
            back = threading.Thread(target=self.pump, args=(client, upstream), daemon=True)
            back.start()
            self.passed = 0
            while self.most is None or self.passed < self.most:
                data = upstream.recv(65536 if self.most is None else min(65536, self.most - self.passed))
                if not data:
                    break
                client.sendall(self.change(self.passed, data) if self.change else data)
                self.passed += len(data)
            client.shutdown(socket.SHUT_RDWR)
            upstream.shutdown(socket.SHUT_RDWR)
            back.join(HANG)

    @staticmethod
    def pump(source, target):
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass


def flip(at):
    """For Between: changes one bit of the byte at that place."""
    def change(start, data):
        if not start <= at < start + len(data):
            return data
        data = bytearray(data)
        data[at - start] ^= 1
        return bytes(data)
    return change


def read_head(connection):
    """The head of a request, and what has come of its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(65536)
        if not more:
            break
        data += more
    return data


def saying(answer):
    """A server that says the same to all: bytes, or what answer() gives."""
    def handle(connection):
        head = read_head(connection)
        length = next((int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0)
        left = length - len(head.partition(b"\r\n\r\n")[2])
        while left > 0 and (data := connection.recv(65536)):
            left -= len(data)
        connection.sendall(answer() if callable(answer) else answer)
        connection.shutdown(socket.SHUT_WR)
    return Acceptor(handle)


def answer(status, body=b"", kind="application/x-tar", length=None, *fields):
    """An answer as bytes."""
    head = [f"HTTP/1.1 {status} Words", f"Content-Type: {kind}",
            f"Content-Length: {len(body) if length is None else length}", "Connection: close", *fields]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def ask(server, request, timeout=HANG):
    """Sends the bytes of a request; (status, head, body) of what comes until the end."""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
        connection.sendall(request)
        answer = b""
        while data := connection.recv(1 << 20):
            answer += data
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else None, head.decode(), body
