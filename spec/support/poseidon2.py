#!/usr/bin/env python3
"""Makes spec/engine/chain/poseidon2_vectors.h: what engine/chain/poseidon2 must give.

Plain integers of Python; only the table of constants is read from the C code.
The two vectors below that come from the real node pin the table, too. Run it by hand after a change and look at the diff.
"""
import os
import re

R = 21888242871839275222246405745257275088548364400416034343698204186575808495617
TABLE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../engine/chain/poseidon2_table.c")
with open(TABLE, encoding="ascii") as table:
    C = [int("".join(w), 16) for w in re.findall(r"\{" + ", ".join([r"0x([0-9a-f]{16})"] * 4) + r"\}", table.read())]
assert len(C) == 80


def spread(s):
    total = sum(s)
    return [(x + total) % R for x in s]


def perm(s):
    s = spread(s)
    for rnd in range(4):
        s = spread([pow(x + C[3 * rnd + i], 5, R) for i, x in enumerate(s)])
    for c in C[24:]:
        s[0] = pow(s[0] + c, 5, R)
        total = sum(s)
        s = [(total + s[0]) % R, (total + s[1]) % R, (total + 2 * s[2]) % R]
    for rnd in range(4, 8):
        s = spread([pow(x + C[3 * rnd + i], 5, R) for i, x in enumerate(s)])
    return s


def compress(a, b):
    return perm([a, b, 0])[0]


def digest(xs):
    s = [0, 0, 0]
    for x in list(xs) + [1]:
        s = perm([(s[0] + x) % R, s[1], s[2]])
    return s[0]


def num(data):
    return int.from_bytes(data, "little")


def text(v):
    return v.to_bytes(32, "little").hex()


def note_id(op_id, index, value, pk):
    return digest([num(b"NOTE_ID_V1"), num(op_id) % R, index, value, pk])


SK = bytes.fromhex("1a66f6ab42521b1ac82784e2e2d3abd2fb49e5e3312a2b5fc2ef9d3ecf365c16")
PK = compress(num(b"KDF"), num(SK))
assert text(PK) == "852efb444db8c3c811625850df39425f43aeffc69571192c0be9f72523256e0a", "the real node's key"
FIRST = note_id(bytes(32), 0, 100, 456)
assert FIRST == 7557997998773395727489806263315711564569794358720487479582958381680367418066, "the real node's note id"

out = {
    "MODULUS": text(R),
    "BIGGEST": text(R - 1),
    "ALL_ONES_REDUCED": text((2**256 - 1) % R),
    "COMPRESS_ZEROS": text(compress(0, 0)),
    "COMPRESS_BIGGEST": text(compress(R - 1, R - 1)),
    "DIGEST_NONE": text(digest([])),
    "DIGEST_BIGGEST": text(digest([R - 1] * 3)),
    "ZK_SK": SK.hex(),
    "ZK_PK": text(PK),
    "NOTE_456": text(FIRST),
    "NOTE_BIG": text(note_id(b"\xff" * 32, 2**64 - 1, 2**64 - 2, PK)),
}


def main():
    # a chain of values that each depend on all before: a wrong carry anywhere shows
    x, y = 0, 1
    for _ in range(300):
        x, y = y, compress(x, y)
    out["CHAIN_300"] = text(y)
    print("/* Made by spec/support/poseidon2.py, do not edit. */")
    print("/* clang-format off */")
    for name, value in out.items():
        print('static const char V_%s[] __attribute__((unused)) = "%s";' % (name, value))


if __name__ == "__main__":
    main()
