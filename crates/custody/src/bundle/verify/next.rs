//! Reading on in the files of lines.

use super::Notes;
use crate::bundle::findings::Code;
use crate::bundle::layout::PROOFS;
use crate::bundle::lines::ProofLine;
use crate::bundle::read::{Files, Line, Lines, ReadError};

/// The next line; nothing at the end or where the file breaks off.
pub(super) fn next_line(
    files: &mut dyn Files,
    lines: &mut Lines,
    path: &str,
    notes: &mut Notes,
) -> Result<Option<Vec<u8>>, ReadError> {
    let why = match lines.next(files) {
        Ok(Line::Text(line)) => return Ok(Some(line.to_vec())),
        Ok(Line::End) => return Ok(None),
        Ok(Line::TooLong) => "a line is too long".to_owned(),
        Ok(Line::Cut) => "the last line is cut".to_owned(),
        Err(ReadError::Damaged(why)) => why,
        Err(failed) => return Err(failed),
    };
    notes.find(Code::Changed, path, None, why);
    Ok(None)
}

/// The proof that belongs to the record at `index`.
pub(super) fn next_proof(
    files: &mut dyn Files,
    proofs: Option<&mut Lines>,
    index: u64,
    notes: &mut Notes,
) -> Result<Option<ProofLine>, ReadError> {
    let Some(proofs) = proofs else { return Ok(None) };
    let Some(line) = next_line(files, proofs, PROOFS, notes)? else {
        notes.find(Code::Missing, PROOFS, Some(index), "there is no proof for this record");
        return Ok(None);
    };
    match ProofLine::parse(&line) {
        Ok(proof) if proof.index == index => return Ok(Some(proof)),
        Ok(proof) => {
            let detail = format!("line {}: a proof of record {} stands here", proofs.number(), proof.index);
            notes.find(Code::Changed, PROOFS, Some(index), detail);
        }
        Err(error) => notes.find(Code::Changed, PROOFS, Some(index), error.to_string()),
    }
    Ok(None)
}
