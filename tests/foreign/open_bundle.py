"""Opens a bundle, written from docs/formats.md alone, with a library that is not ours.

    open_bundle.py FILE SURVEY-ID SEED    the id and the seed of the recipient in hexadecimal; prints the parts as JSON, likewise

Exit code 1 and the reason if it does not open.
"""

import hashlib
import json
import sys

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pyhpke import AEADId, CipherSuite, KDFId, KEMId, OpenError

MAGIC = b"rukun bundle 1\n"
MORE, LAST = b"\x00", b"\x01"
PRIME = 2**255 - 19


def need(holds, what):
    if not holds:
        sys.exit(what)


def exchange_key(device):
    """An Ed25519 key's point on the other form of the curve (RFC 7748, section 4.1)."""
    y = int.from_bytes(device, "little") & (2**255 - 1)
    return ((1 + y) * pow(1 - y, -1, PRIME) % PRIME).to_bytes(32, "little")


def parts(data):
    while data:
        length = int.from_bytes(data[:4], "big")
        need(len(data) >= 4 + length, "it is cut off")
        yield data[4 : 4 + length]
        data = data[4 + length :]


def opened(data, survey, seed):
    need(data.startswith(MAGIC) and len(data) > len(MAGIC) + 96, "it is no bundle")
    head = data[len(MAGIC) :]
    recipient, sender, encapsulated, sealed = head[:32], head[32:64], head[64:96], list(parts(head[96:]))
    own = Ed25519PrivateKey.from_private_bytes(seed).public_key().public_bytes_raw()
    need(recipient == own, "it is for another device")
    suite = CipherSuite.new(KEMId.DHKEM_X25519_HKDF_SHA256, KDFId.HKDF_SHA256, AEADId.CHACHA20_POLY1305)
    secret = suite.kem.deserialize_private_key(hashlib.sha512(seed).digest()[:32])
    by = suite.kem.deserialize_public_key(exchange_key(sender))
    context = suite.create_recipient_context(encapsulated, secret, info=MAGIC + survey + sender + recipient, pks=by)
    frames = [context.open(part, aad=MORE) for part in sealed[:-1]]
    need(context.open(sealed[-1], aad=LAST) == b"", "its last part is not empty")
    return frames


def main(file, survey, seed):
    with open(file, "rb") as bundle:
        data = bundle.read()
    try:
        frames = opened(data, bytes.fromhex(survey), bytes.fromhex(seed))
    except OpenError as error:
        sys.exit(f"it does not open: {error!r}")
    print(json.dumps([frame.hex() for frame in frames]))


main(*sys.argv[1:])
