"""Passes connections to one unix socket on to another, until it is killed: unix_pipe.py LISTEN TARGET."""
import os
import socket
import sys
import threading

listen, target = sys.argv[1], sys.argv[2]


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


listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
listener.bind(listen + ".new")
listener.listen(64)
os.rename(listen + ".new", listen)  # there is no socket before it listens
while True:
    near = listener.accept()[0]
    far = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    far.connect(target)
    for ends in ((near, far), (far, near)):
        threading.Thread(target=pump, args=ends, daemon=True).start()
