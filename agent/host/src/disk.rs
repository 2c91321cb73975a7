//! How much room is left where data is written.

use std::io;
use std::path::Path;

/// Bytes that an unprivileged process may still write to the file system of `path`.
///
/// # Errors
/// What statvfs(3) says.
pub fn free_bytes(path: &Path) -> io::Result<u64> {
    let stat = nix::sys::statvfs::statvfs(path).map_err(io::Error::from)?;
    Ok(stat.blocks_available().saturating_mul(stat.fragment_size()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn some_room_is_left_on_a_machine_that_builds_this() {
        assert!(super::free_bytes(std::path::Path::new("/")).is_ok_and(|bytes| bytes > 0));
        assert!(super::free_bytes(std::path::Path::new("/nowhere/at/all")).is_err());
    }
}
