//! The verbs about sub-SLS that are split, merged or renamed: sls-redraw, sls-list.

use rukun_authority::{Drawn, RedrawingKind, Role};
use rukun_change::SubSls;
use rukun_replica::{Redrawn, Replica};

use super::error::VerbError;
use super::request::Drawing;
use super::shape::{DrawnShape, RedrawnListShape, RedrawnShape, RetiredShape};
use super::teller::owner;

pub(super) fn redraw(
    replica: &mut Replica,
    from: Vec<SubSls>,
    to: Vec<Drawing>,
) -> Result<RedrawnShape, VerbError> {
    let drawn = |drawing: Drawing| Drawn { sub_sls: drawing.code, name: drawing.name.trim().into() };
    let redrawn = replica.redraw(from, to.into_iter().map(drawn).collect())?;
    Ok(told(replica, redrawn))
}

pub(super) fn list(replica: &mut Replica) -> Result<RedrawnListShape, VerbError> {
    let redrawings = replica.redrawings()?.into_iter();
    Ok(RedrawnListShape { redrawings: redrawings.map(|redrawn| told(replica, redrawn)).collect() })
}

/// What a sub-SLS is called, if anybody named it.
pub(super) fn place(replica: &Replica, home: &SubSls) -> Option<String> {
    replica.trust().and_then(|trust| trust.place_name(home)).map(String::from)
}

fn told(replica: &Replica, redrawn: Redrawn) -> RedrawnShape {
    let drawn = |drawn: Drawn| DrawnShape {
        code: drawn.sub_sls.to_string(),
        place: place(replica, &drawn.sub_sls),
        assigned: unassigned(replica, [drawn.sub_sls]).is_empty(),
        name: drawn.name,
    };
    let retired = |(home, records): (SubSls, u64)| {
        let into = replica.trust().and_then(|trust| trust.redrawn_into(&home)).unwrap_or_default();
        let into = into.iter().map(SubSls::to_string).collect();
        RetiredShape { code: home.to_string(), place: place(replica, &home), into, records }
    };
    let kind = match redrawn.kind {
        RedrawingKind::Split => "split",
        RedrawingKind::Merge => "merge",
        RedrawingKind::Rename => "rename",
    };
    RedrawnShape {
        redrawing: redrawn.statement.to_string(),
        kind: kind.into(),
        from: redrawn.from.iter().map(SubSls::to_string).collect(),
        to: redrawn.to.into_iter().map(drawn).collect(),
        by: owner(replica, &redrawn.issuer),
        device: redrawn.issuer.to_string(),
        counts: redrawn.counts,
        retired: redrawn.retired.into_iter().map(retired).collect(),
    }
}

/// Those of these sub-SLS that no enumerator is granted.
pub(super) fn unassigned(replica: &Replica, homes: impl IntoIterator<Item = SubSls>) -> Vec<String> {
    let grants = replica.trust().map(rukun_authority::Trust::grants).unwrap_or_default();
    let enumerators = grants.iter().filter(|grant| grant.role == Role::Enumerator && !grant.revoked);
    let granted: Vec<_> = enumerators.flat_map(|grant| &grant.in_force).collect();
    let is_free = |home: &SubSls| !granted.iter().any(|region| region.covers_sub_sls(home));
    homes.into_iter().filter(is_free).map(|home| home.to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::super::{GrantsShape, ImportShape, PrelistRow, RecordsShape, Request, WrittenShape};
    use super::*;
    use crate::node::tests::district;

    const OLD: &str = "1811010005000300";
    const NEW: &str = "1811010005001500";

    fn drawing(code: &str, name: &str) -> Drawing {
        Drawing { code: code.parse().unwrap(), name: name.into() }
    }

    #[test]
    fn a_merged_place_takes_no_row_of_a_prelist_and_its_families_are_counted_until_they_are_moved() {
        let (_parent, mut node) = district();
        let add = |region: &str| Request::RecordAdd {
            region: region.into(),
            ink: None,
            patch: None,
            set: vec!["r108=Siti".into()],
        };
        let written: WrittenShape = node.ask(add(OLD)).unwrap();
        let from = [OLD, NEW].map(|code| code.parse().unwrap()).into();
        let merged: RedrawnShape =
            node.ask(Request::SlsRedraw { from, to: vec![drawing(NEW, " RT 015 ")] }).unwrap();
        assert_eq!((merged.kind.as_str(), merged.to[0].place.as_deref()), ("merge", Some("RT 015")));
        assert!(!merged.to[0].assigned && merged.by == "BPS Kabupaten Mesuji");
        let left = |node: &mut crate::node::Node| {
            let list: RedrawnListShape = node.ask(Request::SlsList).unwrap();
            list.redrawings[0]
                .retired
                .iter()
                .map(|left| (left.code.clone(), left.records))
                .collect::<Vec<_>>()
        };
        assert_eq!(left(&mut node), [(OLD.to_owned(), 1)]);
        let refused = node.ask::<WrittenShape>(add(OLD)).unwrap_err();
        assert!(refused.status == 409 && refused.message.contains(NEW), "{refused}");
        let row = |line, region: &str| PrelistRow {
            line,
            region: region.into(),
            cells: vec![("r108".into(), "Budi".into())],
        };
        let import: ImportShape = node.ask(Request::Import { rows: vec![row(2, OLD), row(3, NEW)] }).unwrap();
        assert_eq!((import.added, import.bad.len()), (1, 1));
        assert!(import.bad[0].line == 2 && import.bad[0].column == "region", "{:?}", import.bad);
        assert!(import.bad[0].message.contains(NEW), "{:?}", import.bad);
        node.ask::<serde_json::Value>(Request::Transfer { record: written.record, to: NEW.into() }).unwrap();
        assert_eq!(left(&mut node), [(OLD.to_owned(), 0)]);
        let list = Request::RecordList { region: Some(NEW.into()), after: None, limit: None };
        let list: RecordsShape = node.ask(list).unwrap();
        assert_eq!(list.records.len(), 2);
        assert!(list.records.iter().all(|line| line.place.as_deref() == Some("RT 015")));
        let grants: GrantsShape = node.ask(Request::Grants).unwrap();
        assert_eq!(grants.grants.len(), 1, "redrawing grants nobody anything");
    }

    #[test]
    fn what_is_no_change_of_sub_sls_is_refused_and_nothing_is_said() {
        let (_parent, mut node) = district();
        let from = [OLD, NEW].map(|code| code.parse().unwrap()).into();
        let to = vec![drawing(OLD, ""), drawing(NEW, "")];
        let refused = node.ask::<RedrawnShape>(Request::SlsRedraw { from, to }).unwrap_err();
        assert_eq!(refused.status, 422, "{refused}");
        let list: RedrawnListShape = node.ask(Request::SlsList).unwrap();
        assert!(list.redrawings.is_empty());
    }
}
