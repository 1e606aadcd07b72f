"""Verifies a file of evidence, written from docs/formats.md alone, with libraries that are not ours.

    verify.py FILE SURVEY-ID          says what the file holds; exit code 1 and the reason if it does not hold
    verify.py FILE SURVEY-ID SEED     then flips bits: all of the file's head, 200 others drawn from the seed
"""

import base64
import hashlib
import json
import random
import sys

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pycose.algorithms import EdDSA
from pycose.headers import Algorithm
from pycose.keys import OKPKey
from pycose.keys.curves import Ed25519
from pycose.messages import CoseMessage, Sign1Message

EVIDENCE = "application/rukun-evidence; v=1"
STATEMENT = "application/rukun-statement; v=1"
CHANGE = "application/rukun-change; v=1"
SUCCESSION_TYPE = "application/rukun-succession; v=1"
ROOT_SUCCESSION_TYPE = "application/rukun-root-succession; v=1"
CHARTER, ENUMERATOR = 1, 4
INKS = ["printed", "pencil", "red", "green", "black"]
ROLES = {1: "district", 2: "coordinator", 3: "supervisor", 4: "enumerator"}
REDRAWN_MAX = 64
FLIPS = 200


class Fault(Exception):
    """Why a file proves nothing."""


def need(holds, what):
    if not holds:
        raise Fault(what)


def encoded(value):
    return cbor2.dumps(value, canonical=True)


def decoded(data):
    """The item in these bytes, which must be its only spelling, to the last byte."""
    value = cbor2.loads(data)
    need(encoded(value) == data, "another spelling, or bytes that follow")
    return value


class Signed:
    """A COSE_Sign1 of one of our types, as pycose reads it."""

    def __init__(self, data, typ):
        decoded(data)
        self.message = CoseMessage.decode(data)
        need(isinstance(self.message, Sign1Message), "no COSE_Sign1")
        need(self.message.phdr == {Algorithm: EdDSA, 16: typ}, f"not of type {typ}")
        need(self.message.uhdr == {}, "an unprotected header")
        need(self.message.encode(sign=False) == data, "more than a COSE_Sign1 holds")

    def check(self, device, external, detached=None):
        """That the device signed it; gives SHA-256 of what it signed."""
        need(len(device) == 32, "a device id of another length")
        need((self.message.payload is None) == (detached is not None), "detached where it is not, or not where it is")
        self.message.key = OKPKey(crv=Ed25519, x=device)
        self.message.external_aad = external
        need(self.message.verify_signature(detached_payload=detached), "the signature does not hold")
        payload = self.message.payload if detached is None else detached
        return hashlib.sha256(encoded(["Signature1", self.message.phdr_encoded, external, payload])).digest()


def check_text(key):
    """32 bytes as people read them: base32 with a check digit after every 13."""
    digits = base64.b32encode(key).decode().rstrip("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    text = ""
    for start in range(0, 52, 13):
        run = digits[start : start + 13]
        total = 0
        for at, letter in enumerate(reversed(run)):
            product = alphabet.index(letter) * (2 - at % 2)
            total += product // 32 + product % 32
        text += run + alphabet[-total % 32]
    return "-".join(text[start : start + 7] for start in range(0, 56, 7))


class Numbers:
    """Bytes read one after the other, with unsigned LEB128."""

    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, count):
        taken = self.data[self.at : self.at + count]
        need(len(taken) == count, "a body that is cut off")
        self.at += count
        return taken

    def leb(self):
        value, shift = 0, 0
        while True:
            byte = self.take(1)[0]
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                need(byte != 0 or shift == 7, "a number that is longer than it need be")
                return value


def opened(body):
    """An Automerge chunk: its hash, the causes that it names, its actor."""
    need(body[:4] == bytes.fromhex("856f4a83") and body[8:9] == b"\x01", "no change chunk of Automerge")
    cause = hashlib.sha256(body[8:]).digest()
    need(body[4:8] == cause[:4], "the checksum of a body")
    inside = Numbers(body[9:])
    need(inside.leb() == len(inside.data) - inside.at, "the length of a body")
    causes = [inside.take(32) for _ in range(inside.leb())]
    actor = inside.take(inside.leb())
    return cause, causes, actor


def founded(first):
    """The survey id and the root."""
    charter = Signed(first, STATEMENT)
    kind, root, _, n, _ = decoded(charter.message.payload)
    need(kind == CHARTER and n > 0, "the first statement is no charter")
    return charter.check(root, b""), root


class Said:
    """What the statements after the charter say, each checked as it comes."""

    def __init__(self, survey, root):
        self.survey, self.seats = survey, {survey: root}
        self.ids, self.grants, self.revocations, self.lists = set(), {}, {}, {}
        self.decided, self.came, self.forks, self.redrawn = {}, {}, 0, 0

    def take(self, data):
        signed = Signed(data, STATEMENT)
        kind, issuer, _, n, said = decoded(signed.message.payload)
        need(n > 0 and kind in RULES, f"kind {kind} has no rules")
        statement_id = signed.check(issuer, self.survey)
        need(statement_id not in self.ids, "a statement twice")
        RULES[kind](self, statement_id, issuer, said)
        self.ids.add(statement_id)

    def role(self, issuer, parent):
        """The role of the issuer in the grant that it rests on; 0 is the root."""
        if parent in self.seats:
            need(issuer == self.seats[parent], "only a root rests on the charter, or on what made it root")
            return 0
        need(parent in self.grants, "a statement that rests on none")
        need(self.grants[parent]["subject"] == issuer, "a statement that rests on another's grant")
        return self.grants[parent]["role"]

    def within(self, parent, *homes):
        inside = parent in self.seats or all(
            any(home.startswith(region) for region in self.grants[parent]["regions"]) for home in homes
        )
        need(inside, "a word about a place that its issuer does not cover")

    def grant(self, statement_id, issuer, said):
        parent, subject, role, regions, _, name = said
        above = self.role(issuer, parent)
        need(role in ROLES and (role == 1) == (above == 0), "only the root grants a district, and nothing else")
        need(above < role, "a role that may not grant this one")
        if above:
            wide = self.grants[parent]["regions"]
            inside = all(any(region.startswith(one) for one in wide) for region in regions)
            need(inside, "a grant that is wider than the one that it rests on")
        self.grants[statement_id] = {"subject": subject, "role": role, "regions": regions, "name": name}

    def revocation(self, statement_id, issuer, said):
        parent, _, _, _, lists, _ = said
        need(self.role(issuer, parent) != ENUMERATOR, "an enumerator revokes nobody")
        self.revocations[statement_id] = (issuer, {bytes(home): digest for home, digest in lists})

    def fork(self, _, issuer, said):
        parent, first, second = said
        self.role(issuer, parent)
        branches = [self.header(first), self.header(second)]
        need(branches[0][:2] == branches[1][:2] and branches[0] != branches[1], "no fork")
        self.forks += 1

    def header(self, data):
        """Device and incarnation, number, and hash of a signed header."""
        *payload, signature = decoded(data)
        signed = structure(CHANGE, self.survey, encoded(payload))
        held(payload[0], signature, signed)
        return (payload[0] + payload[1], payload[2], hashlib.sha256(signed).digest())

    def decision(self, _, issuer, said):
        parent, home, upheld, changes, _ = said
        need(self.role(issuer, parent) != ENUMERATOR, "an enumerator decides nothing")
        self.within(parent, home.hex())
        for change in changes:
            self.decided.setdefault(change, []).append(bool(upheld))

    def transfer(self, _, issuer, said):
        parent, origin, goal = said
        need(self.role(issuer, parent) <= 1 and origin != goal, "only a district moves a record")
        self.within(parent, origin[:8].hex(), goal[:8].hex())
        self.came[goal] = origin

    def erasure(self, _, issuer, said):
        parent, record, _ = said
        need(self.role(issuer, parent) <= 1, "only a district erases a record")
        self.within(parent, record[:8].hex())

    def kept(self, _, issuer, said):
        revocation, home, changes = said
        need(revocation in self.revocations, "a list of no revocation")
        by, lists = self.revocations[revocation]
        digest = hashlib.sha256(b"".join(changes)).digest()
        need(by == issuer and lists.get(bytes(home)) == digest, "not the list that its revocation names")

    def redrawing(self, _, issuer, said):
        parent, before, after, _ = said
        need(self.role(issuer, parent) <= 1, "only a district redraws sub-SLS")
        codes = [code for code, _ in after]
        need(all(len(code) == 8 and code.hex().isdigit() for code in before + codes), "no sub-SLS")
        need(before == sorted(set(before)) and codes == sorted(set(codes)), "places out of order")
        renamed = len(before) == 1 and codes == before and after[0][1] != ""
        split, merged = len(before) == 1 < len(codes), len(codes) == 1 < len(before)
        need(renamed or split or merged, "neither a split, nor a merge, nor a rename")
        need(max(len(before), len(codes)) <= REDRAWN_MAX, "too many places")
        self.within(parent, *(code.hex() for code in before + codes))
        self.redrawn += 1

    def succession(self, statement_id, issuer, said):
        parent, successor, consent = said
        need(self.role(issuer, parent) == ENUMERATOR, "only an enumerator's key is followed by another")
        held(successor, consent, structure(SUCCESSION_TYPE, self.survey, issuer))
        need(successor != issuer, "a key that follows itself")
        self.grants[statement_id] = {**self.grants[parent], "subject": successor}

    def root_succession(self, statement_id, issuer, said):
        parent, successor, consent, _ = said
        need(self.role(issuer, parent) == 0, "only a root is followed by another root")
        held(successor, consent, structure(ROOT_SUCCESSION_TYPE, self.survey, issuer))
        need(successor != issuer, "a root that follows itself")
        self.seats[statement_id] = successor


RULES = {
    2: Said.grant,
    3: Said.revocation,
    4: Said.fork,
    6: Said.decision,
    7: Said.transfer,
    8: Said.erasure,
    9: Said.kept,
    11: Said.succession,
    12: Said.redrawing,
    13: Said.root_succession,
}


def structure(typ, external, payload):
    """What a COSE_Sign1 of this type signs."""
    return encoded(["Signature1", encoded({1: -8, 16: typ}), external, payload])


def held(device, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(device).verify(signature, message)
    except InvalidSignature:
        raise Fault("a signature within a statement does not hold") from None


def covered(grants, device, home):
    """The grants by which the device ever had this place."""
    return [
        grant
        for grant in grants.values()
        if grant["subject"] == device and any(home.startswith(region) for region in grant["regions"])
    ]


def checked(changes, record, said):
    """The changes, each behind those that it follows."""
    home, causes_held, ids, told = record[:8].hex(), set(), set(), []
    for device, incarnation, n, of_record, ink, seen, body, sign1 in changes:
        need(of_record == record, "a change of another record")
        need(n > 0 and ink in range(len(INKS)), "a number or an ink that there is not")
        cause, causes, actor = opened(body)
        payload = encoded([device, incarnation, n, record, ink, cause, seen])
        change_id = Signed(sign1, CHANGE).check(device, said.survey, payload)
        need(change_id not in ids, "a change twice")
        need(actor == hashlib.sha256(device + incarnation).digest()[:16], "an actor that is not the author's")
        need(all((ink, named) in causes_held for named in causes), "a cause that is not before it")
        lower = [{(below, head) for below in range(ink)} & causes_held for head in seen]
        need(all(lower) and seen == sorted(set(seen)), "a head that is not before it")
        by = covered(said.grants, device, home)
        need(by, "an author who was never granted the place")
        causes_held.add((ink, cause))
        ids.add(change_id)
        line = {"change": change_id.hex(), "ink": INKS[ink], "author": by[-1]["name"], "n": n}
        told.append({**line, "decided": said.decided.get(change_id, [])})
    need(told, "no change")
    return told


def shown(record):
    return f"{record[:8].hex()}-{record[8:].hex()}"


def verified(data, expected):
    """What the file says, if all of it holds."""
    try:
        file = Signed(data, EVIDENCE)
        exporter, time_ms, record, statements, changes = decoded(file.message.payload)
        need(len(record) == 16 and isinstance(time_ms, int), "no record")
        survey, root = founded(statements[0])
        need(check_text(survey) == expected, f"it is of survey {check_text(survey)}")
        file.check(exporter, survey)
        said = Said(survey, root)
        for statement in statements[1:]:
            said.take(statement)
        need(covered(said.grants, exporter, record[:8].hex()), "an exporter who was never granted the place")
        told = checked(changes, record, said)
    except Fault:
        raise
    except Exception as error:  # Libraries say in many ways that bytes are not what they should be.
        raise Fault(f"malformed: {error!r}") from error
    return {
        "record": shown(record),
        "survey": check_text(survey),
        "exporter": check_text(exporter),
        "statements": len(statements),
        "revocations": len(said.revocations),
        "forks": said.forks,
        "redrawn": said.redrawn,
        "came": shown(said.came[record]) if record in said.came else None,
        "changes": told,
    }


def flipped(data, expected, seed):
    """Flips one bit after another, each of which must be noticed; gives how many."""
    head = len(data) - len(decoded(data).value[2]) - 66
    bits = list(range(8 * head)) + random.Random(seed).sample(range(8 * head, 8 * len(data)), FLIPS)
    for bit in bits:
        other = bytearray(data)
        other[bit // 8] ^= 1 << bit % 8
        try:
            verified(bytes(other), expected)
        except Fault:
            continue
        raise Fault(f"bit {bit % 8} of byte {bit // 8} may change and nobody notices")
    return len(bits)


def main(path, expected, seed=None):
    with open(path, "rb") as file:
        data = file.read()
    try:
        told = verified(data, expected)
        if seed is not None:
            told["flipped"] = flipped(data, expected, int(seed))
    except Fault as fault:
        sys.exit(f"{path} proves nothing: {fault}")
    print(json.dumps(told))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
