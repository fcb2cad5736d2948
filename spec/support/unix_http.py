"""A server on a unix socket that answers what it is told to, byte for byte: unix_http.py SOCKET FILE.

FILE is JSON: {"GET /path": [piece, …]}, the longest key that a request line begins with decides. Each piece is sent by itself, as
latin-1; null: nothing more is sent and the connection stays open. Without null the connection ends after the last piece."""
import json
import os
import socket
import sys
import threading
import time

path, script = sys.argv[1], sys.argv[2]
with open(script, encoding="utf-8") as file:
    answers = json.load(file)


def serve(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        more = connection.recv(4096)
        if not more:
            return
        data += more
    line = data.split(b"\r\n", 1)[0].decode()
    keys = [key for key in answers if line.startswith(key)]
    for piece in answers[max(keys, key=len)] if keys else ["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]:
        if piece is None:
            connection.recv(1)
            return
        connection.sendall(piece.encode("latin-1"))
        time.sleep(0.005)  # so that pieces are read apart


def one(connection):
    with connection:
        serve(connection)


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(path + ".new")
listener.listen(16)
os.rename(path + ".new", path)  # there is no socket before it listens
while True:
    threading.Thread(target=one, args=(listener.accept()[0],), daemon=True).start()
