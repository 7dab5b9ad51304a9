"""A headless Chromium, driven through its own protocol: pages, keys, the mouse, and pictures."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from urllib.request import urlopen

from tornado.websocket import websocket_connect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SECONDS = 60  # for anything that a browser is asked


def program() -> str | None:
    """Where a browser is, if there is one."""
    return next((found for found in map(shutil.which, PROGRAMS) if found), None)


class Browser:
    """One tab of a browser of its own."""

    def __init__(self, process: subprocess.Popen, loop: asyncio.AbstractEventLoop, socket):
        self._process, self._loop, self._socket, self._count = process, loop, socket, 0
        self.errors: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **parameters):
        """A command of the protocol; returns its result."""
        return self._loop.run_until_complete(asyncio.wait_for(self._send(method, parameters), SECONDS))

    async def _send(self, method, parameters):
        self._count += 1
        await self._socket.write_message(json.dumps({"id": self._count, "method": method, "params": parameters}))
        while True:
            message = await self._socket.read_message()
            if message is None:
                raise RuntimeError("the browser has gone")
            found = json.loads(message)
            if found.get("id") == self._count:
                if "error" in found:
                    raise RuntimeError(f"{method}: {found['error']['message']}")
                return found["result"]
            self._note(found)

    def _note(self, event) -> None:
        what, said = event.get("method"), event.get("params", {})
        if what == "Runtime.exceptionThrown":
            self.errors.append(said["exceptionDetails"].get("exception", {}).get("description", "an exception"))
        elif what == "Log.entryAdded" and said["entry"]["level"] == "error":
            self.errors.append(said["entry"]["text"])
        elif what == "Network.requestWillBeSent":
            self.requests.append(said["request"]["url"])

    def open(self, page: Path, fragment: str = "") -> None:
        """Open a page, and wait until it is there."""
        self.send("Page.navigate", url="about:blank")
        self.send("Page.navigate", url=page.resolve().as_uri() + fragment)
        self.wait("document.readyState === 'complete' && location.href.startsWith('file:')")
        self.settle()

    def wait(self, condition: str) -> None:
        """Wait until an expression is true."""
        end = time.monotonic() + SECONDS
        while not self.evaluate(condition):
            if time.monotonic() > end:
                raise TimeoutError(condition)
            time.sleep(0.02)

    def settle(self) -> None:
        """Wait until everything has been drawn."""
        self.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))).then(() => 1)")

    def evaluate(self, expression: str):
        """The value of a JavaScript expression, of a promise when it has been kept."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", expression))
        return found["result"].get("value")

    def press(self, key: str, code: int, times: int = 1) -> None:
        """Press a key."""
        for _ in range(times):
            for kind in ("keyDown", "keyUp"):
                self.send("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code)
        self.settle()

    def drag(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """Press the mouse at one place of the window and release it at another."""
        middle = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        for kind, (x, y), pressed in (
            ("mousePressed", start, 1),
            ("mouseMoved", middle, 1),
            ("mouseMoved", end, 1),
            ("mouseReleased", end, 0),
        ):
            self.send(
                "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=pressed, clickCount=1
            )  # fmt: skip
        self.settle()

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        """The size of the window, in light or dark mode."""
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.settle()

    def picture(self, path: Path) -> None:
        """A picture of the whole page, as PNG."""
        found = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))


@contextlib.contextmanager
def browser():
    """A browser for the time of a block, with a profile of its own that is thrown away."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        options = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run"]
        options += [
            "--disable-background-networking",
            "--disable-component-update",
            "--mute-audio",
            "--hide-scrollbars",
        ]
        options += [
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        command = [str(program()), *options]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        loop = asyncio.new_event_loop()
        socket = None
        try:
            socket = loop.run_until_complete(asyncio.wait_for(_connect(Path(profile), process), SECONDS))
            yield Browser(process, loop, socket)
        finally:
            if socket is not None:
                socket.close()
            loop.run_until_complete(asyncio.sleep(0.1))
            process.terminate()
            process.wait(SECONDS)
            loop.close()


async def _connect(profile: Path, process: subprocess.Popen):
    address = profile / "DevToolsActivePort"
    while not (address.exists() and address.read_text().count("\n")):
        if process.poll() is not None:
            raise RuntimeError(f"the browser ended with exit code {process.returncode}")
        await asyncio.sleep(0.05)
    port = address.read_text().split("\n")[0]
    while True:
        with urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            tabs = [tab for tab in json.load(answer) if tab["type"] == "page"]
        if tabs:
            return await websocket_connect(tabs[0]["webSocketDebuggerUrl"], max_message_size=2**27)
        await asyncio.sleep(0.05)
