#!/usr/bin/env python3
"""Recomputes the hashes of generated files of kind logos: logos_genesis.py deployment.yaml user.yaml…

Needs PyYAML and `cryptography`; shares no code with the program (Blake2b of hashlib, Poseidon2 of poseidon2.py). Checks every key
of the user files against its id and every hash of the deployment against what is in it, then prints what spec/kinds/logos_spec.lua
holds. Run by hand.
"""
import hashlib
import ipaddress
import sys

import yaml
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from poseidon2 import R, compress, note_id, num, text


def h(tag, data):
    return hashlib.blake2b(tag.encode() + data, digest_size=32).digest()


def le(v, n):
    return v.to_bytes(n, "little")


def tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        return (suffix, node.value)
    return (suffix, loader.construct_mapping(node, deep=True))


yaml.SafeLoader.add_multi_constructor("!", tagged)


def load(path):
    with open(path, encoding="utf-8") as f:
        return yaml.safe_load(f)


def multiaddr(locator):
    _, ip4, host, udp, port, quic = locator.split("/")
    assert (ip4, udp, quic) == ("ip4", "udp", "quic-v1")
    return b"\x04" + ipaddress.IPv4Address(host).packed + b"\x91\x02" + int(port).to_bytes(2, "big") + b"\xcd\x03"


deployment, users = load(sys.argv[1]), [load(path) for path in sys.argv[2:]]
for user in users:
    for name, (kind, secret) in user["kms"]["backend"]["keys"].items():
        secret = bytes.fromhex(secret)
        if kind == "Zk":
            assert num(secret) < R
            assert text(compress(num(b"KDF"), num(secret))) == name
        else:
            key = Ed25519PrivateKey.from_private_bytes(secret).public_key()
            assert key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() == name

block = deployment["cryptarchia"]["genesis_block"]
transfer, inscribe, declare = block["transactions"][0]["mantle_tx"]["ops"]
assert (transfer["opcode"], inscribe["opcode"], declare["opcode"]) == (0, 17, 32)
p = transfer["payload"]
spent = bytes([len(p["inputs"])]) + bytes([len(p["outputs"])])
for note in p["outputs"]:
    spent += le(note["value"], 8) + bytes.fromhex(note["pk"])
op = h("OPERATION_ID_V1", spent)
ids = [text(note_id(op, i, n["value"], num(bytes.fromhex(n["pk"])))) for i, n in enumerate(p["outputs"])]
p = inscribe["payload"]
stone = bytes.fromhex(p["inscription"])
written = bytes.fromhex(p["channel_id"]) + le(len(stone), 4) + stone + bytes.fromhex(p["parent"] + p["signer"])
p = declare["payload"]
addresses = [multiaddr(a) for a in p["locators"]]
declared = bytes([0, len(addresses)]) + b"".join(le(len(a), 2) + a for a in addresses)
declared += bytes.fromhex(p["provider_id"] + p["zk_id"] + p["locked_note_id"])
assert p["locked_note_id"] == ids[2]
assert p["provider_id"] == users[0]["blend"]["non_ephemeral_signing_key_id"]
assert p["zk_id"] == users[0]["blend"]["core"]["zk"]["secret_key_kms_id"]
tx = h("MANTLE_TXHASH_V1", bytes([3, 0]) + spent + bytes([17]) + written + bytes([32]) + declared)
root, length, time = tx, 8, 8  # of the form of June 2026
if "body_root" in block["header"]:  # that of August
    assert block["uncle_headers"] == [] and "block_root" not in block["header"]
    root, length, time = h("BODY_ROOT_V1", bytes([0]) + tx), 1, 4
assert block["header"].get("body_root", block["header"].get("block_root")) == root.hex()
name = int.from_bytes(stone[:length], "little")
assert len(stone) == length + name + time + 32 and num(stone[-32:]) < R
print("chain", stone[length : length + name].decode())
print("genesis_time", int.from_bytes(stone[length + name : -32], "little"))
print("stake_pk", transfer["payload"]["outputs"][0]["pk"])
print("last_note_id", ids[-1])
print("locked_note_id", ids[2])
print("tx_hash", tx.hex())
print("header_id", h("BLOCK_ID_V1", b"\x01" + bytes(32) + le(0, 8) + root + bytes(32 + 32 + 128 + 32)).hex())
