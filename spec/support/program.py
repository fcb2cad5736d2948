"""A node that tfl knows nothing of, for specs of kinds: an HTTP server with a chain of its own, which grows with time.

program.py HOST PORT [GENESIS_MS]; environment: LATE (seconds before it listens), SAY (a line once it listens), SHY (answers 503 so
often before 200), FORK (from this height on its blocks are its own), STUCK (no further height).
GET /: READY or 503 · /chain?from=N: one line "height id" for each block from N on · /about: argv, environment.
"""
import json, os, sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlparse, parse_qs

host, port = sys.argv[1], int(sys.argv[2])
genesis = int(sys.argv[3]) / 1000 if len(sys.argv) > 3 else time.time()
shy, fork, stuck = (int(os.environ.get(name, default)) for name, default in (("SHY", "0"), ("FORK", "0"), ("STUCK", "1000000")))
asked = 0


def block(height):
    return "%s%d" % ("own" if fork and height >= fork else "b", height)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        global asked
        status, url = 200, urlparse(self.path)
        if url.path == "/chain":
            top = min(stuck, max(0, int((time.time() - genesis) / 0.05)))
            start = int(parse_qs(url.query).get("from", ["0"])[0])
            text = "".join("%d %s\n" % (h, block(h)) for h in range(start, top + 1))
        elif url.path == "/about":
            text = json.dumps({"argv": sys.argv, "env": dict(os.environ), "cwd": os.getcwd()})
        else:
            asked += 1
            status, text = (503, "STARTING") if asked <= shy else (200, "READY")
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


time.sleep(float(os.environ.get("LATE", "0")))
server = ThreadingHTTPServer((host, port), Handler)
if "SAY" in os.environ:
    print(os.environ["SAY"], flush=True)
server.serve_forever()
