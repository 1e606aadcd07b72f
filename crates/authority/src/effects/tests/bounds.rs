//! What one issuer can say without end costs no more than what it says.

use super::*;
use crate::limits::SUCCESSIONS_MAX;

const WORDS: u64 = 40;

#[test]
fn what_is_granted_and_revoked_without_end_takes_room_for_each_word_and_for_no_pair_of_them() {
    let Tiers { mut trust, koseka, pml, .. } = tiers();
    for n in 1..=WORDS {
        let again = grant(pml, ACCOMPLICE, Role::Enumerator, &["18110100050003"], n);
        take(&mut trust, &say(PML, n, Said::Grant(again)));
        take(&mut trust, &say(PML, WORDS + n, revocation(pml, ACCOMPLICE)));
    }
    take(&mut trust, &say(KOSEKA, 1, revocation(koseka, PPL)));
    let by_path = trust.effects().by_tier.iter().flat_map(BTreeMap::values).flat_map(BTreeMap::values);
    assert_eq!(by_path.map(std::collections::BTreeSet::len).sum::<usize>() as u64, WORDS + 1);
    let views = trust.revocations_of(&key(ACCOMPLICE));
    assert!(views.len() as u64 == WORDS && views.iter().all(|view| view.counts));
    assert!(trust.grants_of(&key(ACCOMPLICE)).iter().all(|grant| grant.revoked && grant.in_force.is_empty()));
}

#[test]
fn only_so_many_keys_follow_one_another_and_a_new_grant_begins_anew() {
    let Tiers { mut trust, pml, ppl, .. } = tiers();
    let follow = |parent, old: u8, new: u8| {
        let said = Succession::consented(parent, &keypair(new), &key(old), &survey());
        say(old, 1, Said::Succession(said))
    };
    let (mut parent, mut old) = (ppl, PPL);
    for new in (20..).take(SUCCESSIONS_MAX) {
        parent = take(&mut trust, &follow(parent, old, new));
        old = new;
    }
    assert_eq!(trust.reads(&key(old)), ["18110100050003".parse().unwrap()]);
    let one_more = trust.judge_statement(&follow(parent, old, 99));
    let refusal = StatementRefusal::FollowsTooMany { max: SUCCESSIONS_MAX };
    assert_eq!(one_more, StatementVerdict::Refuse(refusal));
    let anew = grant(pml, old, Role::Enumerator, &["18110100050003"], 1);
    let anew = take(&mut trust, &say(PML, 1, Said::Grant(anew)));
    take(&mut trust, &follow(anew, old, 99));
    assert_eq!(trust.keys_before(&anew), 0);
}
