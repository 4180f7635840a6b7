"""A server of the files in a folder."""

import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer


class _Recorder(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.paths.append(self.requestline.split()[1])


@contextmanager
def serving(folder):
    """Serve a folder, which is made: its `url`, and the `paths` that were asked for."""
    folder.mkdir()
    handler = partial(_Recorder, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.paths, server.folder = [], folder
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()
