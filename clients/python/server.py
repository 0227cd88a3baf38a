"""A `tidegate serve` on a port of its own, for one test case."""

import json
import os
import pathlib
import subprocess
import urllib.request

CLIENTS = pathlib.Path(__file__).resolve().parent.parent
DOCUMENT = CLIENTS / "flags.json"


class Server:
    """Runs until `stop`."""

    def __init__(self, *options, document=DOCUMENT):
        program = os.environ["TIDEGATE_PROGRAM"]
        command = [program, "serve", "--listen", "127.0.0.1:0", "--document", str(document), *options]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        said = []
        for line in self.process.stderr:
            said.append(line)
            if line.startswith("listening on "):
                self.url = line.removeprefix("listening on ").strip()
                break
        else:
            raise RuntimeError("the server does not listen:\n" + "".join(said))

    def stop(self):
        self.process.terminate()
        self.process.stderr.close()
        self.process.wait(timeout=10)

    def activate(self, flag, percentage):
        self.send("PUT", f"/api/v1/flags/{flag}/activation", {"percentage": percentage})

    def send(self, method, path, body=None, headers=None):
        """The status, the headers and the text of an answer."""
        data = None if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
        request = urllib.request.Request(self.url + path, data=data, method=method)
        request.add_header("Content-Type", "application/json; charset=utf-8")
        for name, value in (headers or {}).items():
            request.add_header(name, value)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return answer.status, answer.headers, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.headers, error.read()
