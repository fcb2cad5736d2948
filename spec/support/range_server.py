"""An HTTP server on loopback that can be told to behave badly: range_server.py FOLDER
Prints its port. Files named in FOLDER; each request becomes a line "PATH RANGE" in FOLDER/requests. FOLDER/mode holds what it does:
cut (breaks off in the middle of a body), whole (knows no ranges), anything else: all is well."""
import http.server
import pathlib
import sys

folder = pathlib.Path(sys.argv[1])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        mode, wanted = (folder / "mode").read_text().strip(), self.headers.get("Range")
        with open(folder / "requests", "a") as log:
            log.write(f"{self.path} {wanted or '-'}\n")
        try:
            body = (folder / self.path.lstrip("/")).read_bytes()
        except OSError:
            self.send_error(404)
            return
        start = int(wanted[len("bytes="):-1]) if wanted and mode != "whole" else 0
        if start and start >= len(body):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        cut = mode == "cut" and len(body) > 1000
        self.wfile.write(body[start:start + (len(body) - start) // 2] if cut else body[start:])
        self.close_connection = True

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"port {server.server_port}", flush=True)
server.serve_forever()
