//! Reads a file that the config, or an app's folder, names. Whoever reads them reads for all apps, at a reload too: a
//! pipe nobody writes to must not hold that up, and a device without end must not fill the memory.

use std::fs::OpenOptions;
use std::io::{Error, Read, Result};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// More MiB than anybody writes in a config file or a `package.json`.
pub(crate) const LARGEST: u64 = 16;

/// All of a regular file of at most so many MiB.
pub(crate) fn read(path: &Path, mebibytes: u64) -> Result<Vec<u8>> {
    // Not blocking: opening a pipe waits for somebody to write to it.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits();
    let file = OpenOptions::new().read(true).custom_flags(flags.cast_signed()).open(path)?;
    let metadata = file.metadata()?;
    // A folder is refused by the system, in its own words.
    if !metadata.is_file() && !metadata.is_dir() {
        return Err(Error::other("not a regular file"));
    }
    let (most, mut bytes) = (mebibytes << 20, Vec::new());
    file.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(Error::other(format!("larger than {mebibytes} MiB"))) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_is_no_file_and_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert_eq!(read(&pipe, 1).unwrap_err().to_string(), "not a regular file");
    }

    #[test]
    fn a_file_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(&path, 1).unwrap().len(), 1 << 20);
        // It may say that it is larger than any memory.
        std::fs::File::create(&path).unwrap().set_len(1 << 42).unwrap();
        assert_eq!(read(&path, 1).unwrap_err().to_string(), "larger than 1 MiB");
    }
}
