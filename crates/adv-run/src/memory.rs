//! The allocator's settings.

/// Keeps freed buffers in the process.
///
/// glibc returns big buffers to the kernel at every free, and gets them back as fresh pages that must be zeroed: a
/// training step then spends up to half of its time there.
pub fn keep_freed_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator; it is called before any thread is started.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 30);
        libc::mallopt(libc::M_TRIM_THRESHOLD, i32::MAX);
    }
}
