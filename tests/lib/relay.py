"""A bad line between a client and a server of loopback: slow, stalled, or cut."""

import socket
import threading
import time

from lib.files import HANG, wait_until
from lib.serving import Acceptor

PIECE = 16384


def shut(*sockets):
    for one in sockets:
        try:
            one.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # its other side has ended it


class Relay(Acceptor):
    """with Relay(port) as relay: … what connects to relay.port speaks with that port. The bytes of all
    connections and both directions count together, in relay.passed. relay.rate: how many of them pass
    in a second, at most; it may be set at any time (None: as fast as it goes). up_only: what the server
    answers always passes, and does not count."""

    def __init__(self, port, rate=None, up_only=False):
        super().__init__(self.relay)
        # What stops here is not to wait whole in the kernel.
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * PIECE)
        self.target, self.rate, self.up_only = port, rate, up_only
        self.passed = 0
        self.stop_at = self.cut_at = float("inf")
        self.change = threading.Condition()
        self.sockets = set()

    def __exit__(self, *what):
        self.go_on()
        self.cut()
        super().__exit__(*what)

    def stop_after(self, count):
        """From so many bytes on nothing passes, and nobody is told, until go_on() or cut()."""
        self.stop_at = self.passed + count

    def wait_until_stopped(self):
        wait_until(lambda: self.passed >= self.stop_at, 60, f"{self.stop_at} bytes, of which {self.passed} came")

    def go_on(self):
        with self.change:
            self.stop_at = float("inf")
            self.change.notify_all()

    def cut_after(self, count):
        """After so many bytes all connections end, once; the next ones are served again."""
        self.cut_at = self.passed + count

    def cut(self):
        """Ends all connections now, also those that are stopped."""
        with self.change:
            self._cut()

    def _cut(self):
        self.cut_at = float("inf")
        shut(*self.sockets)
        self.sockets.clear()
        self.change.notify_all()

    def relay(self, client):
        with socket.create_connection(("127.0.0.1", self.target)) as server:
            with self.change:
                self.sockets |= {client, server}
            back = threading.Thread(target=self.pump, args=(server, client), daemon=True)
            back.start()
            self.pump(client, server)
            back.join(HANG)
            with self.change:
                self.sockets -= {client, server}

    def pump(self, source, target):
        try:
            while data := source.recv(PIECE):
                if not (self.up_only and source.getpeername()[1] == self.target):
                    self.let_pass(source, len(data))
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except OSError:
            shut(source, target)

    def let_pass(self, source, count):
        """Returns when so many bytes may go; the lock makes it one line for all."""
        with self.change:
            self.change.wait_for(lambda: self.passed < self.stop_at or source not in self.sockets)
            if source not in self.sockets:
                raise ConnectionAbortedError
            if self.rate:
                time.sleep(count / self.rate)
            self.passed += count
            if self.passed >= self.cut_at:
                self._cut()
                raise ConnectionAbortedError
