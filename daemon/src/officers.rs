//! A file of officers into rows. What is wrong with a row as a row is told by line; what a name, a role
//! or a region may be, and who may be invited, is the node's to say.

use std::path::{Path, PathBuf};

use csv::StringRecord;
use serde::Serialize;

use crate::sheet::{Row, Sheet, SheetError};
use crate::verbs::{BadRow, InvitedRow, OfficerRow, VerbError};

/// The columns of the file. The third is as often called by its singular.
const COLUMNS: [&str; 4] = ["name", "role", "regions", "phone"];
const REGION: &str = "region";
/// A district has some hundreds.
const ROWS_MAX: usize = 10_000;

/// What became of a file of officers.
#[derive(Debug, Serialize)]
pub struct Report {
    /// How many rows it has.
    pub rows: usize,
    /// Who is invited now.
    pub invited: Vec<InvitedRow>,
    /// Who was already.
    pub there: Vec<InvitedRow>,
    /// Rows that could not go in; one with several faults has a line for each.
    pub bad: Vec<BadRow>,
    /// Where the cards are, if there are any.
    pub page: Option<PathBuf>,
}

/// Reads a file: its rows, and those that are none.
///
/// # Errors
/// If the file can't be read or its heading is wrong.
pub fn read(path: &Path) -> Result<(Vec<OfficerRow>, Vec<BadRow>), SheetError> {
    let mut sheet = Sheet::open(path)?;
    let places = places(sheet.columns()).map_err(|error| sheet.bad_heading(error))?;
    let (mut rows, mut bad) = (Vec::new(), Vec::new());
    let mut fault = |line, message| bad.push(BadRow { line, column: String::new(), message });
    while let Some(Row { line, cells }) = sheet.next_row()? {
        match cells {
            Err(message) => fault(line, message),
            Ok(_) if rows.len() >= ROWS_MAX => {
                fault(line, format!("a file has {ROWS_MAX} officers at most; put the rest into another one"));
            }
            Ok(cells) => rows.push(row(line, &cells, places)),
        }
    }
    Ok((rows, bad))
}

fn row(line: u64, record: &StringRecord, places: [usize; 4]) -> OfficerRow {
    let [name, role, regions, phone] = places.map(|at| record.get(at).unwrap_or_default());
    let regions = regions.split([' ', ';', ',', '\n']).map(str::trim).filter(|code| !code.is_empty());
    OfficerRow {
        line,
        name: name.into(),
        role: role.into(),
        regions: regions.map(String::from).collect(),
        phone: phone.into(),
    }
}

/// Where each column stands.
fn places(columns: &[String]) -> Result<[usize; 4], VerbError> {
    let remedy = "the first line is: name,role,regions,phone";
    let called = |column: &str| if column == REGION { COLUMNS[2].to_owned() } else { column.to_owned() };
    let columns: Vec<String> = columns.iter().map(|column| called(column)).collect();
    if let Some(unknown) = columns.iter().find(|column| !COLUMNS.contains(&column.as_str())) {
        return Err(VerbError::new(format!("there is no column {unknown:?}"), remedy));
    }
    let mut places = [0; 4];
    for (name, place) in COLUMNS.iter().zip(&mut places) {
        let mut found = columns.iter().enumerate().filter(|(_, column)| column == name).map(|(at, _)| at);
        *place = match (found.next(), found.next()) {
            (Some(at), None) => at,
            (Some(_), Some(_)) => {
                return Err(VerbError::new(format!("the column {name} stands there twice"), remedy));
            }
            (None, _) => return Err(VerbError::new(format!("the column {name} is missing"), remedy)),
        };
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn read_text(text: &[u8]) -> Result<(Vec<OfficerRow>, Vec<BadRow>), SheetError> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text).unwrap();
        read(file.path())
    }

    #[test]
    fn columns_are_found_by_name_and_regions_however_they_are_separated() {
        let text = "Phone,name,role,region\n0812,Siti Aminah,PPL,18110100050003 18110100050004\n\
            \n0813,\"Sri, Ibu\",PML,1811010005;1811010006\n";
        let (rows, bad) = read_text(text.as_bytes()).unwrap();
        assert!(bad.is_empty(), "{bad:?}");
        assert_eq!(rows[0].regions, ["18110100050003", "18110100050004"]);
        assert_eq!((rows[1].line, rows[1].name.as_str(), rows[1].phone.as_str()), (4, "Sri, Ibu", "0813"));
        assert_eq!(rows[1].regions, ["1811010005", "1811010006"]);
    }

    #[test]
    fn a_spreadsheet_s_semicolons_separate_cells() {
        let text = "name;role;regions;phone\nSiti;PPL;18110100050003 18110100050004;0812\n";
        let (rows, _) = read_text(text.as_bytes()).unwrap();
        assert_eq!((rows[0].role.as_str(), rows[0].regions.len()), ("PPL", 2));
    }

    #[test]
    fn a_row_that_is_none_is_named_and_the_others_are_read() {
        let (rows, bad) =
            read_text(b"name,role,regions,phone\nSiti,PPL\nRen\xe9,PPL,1811,1\nBudi,PPL,1811,2\n").unwrap();
        assert_eq!((rows.len(), rows[0].line), (1, 4));
        assert_eq!(bad.iter().map(|bad| bad.line).collect::<Vec<_>>(), [2, 3]);
    }

    #[test]
    fn nobody_is_read_from_a_row_whose_quote_is_not_closed() {
        let text = "name,role,regions,phone\nSiti,PPL,1811,1\n\"Budi,PPL,1811,2\nSri,PPL,1811,3\n";
        let (rows, bad) = read_text(text.as_bytes()).unwrap();
        assert_eq!((rows.len(), rows[0].name.as_str(), bad.len(), bad[0].line), (1, "Siti", 1, 3));
        assert!(bad[0].message.contains("line 3 is not closed"), "{}", bad[0].message);
    }

    #[test]
    fn a_heading_that_lacks_doubles_or_invents_a_column_is_refused() {
        let said = |heading: &str| read_text(heading.as_bytes()).unwrap_err().to_string();
        assert!(said("name,role,regions\n").contains("line 1: the column phone is missing"));
        assert!(said("name,role,regions,region,phone\n").contains("regions stands there twice"));
        assert!(said("nama,role,regions,phone\n").contains("no column \"nama\""));
    }
}
