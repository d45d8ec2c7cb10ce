//! The sample case, carried inside the program. All of it is made up: `samples/README.md`.

use std::path::Path;

use crate::cli::failure::Failure;

macro_rules! files {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_bytes!(concat!("../../samples/case/", $path)))),*]
    };
}

/// Path within the case, and bytes.
const FILES: &[(&str, &[u8])] = files![
    "audio/voice-note-0001.wav",
    "chat/Notes – Ñandú.txt",
    "chat/export.json",
    "chat/export.txt",
    "device/call-log.csv",
    "device/empty.log",
    "documents/Sample inventory form.pdf",
    "photos/IMG_0001.JPG",
    "photos/IMG_0002.JPG",
    "photos/IMG_0003.JPG",
];

/// Writes the sample case into a new folder.
pub(super) fn write(folder: &Path) -> Result<(), Failure> {
    for (path, bytes) in FILES {
        let path = folder.join(path);
        let parent = path.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .and_then(|()| std::fs::write(&path, bytes))
            .map_err(|error| Failure::new(format!("cannot write {}", path.display())).because(&error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_carries_every_file_of_the_sample_case() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("samples/case");
        let on_disk: Vec<_> = walkdir::WalkDir::new(&root)
            .sort_by_file_name()
            .into_iter()
            .map(Result::unwrap)
            .filter(|entry| entry.file_type().is_file())
            .map(|entry| entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut carried: Vec<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
        carried.sort();
        let mut on_disk = on_disk;
        on_disk.sort();
        assert_eq!(carried, on_disk);
    }
}
