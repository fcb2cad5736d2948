#!/usr/bin/env python3
"""Makes spec/engine/chain/vectors.h: what the hashes, keys and tickets of engine/chain must be.

Independent of the C code: Blake2b is Python's hashlib, Ed25519 is written out below after RFC 8032, phi is computed
with 60 decimal digits. Run it by hand after a change of a format (`vectors.py > …/vectors.h`) and look at the diff.

`vectors.py --chain > spec/support/bad_chain.json` writes a chain of two blocks in the JSON of the API: genesis with the notes
below, and a block with a good transaction and one of each kind that must not be there.
"""
import hashlib
import json
import sys
from decimal import Decimal, getcontext

getcontext().prec = 60


def h(tag, *parts):
    return hashlib.blake2b(tag.encode() + b"".join(parts), digest_size=32).digest()


def le(v, n):
    return v.to_bytes(n, "little")


# Ed25519, RFC 8032 section 5.1, affine and slow
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return ((x1 * y2 + x2 * y1) * pow(1 + t, P - 2, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, P - 2, P) % P)


def times(k, point):
    result = (0, 1)
    while k:
        if k & 1:
            result = add(result, point)
        point = add(point, point)
        k >>= 1
    return result


def recover_x(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if (x * x - xx) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, P - 2, P) % P
BASE = (recover_x(BASE_Y, 0), BASE_Y)


def pack(point):
    return le(point[1] | (point[0] & 1) << 255, 32)


def expand(seed):
    d = hashlib.sha512(seed).digest()
    a = int.from_bytes(d[:32], "little") & ~7 & (1 << 254) - 1 | 1 << 254
    return a, d[32:]


def public(seed):
    return pack(times(expand(seed)[0], BASE))


def sign(seed, msg):
    a, prefix = expand(seed)
    pub = public(seed)
    r = int.from_bytes(hashlib.sha512(prefix + msg).digest(), "little") % L
    rp = pack(times(r, BASE))
    k = int.from_bytes(hashlib.sha512(rp + pub + msg).digest(), "little") % L
    return rp + le((r + k * a) % L, 32)


def base58(data):
    alphabet = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
    n, text = int.from_bytes(data, "big"), ""
    while n:
        n, digit = divmod(n, 58)
        text = alphabet[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text


def transfer(inputs, outputs):
    return (le(len(inputs), 1) + b"".join(inputs) + le(len(outputs), 1)
            + b"".join(le(v, 8) + pk for v, pk in outputs))


def inscribe(channel, data, parent, signer):
    return channel + le(len(data), 4) + data + parent + signer


def tx_bytes(ops):
    return le(len(ops), 1) + b"".join(le(code, 1) + payload for code, payload in ops)


def merkle(leaves):
    if not leaves:
        return bytes(32)
    level = list(leaves)
    while len(level) & (len(level) - 1):
        level.append(bytes(32))
    while len(level) > 1:
        level = [h("", level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def header(parent, slot, root, voucher, entropy, proof, leader):
    return le(1, 1) + parent + le(slot, 8) + root + voucher + entropy + proof + leader


def threshold(f, stake, total):
    f = Decimal(f)
    one_minus = Decimal(1) - f
    phi = Decimal(1) if one_minus == 0 else 1 - (one_minus.ln() * Decimal(stake) / Decimal(total)).exp()
    return int(phi * 2**53)


out = {}
fill = lambda b: bytes([b]) * 32
seed = bytes.fromhex("e01039077e592ce1c454c5e8ffe2f571f6fad6106ff0e1895c9a403c126ba80f")
pub = public(seed)
assert pub.hex() == "dc4aec617a8889e651c88997f2c4ba7e606cc553434a526f73109d26aa9d69ac"  # node contract, section 3
out["SEED"], out["PUB"] = seed.hex(), pub.hex()
out["PEER_ID"] = base58(bytes.fromhex("002408011220") + pub)
assert out["PEER_ID"] == "12D3KooWQeJ8CUvQJQ6iMY6yKH49igfH7zrP1qSpqTBeRqTCS4iX"
out["SIG_HELLO"] = sign(seed, b"hello").hex()
out["BASE58_ZEROS"] = base58(b"\0\0\x01\xff\x80")

moved = transfer([fill(1), fill(2)], [(100, fill(3)), (2**64 - 1, fill(4))])
said = inscribe(fill(5), b"hello", bytes(32), pub)
tx1, tx2 = tx_bytes([(0, moved), (17, said)]), tx_bytes([(17, said)])
out["TX1"], out["TX1_HASH"] = tx1.hex(), h("MANTLE_TXHASH_V1", tx1).hex()
out["TX2_HASH"] = h("MANTLE_TXHASH_V1", tx2).hex()
out["TRANSFER_OP_ID"] = h("OPERATION_ID_V1", moved).hex()
out["INSCRIBE_OP_ID"] = h("OPERATION_ID_V1", said).hex()
out["INSCRIBE_ID"] = h("", said).hex()
for n in (1, 2, 3, 5, 8):
    out["MERKLE_%d" % n] = merkle([fill(i + 1) for i in range(n)]).hex()

proof = sign(seed, b"TFL_LOTTERY_V1" + fill(9) + le(137, 8)) + bytes(64)
out["PROOF_137"] = proof.hex()
out["TICKET_137"] = int.from_bytes(h("TFL_TICKET_V1", proof[:64])[:8], "little") >> 11
root = merkle([h("MANTLE_TXHASH_V1", tx1), h("MANTLE_TXHASH_V1", tx2)])
head = header(fill(7), 137, root, bytes(32), bytes(32), proof, pub)
block_id = h("BLOCK_ID_V1", head)
out["BLOCK_ROOT"], out["BLOCK_ID"] = root.hex(), block_id.hex()
proofs = [fill(0x61) * 2, fill(0x62) * 2, fill(0x63) * 2]
out["BLOCK"] = (head + sign(seed, block_id) + le(2, 2) + tx1 + proofs[0] + proofs[1] + tx2 + proofs[2]).hex()

time_ms, stakes = 1787300000123, [(pub, 100000), (fill(8), 1)]
text = le(5, 8) + b"tfl-1" + le(time_ms // 1000, 8) + fill(9)
genesis_root = h("MANTLE_TXHASH_V1", tx_bytes([(17, inscribe(bytes(32), text, bytes(32), bytes(32)))]))
entropy = bytearray(h("TFL_GENESIS_V1", le(time_ms, 8), le(2, 4), b"".join(k + le(s, 8) for k, s in stakes)))
entropy[31] &= 0x1F
out["GENESIS_TEXT"] = text.hex()
out["GENESIS_ID"] = h("BLOCK_ID_V1", header(bytes(32), 0, genesis_root, bytes(32), bytes(entropy), bytes(128),
                                            bytes(32))).hex()
out["GENESIS_ROOT"], out["GENESIS_ENTROPY"] = genesis_root.hex(), bytes(entropy).hex()


def op_id(payload):
    return h("OPERATION_ID_V1", payload)


def note_id(op, index, value, pk):
    i = bytearray(h("NOTE_ID_V1", op, le(index, 8), le(value, 8), pk))
    i[31] &= 0x1F  # a little-endian field element below r of BN254
    return bytes(i)


# genesis with 300 notes: a transfer of 255 outputs, one of 45, the inscription
notes = [(1000 + i, pub if i % 3 == 0 else fill(8)) for i in range(300)]
gifts = [transfer([], notes[:255]), transfer([], notes[255:])]
stone = inscribe(bytes(32), text, bytes(32), bytes(32))
notes_root = h("MANTLE_TXHASH_V1", tx_bytes([(0, gifts[0]), (0, gifts[1]), (17, stone)]))
out["NOTES_ROOT"] = notes_root.hex()
out["NOTES_GENESIS_ID"] = h("BLOCK_ID_V1", header(bytes(32), 0, notes_root, bytes(32), bytes(entropy), bytes(128),
                                                  bytes(32))).hex()
for i in (0, 3, 254, 255, 299):
    out["NOTE_%d" % i] = note_id(op_id(gifts[i // 255]), i % 255, *notes[i]).hex()

# three operations: two transfers of the seed's notes 0, 3 and 255, and an inscription, all signed by it
pay1 = transfer([bytes.fromhex(out["NOTE_0"]), bytes.fromhex(out["NOTE_3"])], [(1, fill(3)), (2002, pub)])
pay2 = transfer([bytes.fromhex(out["NOTE_255"])], [(1255, fill(4))])
tx3 = tx_bytes([(0, pay1), (17, said), (0, pay2)])
tx3_hash = h("MANTLE_TXHASH_V1", tx3)
tx3_sig = sign(seed, tx3_hash)
out["TX3"], out["TX3_HASH"], out["TX3_SIG"] = (tx3 + 3 * tx3_sig).hex(), tx3_hash.hex(), tx3_sig.hex()
out["TX3_OP_ID"] = op_id(pay1).hex()
out["TX3_NOTE_PAID"] = note_id(op_id(pay1), 0, 1, fill(3)).hex()
out["TX3_NOTE_CHANGE"] = note_id(op_id(pay1), 1, 2002, pub).hex()
out["TX3_NOTE_2"] = note_id(op_id(pay2), 0, 1255, fill(4)).hex()
out["TX3_JSON"] = json.dumps({"mantle_tx": {"ops": [
    {"opcode": 0, "payload": {"inputs": [out["NOTE_0"], out["NOTE_3"]], "outputs": [
        {"value": 1, "pk": fill(3).hex()}, {"value": 2002, "pk": pub.hex()}]}},
    {"opcode": 17, "payload": {"channel_id": fill(5).hex(), "inscription": b"hello".hex(), "parent": bytes(32).hex(),
                               "signer": pub.hex()}},
    {"opcode": 0, "payload": {"inputs": [out["NOTE_255"]], "outputs": [{"value": 1255, "pk": fill(4).hex()}]}}]},
    "ops_proofs": [{"Ed25519Sig": tx3_sig.hex()}] * 3}, separators=(",", ":")).replace('"', '\\"')
out["FRESH_CHANNEL_7"] = h("TFL_CHANNEL_V1", pub, le(7, 8)).hex()
wallet_seed = h("TFL_SEED_V1", le(42, 8), b"wallet/3")
out["WALLET_42_3"] = public(wallet_seed).hex()
out["THRESHOLD_05_1_3"] = threshold("0.5", 1, 3)
out["THRESHOLD_09_1_100"] = threshold("0.9", 1, 100)
out["THRESHOLD_005_7_10"] = threshold("0.05", 7, 10)



def op_json(code, payload):
    if code == 17:
        n = int.from_bytes(payload[32:36], "little")
        return {"opcode": 17, "payload": {"channel_id": payload[:32].hex(), "inscription": payload[36:36 + n].hex(),
                                          "parent": payload[36 + n:68 + n].hex(), "signer": payload[68 + n:].hex()}}
    n = payload[0]
    ins = [payload[1 + 32 * i:33 + 32 * i].hex() for i in range(n)]
    rest = payload[2 + 32 * n:]
    outs = [{"value": int.from_bytes(rest[40 * i:40 * i + 8], "little"), "pk": rest[40 * i + 8:40 * i + 40].hex()}
            for i in range(len(rest) // 40)]
    return {"opcode": 0, "payload": {"inputs": ins, "outputs": outs}}


def tx_json(ops, sig=None):
    tx_hash = h("MANTLE_TXHASH_V1", tx_bytes(ops))
    sig = sig or sign(seed, tx_hash)
    return tx_hash, {"mantle_tx": {"hash": tx_hash.hex(), "ops": [op_json(*op) for op in ops]},
                     "ops_proofs": [{"Ed25519Sig": sig.hex()} for _ in ops]}


def block_json(parent, slot, entropy_bytes, txs):
    txs_root = merkle([tx_hash for tx_hash, _ in txs])
    parts = (parent, slot, txs_root, bytes(32), entropy_bytes, bytes(128), bytes(32))
    return {"header": {"id": h("BLOCK_ID_V1", header(*parts)).hex(), "parent_block": parent.hex(), "slot": slot,
                       "block_root": txs_root.hex(), "proof_of_leadership": {
                           "proof": bytes(128).hex(), "entropy_contribution": entropy_bytes.hex(),
                           "leader_key": bytes(32).hex(), "voucher_cm": bytes(32).hex()}},
            "transactions": [tx for _, tx in txs]}


def pay(note, value, to, sig=None):
    return tx_json([(0, transfer([bytes.fromhex(out[note])], [(value, to)]))], sig)


if "--chain" in sys.argv:
    first = block_json(bytes(32), 0, bytes(entropy), [tx_json([(0, gifts[0]), (0, gifts[1]), (17, stone)], bytes(64))])
    assert first["header"]["id"] == out["NOTES_GENESIS_ID"]
    second = block_json(bytes.fromhex(out["NOTES_GENESIS_ID"]), 3, bytes(32), [
        pay("NOTE_0", 1000, fill(3)), pay("NOTE_0", 1000, fill(4)), pay("NOTE_3", 5000, pub),
        pay("TX3_HASH", 1, pub), pay("NOTE_255", 1255, pub, bytes(64))])
    print(json.dumps([first, second], separators=(",", ":")))
    sys.exit(0)

print("/* Made by spec/support/vectors.py, do not edit. */")
print("/* clang-format off */")
for name, value in out.items():
    if isinstance(value, int):
        print("#define V_%s UINT64_C(%d)" % (name, value))
    else:
        print('static const char V_%s[] __attribute__((unused)) = "%s";' % (name, value))
