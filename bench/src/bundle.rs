//! A bundle with a long history, written by nothing but the core.

use std::fs;
use std::path::Path;

use crate::Failure;
use crate::support::bundle::{Options, export};
use crate::support::{By, story};

/// Writes a bundle of at least so many records, one exhibit to a hundred of them; how many there are.
pub(crate) fn write(folder: &str, records: &str) -> Result<f64, Failure> {
    let records: u64 = records.parse()?;
    let mut story = story(1);
    let (lead, case) = (story.lead.clone(), story.case);
    let mut items = story.items.clone();
    for number in 0..records / 100 {
        items.push(story.vault.put(By::Own(&lead), case, &format!("{number}.txt"), b"sample"));
    }
    while story.vault.size() < records {
        for item in &items {
            story.vault.view(By::Own(&lead), case, *item);
        }
    }
    let bundle = export(&mut story.vault, By::Own(&lead), case, &Options::default());
    for (path, bytes) in &bundle.files {
        let path = Path::new(folder).join(path);
        fs::create_dir_all(path.parent().unwrap_or(Path::new(folder)))?;
        fs::write(path, bytes)?;
    }
    let count = bundle.record_lines().len();
    #[expect(clippy::cast_precision_loss, reason = "a count of records, far below 2^52")]
    Ok(count as f64)
}
