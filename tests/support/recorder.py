"""An endpoint that only writes down what it is sent, one body a line: what an operator has, whose receiver was away."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self


class Recorder:
    """Listens at ``port`` of loopback; the bodies, as JSON lines, in ``file``."""

    def __init__(self, port: int, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", port), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def announced(self, repository: str, tag: str) -> bool:
        """Whether a push of that tag was recorded."""
        lines = self.file.read_text().splitlines() if self.file.exists() else []
        events: list[dict[str, Any]] = [event for line in lines for event in json.loads(line)["events"]]
        return any(
            (event["action"], event["target"].get("repository"), event["target"].get("tag"))
            == ("push", repository, tag)
            for event in events
        )

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                document = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with recorder._lock, recorder.file.open("a") as file:
                    file.write(json.dumps(document) + "\n")
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        return Handler
