"""A person at a terminal, for specs: runs a program on a pty and keeps the screen it draws. (Debian's python3-pyte belongs to Debian's Python.)

    /usr/bin/python3 spec/support/terminal.py FOLDER ROWS COLUMNS -- PROGRAM ARGUMENT…

Reads commands, one a line, from FOLDER/keys (a fifo): "type TEXT" (JSON string), "size ROWS COLUMNS", "modes" (writes the
terminal's modes to FOLDER/modes). After each output FOLDER/screen has the screen as text with the cursor's place in its first
line, FOLDER/raw all bytes so far; FOLDER/pid has the pid of the program, FOLDER/code its exit code (128 + signal).
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

import pyte

folder, rows, columns = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
screen = pyte.HistoryScreen(columns, rows, history=2000)
stream = pyte.ByteStream(screen)


def put(name, text):
    with open(folder + "/" + name + ".tmp", "w") as out:
        out.write(text)
    os.rename(folder + "/" + name + ".tmp", folder + "/" + name)


def draw():
    old = ["".join(line[x].data for x in range(columns)).rstrip() for line in screen.history.top]
    now = [line.rstrip() for line in screen.display]
    put("screen", "%d %d\n" % (screen.cursor.y, screen.cursor.x) + "\n".join(old + now) + "\n")


def resize(fd, rows, columns):
    fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


master, slave = pty.openpty()
resize(slave, rows, columns)
before = termios.tcgetattr(slave)[:4]
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in (0, 1, 2):
        os.dup2(slave, fd)
    os.closerange(3, 64)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)
    os.execvp(sys.argv[5], sys.argv[5:])
os.mkfifo(folder + "/keys.new")
keys = os.open(folder + "/keys.new", os.O_RDWR)
os.rename(folder + "/keys.new", folder + "/keys")
put("pid", str(child))
draw()

pending = b""
raw = open(folder + "/raw", "ab", buffering=0)
ended = None
while ended is None or select.select([master], [], [], 0)[0]:
    ready = select.select([master, keys], [], [], 0.02)[0]
    if master in ready:  # the slave is open here, too: no end of file
        data = os.read(master, 65536)
        raw.write(data)
        stream.feed(data)
        draw()
    if keys in ready:
        pending += os.read(keys, 65536)
        while b"\n" in pending:
            line, pending = pending.split(b"\n", 1)
            word, rest = (line.decode() + " ").split(" ", 1)
            if word == "type":
                os.write(master, json.loads(rest).encode())
            elif word == "size":
                rows, columns = (int(n) for n in rest.split())
                screen.resize(rows, columns)
                resize(slave, rows, columns)
                os.kill(child, signal.SIGWINCH)
            elif word == "modes":
                put("modes", json.dumps(termios.tcgetattr(slave)[:4]))
    if ended is None:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            ended = os.waitstatus_to_exitcode(status)
deadline = time.monotonic() + 10  # what a guardian has to put the modes back
while termios.tcgetattr(slave)[:4] != before and time.monotonic() < deadline:
    time.sleep(0.02)
put("modes", json.dumps(termios.tcgetattr(slave)[:4]))
put("code", str(ended if ended >= 0 else 128 - ended))
