//! Rust text as far as the tests need it: tokens without comments and literals, and the paths of a
//! `use` tree. No grammar beyond that.

/// Identifiers, `::` and single characters of punctuation, in order.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => string_length(rest),
            '\'' => character_length(rest),
            'r' | 'b' if raw_string_length(rest).is_some() => raw_string_length(rest).unwrap(),
            ':' if rest.starts_with("::") => {
                tokens.push("::".into());
                2
            }
            _ if first.is_alphanumeric() || first == '_' => {
                let is_part = |letter: char| letter.is_alphanumeric() || letter == '_';
                let end = rest.find(|letter| !is_part(letter)).unwrap_or(rest.len());
                tokens.push(rest[..end].into());
                end
            }
            _ => {
                if !first.is_whitespace() {
                    tokens.push(first.into());
                }
                first.len_utf8()
            }
        };
        rest = &rest[length..];
    }
    tokens
}

fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character in quotes, or of the quote alone where a lifetime begins.
fn character_length(text: &str) -> usize {
    let mut letters = text.char_indices().skip(1);
    match (letters.next(), letters.next()) {
        (Some((_, '\\')), Some((at, _))) => text[at + 1..].find('\'').map_or(1, |end| at + end + 2),
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 1,
    }
}

fn raw_string_length(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let content = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = text.len() - content.len();
    Some(content.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// One path of a `use` tree and the name that it brings into scope.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct UsePath {
    pub(crate) segments: Vec<String>,
    pub(crate) name: String,
}

/// The paths of the tree, or the single path, that begins at a token.
pub(crate) fn paths_at(tokens: &[String], at: usize) -> Vec<UsePath> {
    let mut found = Vec::new();
    read_tree(tokens, at, &mut Vec::new(), &mut found);
    found
}

fn read_tree(
    tokens: &[String],
    mut at: usize,
    segments: &mut Vec<String>,
    found: &mut Vec<UsePath>,
) -> usize {
    let token = |at: usize| tokens.get(at).map(String::as_str);
    let depth = segments.len();
    loop {
        match token(at) {
            Some("{") => {
                at += 1;
                while token(at).is_some_and(|token| token != "}") {
                    at = read_tree(tokens, at, segments, found);
                    at += usize::from(token(at) == Some(","));
                }
                at += 1;
                break;
            }
            Some(segment)
                if segment == "*" || segment.starts_with(|c: char| c.is_alphabetic() || c == '_') =>
            {
                segments.push(segment.into());
                at += 1;
                if token(at) == Some("::") {
                    at += 1;
                    continue;
                }
                if segments.last().is_some_and(|last| last == "self") && segments.len() > 1 {
                    segments.pop();
                }
                let mut name = segments.last().unwrap().clone();
                if token(at) == Some("as") {
                    name = token(at + 1).unwrap_or_default().into();
                    at += 2;
                }
                found.push(UsePath { segments: segments.clone(), name });
                break;
            }
            // The end of a path such as `crate::made::<T>`, or what this reader does not know.
            _ => {
                if segments.len() > depth {
                    found
                        .push(UsePath { name: segments.last().unwrap().clone(), segments: segments.clone() });
                }
                at += usize::from(segments.len() == depth);
                break;
            }
        }
    }
    segments.truncate(depth);
    at
}

#[test]
fn comments_and_literals_leave_no_tokens() {
    let text = r##"let a = "crate::x \" //"; // crate::y
        fn f<'a>(c: char) -> bool { c == '"' || c == '\'' || c == 'x' } /* crate::z */ r#"crate::"q"# "##;
    let found = tokens(text);
    assert!(!found.iter().any(|token| ["crate", "x", "y", "z", "q"].contains(&token.as_str())), "{found:?}");
    assert_eq!(found.iter().filter(|token| *token == "c").count(), 4);
}

#[test]
fn a_use_tree_becomes_its_paths() {
    let found = paths_at(&tokens("crate::table::{self, Cells, deep::{A as B, *}};"), 0);
    let found: Vec<String> =
        found.iter().map(|path| format!("{} {}", path.segments.join("::"), path.name)).collect();
    let expected = [
        "crate::table table",
        "crate::table::Cells Cells",
        "crate::table::deep::A B",
        "crate::table::deep::* *",
    ];
    assert_eq!(found, expected);
    let found = paths_at(&tokens("crate::made::<u8>()"), 0);
    assert_eq!(found[0].segments, ["crate", "made"]);
}
