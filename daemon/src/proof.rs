//! How a daemon proves that it is the one whose note lies in the folder: what it is asked, hashed under the token. The
//! port may be another program's by now, which must neither learn the token nor be believed.

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How long what is asked is.
pub(crate) const NONCE_BYTES: usize = 32;
/// What a proof is made for, so that the token proves nothing else.
const CONTEXT: &[u8] = b"rukun http 1";

/// What the process shows that knows this token, when it is asked this.
pub(crate) fn prove(token: &str, pid: u32, nonce: &[u8; NONCE_BYTES]) -> String {
    HEXLOWER.encode(&mac(token, pid, nonce).finalize().into_bytes())
}

/// Whether what is shown proves it.
pub(crate) fn holds(shown: &str, token: &str, pid: u32, nonce: &[u8; NONCE_BYTES]) -> bool {
    let shown = HEXLOWER.decode(shown.as_bytes());
    shown.is_ok_and(|shown| mac(token, pid, nonce).verify_slice(&shown).is_ok())
}

fn mac(token: &str, pid: u32, nonce: &[u8; NONCE_BYTES]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("a key of any length serves");
    mac.update(CONTEXT);
    mac.update(&pid.to_be_bytes());
    mac.update(nonce);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_holds_for_one_token_one_process_and_one_question() {
        let (token, pid, nonce) = ("5ec2e7", 7, [1; NONCE_BYTES]);
        let shown = prove(token, pid, &nonce);
        assert!(holds(&shown, token, pid, &nonce));
        assert!(!holds(&shown, "5ec2e8", pid, &nonce));
        assert!(!holds(&shown, token, 8, &nonce));
        assert!(!holds(&shown, token, pid, &[2; NONCE_BYTES]));
        for other in ["", "7", &shown[2..], &shown.to_uppercase()] {
            assert!(!holds(other, token, pid, &nonce), "{other:?}");
        }
    }
}
