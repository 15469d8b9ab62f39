"""Checks a Moongate receipt offline, with nothing of Moongate's: python3 check_receipt.py RECEIPT.json LOG-KEY

Needs the module cryptography (pip install cryptography). docs/design/receipts.md explains the four steps.
"""

import base64, hashlib, json, sys
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

receipt, vkey = json.load(open(sys.argv[1])), sys.argv[2]
sha = lambda *parts: hashlib.sha256(b"".join(parts)).digest()
raw = base64.b64decode
counted = lambda text: len(text.encode()).to_bytes(4, "big") + text.encode()

def climb(h, index, size, path):  # RFC 9162, section 2.1.3.2
    assert 0 <= index < size
    last = size - 1
    for sibling in path:
        assert last > 0
        if index % 2 or index == last:
            h = sha(b"\x01", sibling, h)
            while not index % 2 and index:
                index, last = index >> 1, last >> 1
        else:
            h = sha(b"\x01", h, sibling)
        index, last = index >> 1, last >> 1
    assert last == 0
    return h

# 1. the event's leaf
hashes = [sha(b"\x02", raw(g["salt"]), counted(g["audience"]), raw(g["data"])) for g in receipt["groups"]]
hashes = sorted(hashes + [raw(h) for h in receipt["closed"]])
assert hashes and len(hashes) % 4 == 0
leaf = sha(b"\x00\x01", counted(receipt["kind"]), *hashes)

# 2. the event in its interval
interval, entry = receipt["interval"], receipt["entry"].splitlines()
root = climb(leaf, interval["index"], 1 << 20, [raw(h) for h in interval["proof"]])
assert entry[0] == "moongate/interval/v1" and entry[3] == "root " + base64.b64encode(root).decode()

# 3. the interval in the log
head, checkpoint = receipt["proof"].split("\n\n", 1)
version, index, *path = head.split("\n")
origin, size, root = checkpoint.split("\n")[:3]
assert version == "c2sp.org/tlog-proof@v1" and origin == receipt["origin"]
top = climb(sha(b"\x00", receipt["entry"].encode()), int(index.removeprefix("index ")), int(size), [raw(h) for h in path])
assert top == raw(root)

# 4. the log's signature
name, key_hash, key = vkey.split("+", 2)
text, signatures = checkpoint.split("\n\n", 1)
assert name == origin and raw(key)[:1] == b"\x01"
signature = next(raw(s.split(" ")[2]) for s in signatures.splitlines() if s.startswith(f"— {name} ") and raw(s.split(" ")[2])[:4].hex() == key_hash)
Ed25519PublicKey.from_public_bytes(raw(key)[1:]).verify(signature[4:], (text + "\n").encode())

print("good:", receipt["kind"], entry[2], [(g["audience"], raw(g["data"])) for g in receipt["groups"]])
