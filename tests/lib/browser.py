"""A real Chromium without a screen, and without a network: it is driven through two pipes by its
own protocol (DevTools), so that nothing but the standard library is needed."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import subprocess
import time
from pathlib import Path

from lib.files import HANG, PATIENCE

# In a network of its own, of which not even loopback is up: a request to anywhere would fail. And in
# a namespace of processes of its own, so that none is left of the many that it starts.
ALONE = ("unshare", "--net", "--pid", "--fork", "--kill-child=KILL")
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-extensions",
         "--no-first-run", "--hide-scrollbars", "--force-color-profile=srgb", "--disable-background-networking",
         "--disable-component-update", "--remote-debugging-pipe")


class BrowserError(Exception):
    """Chromium did not start, or did not do as it was asked."""


def pipe_above(least):
    """A pipe whose ends have numbers from this on."""
    ends = os.pipe()
    above = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, least) for end in ends)
    for end in ends:
        os.close(end)
    return above


class Browser:
    """with Browser(folder) as browser: browser.open(path); browser.screenshot(path, width=390)

    folder: for its profile. Of the page that is open, requests and messages are kept: what it asked
    for, and what Chromium's console had to say of it."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.process = None
        self.log = self.folder / "chromium.log"
        self.session = None
        self.last_id = 0
        self.unread = b""
        self.requests, self.messages, self.dialogs, self.seen = [], [], [], set()

    def __enter__(self):
        program = shutil.which("chromium")
        if not program:
            raise BrowserError("no chromium on PATH: run tests/setup test")
        self.folder.mkdir(parents=True, exist_ok=True)
        theirs_in, self.to = pipe_above(10)
        self.back, theirs_out = pipe_above(10)
        # It takes them for its descriptors 3 and 4.
        words = [*ALONE, "bash", "-c", f'exec "$@" 3<&{theirs_in} 4>&{theirs_out} {theirs_in}<&- {theirs_out}>&-',
                 "bash", program, *FLAGS, f"--user-data-dir={self.folder}/profile", "about:blank"]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(words, pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, env=os.environ | {"HOME": str(self.folder)})
        os.close(theirs_in)
        os.close(theirs_out)
        try:
            self._attach()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind, error, _):
        if error is not None:
            error.add_note(f"chromium said:\n{self.log.read_text(errors='replace')[-3000:]}")
        self.close()

    def close(self):
        """Without asking: it has nothing to save. It is the first process of its namespace, so the
        kernel ends all others with it, and it has not ended before they have."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        for pid in children or [self.process.pid]:
            os.kill(int(pid), signal.SIGKILL)
        self.process.wait(HANG)
        os.close(self.to)
        os.close(self.back)

    def _attach(self):
        target = self._ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self._ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Runtime", "Log"):
            self._ask(f"{domain}.enable")

    def _next(self, end):
        """The next message, whole."""
        while b"\0" not in self.unread:
            if not select.select([self.back], [], [], max(0, end - time.monotonic()))[0]:
                raise BrowserError("chromium does not answer")
            piece = os.read(self.back, 1 << 20)
            if not piece:
                raise BrowserError(f"chromium has ended: {self.log.read_text(errors='replace')[-3000:]}")
            self.unread += piece
        message, _, self.unread = self.unread.partition(b"\0")
        return json.loads(message)

    def _heard(self, message):
        method, words = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(words["request"]["url"])
        elif method == "Log.entryAdded":
            self.messages.append(words["entry"]["text"])
        elif method in ("Runtime.consoleAPICalled", "Runtime.exceptionThrown"):
            self.messages.append(json.dumps(words))
        elif method == "Page.javascriptDialogOpening":
            self.dialogs.append(words["message"])
        self.seen.add(method)

    def _ask(self, method, **words):
        self.last_id += 1
        request = {"id": self.last_id, "method": method, "params": words}
        if self.session:
            request["sessionId"] = self.session
        data = json.dumps(request).encode() + b"\0"
        while data:
            data = data[os.write(self.to, data):]
        end = time.monotonic() + HANG
        while True:
            message = self._next(end)
            if message.get("id") == self.last_id:
                if "error" in message:
                    raise BrowserError(f"{method}: {message['error']}")
                return message["result"]
            self._heard(message)

    def open(self, path):
        """Loads a file, and waits until it is there."""
        self.requests, self.messages, self.dialogs, self.seen = [], [], [], set()
        said = self._ask("Page.navigate", url=Path(path).as_uri())
        if "errorText" in said:
            raise BrowserError(f"{path}: {said['errorText']}")
        end = time.monotonic() + 60 * PATIENCE
        while "Page.loadEventFired" not in self.seen:
            self._heard(self._next(end))

    def look(self, width=1200, height=900, scheme="light", phone=False, media="screen"):
        """How wide its window is, which colours its owner likes, and whether it is paper."""
        self._ask("Emulation.setDeviceMetricsOverride", width=width, height=height,
                  deviceScaleFactor=2 if phone else 1, mobile=phone)
        self._ask("Emulation.setEmulatedMedia", media=media, features=[{"name": "prefers-color-scheme", "value": scheme}])

    def ask(self, expression):
        """The value of an expression of JavaScript, asked from outside of the page."""
        said = self._ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in said:
            raise BrowserError(f"{expression}: {said['exceptionDetails']}")
        return said["result"].get("value")

    def screenshot(self, path):
        """The whole page, however long."""
        self._keep(path, self._ask("Page.captureScreenshot", format="png", captureBeyondViewport=True))

    def print(self, path):
        """As paper has it: A4, with the grounds that the page itself insists on."""
        self._keep(path, self._ask("Page.printToPDF", paperWidth=8.27, paperHeight=11.69, printBackground=False))

    @staticmethod
    def _keep(path, said):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(base64.b64decode(said["data"]))
