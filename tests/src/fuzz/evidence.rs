//! Files of evidence: any bytes, any payload under an honest device's signature, and what honest and
//! lying devices wrote, with parts left out, doubled or exchanged and signed anew. What is verified has
//! a path of grants for all that it shows, and no bit to spare.

use rukun_authority::{EVIDENCE_TYPE, Statement, vouch};
use rukun_change::cose::Sign1;
use rukun_document::Reading;
use rukun_evidence::{Evidence, ExportError, Flaw, SignedEvidence, VerifiedEvidence, export};

use super::change;
use super::input::Input;
use super::people::{self, ANI, Device, Held, LIARS, MALLORY, OFFICE, SUPERVISOR};

pub(super) fn run(data: &[u8]) {
    is_proof(data);
}

/// Whether what the bytes make is believed.
fn is_proof(data: &[u8]) -> bool {
    let mut input = Input::new(data);
    match input.below(3) {
        0 => look_through(input.rest()),
        1 => {
            let payload = input.rest();
            let signature = vouch(OFFICE.keypair(), &people::survey().id, payload);
            look_through(&Sign1 { payload: Some(payload), signature }.to_bytes(EVIDENCE_TYPE))
        }
        _ => put_together(&mut input),
    }
}

fn look_through(bytes: &[u8]) -> bool {
    let Ok(signed) = SignedEvidence::from_bytes(bytes) else { return false };
    assert_eq!(signed.to_bytes(), bytes, "evidence has two spellings");
    let verified = VerifiedEvidence::verify(&signed, None);
    verified.is_ok_and(|verified| {
        is_proven(&verified, &signed);
        true
    })
}

/// All statements of the survey.
fn statements() -> Vec<Statement> {
    let survey = people::survey();
    [&survey.charter].into_iter().chain(&survey.grants).cloned().collect()
}

/// The evidence of an honest node that let some lies in.
fn put_together(input: &mut Input<'_>) -> bool {
    let devices: Vec<Device> = [OFFICE, SUPERVISOR, ANI].into_iter().chain(LIARS).collect();
    let exporter = input.pick(&devices);
    let (act, one, other) = (input.below(8), input.byte(), input.byte());
    let held = change::admitted(input.rest());
    match of_record(exporter, &held) {
        Ok(bytes) => {
            assert!(look_through(&bytes), "what was exported is believed");
            no_bit_is_spare(&bytes, usize::from(one) << 8 | usize::from(other));
            let signed = SignedEvidence::from_bytes(&bytes).expect("what was exported is read");
            let spoilt = spoilt(signed.evidence, act, usize::from(one), usize::from(other));
            look_through(&spoilt.sign(exporter.keypair(), &people::survey().id).to_bytes())
        }
        // A number used in another record too, or a device that has no grant there.
        Err(ExportError::Differs { .. } | ExportError::Flaw(Flaw::Stranger { .. })) => false,
        Err(error) => panic!("what a node holds is no evidence: {error}"),
    }
}

fn of_record(exporter: Device, held: &Held) -> Result<Vec<u8>, ExportError> {
    let reading = Reading::read(people::record(5), held);
    let of_record: Held =
        held.iter().filter(|(change, _)| change.change().record == *reading.id()).cloned().collect();
    export(exporter.keypair(), 7, &people::survey().trust, &statements(), &of_record, &reading)
}

/// One part left out, doubled or exchanged for another.
fn spoilt(mut evidence: Evidence, act: usize, one: usize, other: usize) -> Evidence {
    let (statements, changes) = (&mut evidence.statements, &mut evidence.changes);
    let statement = |at: usize| at % statements.len();
    let (from, to) = (statement(one), statement(other));
    let (first, second) = (one % changes.len(), other % changes.len());
    match act {
        0 => drop(statements.remove(from)),
        1 => statements.insert(to, statements[from].clone()),
        2 => statements.swap(from, to),
        3 => statements.extend(people::survey().grants.get(other).cloned()),
        4 => drop(changes.remove(first)),
        5 => changes.insert(second, changes[first].clone()),
        6 => changes.swap(first, second),
        _ => changes[first].signature = changes[second].signature,
    }
    evidence
}

fn no_bit_is_spare(bytes: &[u8], place: usize) {
    let mut flipped = bytes.to_vec();
    let bit = place % (8 * bytes.len());
    flipped[bit / 8] ^= 1 << (bit % 8);
    if let Ok(signed) = SignedEvidence::from_bytes(&flipped) {
        assert!(VerifiedEvidence::verify(&signed, None).is_err(), "bit {bit} may change");
    }
}

/// Whoever wrote in the record, or vouches for it, was granted that in steps from the root down.
fn is_proven(verified: &VerifiedEvidence, signed: &SignedEvidence) {
    let (trust, reading) = (verified.trust(), verified.reading());
    let home = reading.id().home();
    assert_eq!(reading.log().len(), signed.evidence.changes.len(), "a change is not shown");
    assert!(trust.ever_covered(verified.exporter(), &home));
    for logged in reading.log() {
        let device = logged.author.device;
        let path = verified.path(&device, logged.ink);
        assert_eq!(path.last().map(|grant| grant.subject), Some(device), "a change without a path");
        let mut above = *trust.root();
        for grant in path {
            assert_eq!(grant.issuer, above, "a path with a gap");
            assert!(grant.regions.iter().any(|region| region.covers_sub_sls(&home)));
            above = grant.subject;
        }
        if logged.standing.is_good() {
            assert!(trust.ever_wrote(&device, &home, logged.ink));
        }
    }
    drop((reading.to_json().to_string(), verified.path(&MALLORY.key(), rukun_change::Ink::Black)));
}

/// The evidence of honest work alone.
pub(super) fn honest() -> Vec<u8> {
    of_record(OFFICE, people::honest_work()).expect("honest work is evidence")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fuzzing_starts_from_is_believed_where_nothing_is_spoilt() {
        let seeds: Vec<(String, bool)> = super::super::seeds::evidence()
            .iter()
            .map(|(name, seed)| (name.clone(), is_proof(seed)))
            .collect();
        let believed = |wanted: &str| seeds.iter().any(|(name, believed)| name == wanted && *believed);
        for (name, expected) in [("file", true), ("payload", true), ("cut", false), ("spoilt-0", false)] {
            assert_eq!(believed(name), expected, "{name}: {seeds:?}");
        }
        assert!(seeds.iter().filter(|(_, believed)| *believed).count() < seeds.len() / 2, "{seeds:?}");
    }
}
