"""What answers at the address of a Prometheus and is none: fake_prometheus.py MODE. Prints its port.
silent: takes what is asked and never answers; endless: begins an answer that has no end; huge: an answer of 64 MiB; broken: 503;
html: a page; any other: its words are the value of one series."""
import http.server
import json
import sys
import time

mode = sys.argv[1]


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if mode == "silent":
            time.sleep(120)
        self.send_response(503 if mode == "broken" else 200)
        self.end_headers()
        try:
            if mode in ("endless", "huge"):
                for _ in range(1 << 40 if mode == "endless" else 1 << 10):
                    self.wfile.write(b" " * (1 << 16))
                    time.sleep(0.1 if mode == "endless" else 0)
            row = {"metric": {}, "value": [time.time(), mode]}
            page = json.dumps({"status": "success", "data": {"resultType": "vector", "result": [row]}})
            self.wfile.write(("<html>" if mode == "html" else page).encode())
        except OSError:
            pass
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
print(f"port {server.server_port}", flush=True)
server.serve_forever()
