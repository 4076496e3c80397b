//! Records of the kernel as the bytes that another process gets.

/// A record of the kernel that is plain numbers without gaps that matter.
///
/// # Safety
/// Every byte of a value must be initialised.
pub(crate) unsafe trait Record {}

// SAFETY: the kernel fills the whole of it, the reserved fields too.
unsafe impl Record for rustix::fs::Stat {}
// SAFETY: as above.
unsafe impl Record for rustix::fs::Statx {}

/// The bytes of a record.
pub(crate) fn bytes_of<R: Record>(record: &R) -> &[u8] {
    // SAFETY: the range is that of the record, and all of it is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(record).cast(), size_of::<R>()) }
}
