//! Settings of the process: the allocator and the threads.

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

/// Lets the calling thread work in the pool that tensor operations use, instead of waiting for it to wake at each one.
///
/// Results do not depend on the number of threads. Call it once, from the thread that trains.
pub fn work_in_the_pool() {
    let pool = rayon::ThreadPoolBuilder::new()
        .use_current_thread()
        .build_global();
    if let Err(error) = pool {
        tracing::debug!("the thread pool exists already: {error}");
    }
}

/// The most memory that the process has had so far, in MiB; 0 where the system does not tell.
pub fn peak_mib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1024
}
