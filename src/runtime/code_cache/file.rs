//! What a file of the code cache looks like: what it is, what it holds, and a digest over all of it.
//!
//! | bytes | |
//! |--:|---|
//! | 8 | magic; the last byte but one is the version of this format |
//! | 32 | the key: what the code was made from, by what |
//! | 8 | length of the code, little-endian |
//! | 32 | SHA-256 of the three fields above and the code |
//! | … | the code, as V8 gave it |
//!
//! V8 checks little of what it is given (the length of the source, its version, and no checksum in release builds), and
//! believes the rest. So whatever is not exactly as it was written is refused here.

use sha2::{Digest, Sha256};

const MAGIC: [u8; 8] = *b"nanocc\x01\n";
const KEY_AT: usize = 8;
const LENGTH_AT: usize = 40;
const DIGEST_AT: usize = 48;
/// Bytes before the code. A multiple of eight: V8 copies what is not aligned.
pub(super) const HEADER: usize = 80;

/// What the code of one module depends on, hashed.
pub(in crate::runtime) type Key = [u8; 32];

/// Why the bytes of a file are not what they should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("it is no file of this version's code cache")]
    Magic,
    #[error("it holds other code than its name says")]
    Key,
    #[error("it is cut short or has grown")]
    Length,
    #[error("its content has changed since it was written")]
    Digest,
}

/// What goes before `code` in its file.
pub(super) fn header(key: &Key, code: &[u8]) -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..KEY_AT].copy_from_slice(&MAGIC);
    header[KEY_AT..LENGTH_AT].copy_from_slice(key);
    header[LENGTH_AT..DIGEST_AT].copy_from_slice(&(code.len() as u64).to_le_bytes());
    let digest = digest(&header[..DIGEST_AT], code);
    header[DIGEST_AT..].copy_from_slice(&digest);
    header
}

/// The content in the bytes of the file for `key`.
pub(super) fn content<'f>(key: &Key, file: &'f [u8]) -> Result<&'f [u8], Refused> {
    let (header, code) = file.split_at_checked(HEADER).ok_or(Refused::Length)?;
    if header[..KEY_AT] != MAGIC {
        return Err(Refused::Magic);
    }
    if header[KEY_AT..LENGTH_AT] != *key {
        return Err(Refused::Key);
    }
    if header[LENGTH_AT..DIGEST_AT] != (code.len() as u64).to_le_bytes() {
        return Err(Refused::Length);
    }
    if header[DIGEST_AT..] != digest(&header[..DIGEST_AT], code) {
        return Err(Refused::Digest);
    }
    Ok(code)
}

fn digest(fields: &[u8], code: &[u8]) -> [u8; 32] {
    Sha256::new().chain_update(fields).chain_update(code).finalize().into()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn file(key: &Key, code: &[u8]) -> Vec<u8> {
        [&header(key, code), code].concat()
    }

    #[test]
    fn what_was_written_is_read() {
        let file = file(&[7; 32], b"code");
        assert_eq!(file.len(), HEADER + 4);
        assert_eq!(content(&[7; 32], &file), Ok(&b"code"[..]));
    }

    #[test]
    fn every_refusal_says_what_is_wrong() {
        let good = file(&[7; 32], b"code");
        let changed = |at: usize| {
            let mut file = good.clone();
            file[at] ^= 1;
            file
        };
        assert_eq!(content(&[8; 32], &good), Err(Refused::Key));
        assert_eq!(content(&[7; 32], &changed(6)), Err(Refused::Magic), "another version of the format");
        assert_eq!(content(&[7; 32], &changed(HEADER)), Err(Refused::Digest));
        assert_eq!(content(&[7; 32], &good[..good.len() - 1]), Err(Refused::Length));
        assert_eq!(content(&[7; 32], &good[..10]), Err(Refused::Length));
        assert_eq!(content(&[7; 32], &[]), Err(Refused::Length));
    }

    proptest! {
        #[test]
        fn arbitrary_bytes_are_refused(key: Key, bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            prop_assert!(content(&key, &bytes).is_err());
        }

        #[test]
        fn a_changed_file_is_refused_or_is_the_same(
            key: Key,
            written in prop::collection::vec(any::<u8>(), 0..400),
            at: prop::sample::Index,
            byte: u8,
            length: prop::sample::Index,
        ) {
            let good = file(&key, &written);
            prop_assert_eq!(content(&key, &good), Ok(&written[..]));
            let mut changed = good.clone();
            changed[at.index(good.len())] = byte;
            prop_assert!(changed == good || content(&key, &changed).is_err());
            prop_assert!(content(&key, &good[..length.index(good.len())]).is_err());
            prop_assert!(content(&key, &[&good[..], &[byte]].concat()).is_err());
        }
    }
}
