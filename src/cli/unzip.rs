//! A verified bundle from a ZIP file into a new folder.

use std::fs::File;
use std::io;
use std::path::Path;

use super::failure::Failure;
use super::files::create_new;

/// Unpacks. The verifier has refused names that lead elsewhere; here they are refused once more.
pub(super) fn unpack(zip: &Path, folder: &Path) -> Result<(), Failure> {
    let failed = |error: &dyn std::error::Error| {
        Failure::new(format!("cannot unpack into {}", folder.display())).because(error)
    };
    let file = File::open(zip).map_err(|error| failed(&error))?;
    let mut archive = zip::ZipArchive::new(io::BufReader::new(file)).map_err(|error| failed(&error))?;
    std::fs::create_dir(folder).map_err(|error| failed(&error))?;
    for index in 0..archive.len() {
        let mut entry = archive.by_index(index).map_err(|error| failed(&error))?;
        let Some(name) = entry.enclosed_name() else {
            return Err(Failure::new("the bundle names a file outside its folder"));
        };
        let path = folder.join(name);
        if entry.is_dir() {
            std::fs::create_dir_all(&path).map_err(|error| failed(&error))?;
            continue;
        }
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(|error| failed(&error))?;
        }
        io::copy(&mut entry, &mut create_new(&path)?).map_err(|error| failed(&error))?;
    }
    Ok(())
}
