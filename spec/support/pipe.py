"""Passes connections to one address on to another, until it is killed: pipe.py LISTEN TARGET. An address is HOST:PORT, or the path of a
unix socket."""
import os
import socket
import sys
import threading

listen, target = sys.argv[1], sys.argv[2]


def opened(address):
    """A socket for the address, and the address as the socket takes it."""
    if address.startswith("/"):
        return socket.socket(socket.AF_UNIX, socket.SOCK_STREAM), address
    host, port = address.rsplit(":", 1)
    made = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return made, (host, int(port))


def pump(source, sink):
    try:
        while True:
            data = source.recv(65536)
            if not data:
                break
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        pass


listener, at = opened(listen)
listener.bind(at + ".new" if isinstance(at, str) else at)
listener.listen(64)
if isinstance(at, str):
    os.rename(at + ".new", at)  # there is no socket before it listens
print("listens", flush=True)
while True:
    near = listener.accept()[0]
    far, to = opened(target)
    try:
        far.connect(to)
    except OSError:
        near.close()
        continue
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
