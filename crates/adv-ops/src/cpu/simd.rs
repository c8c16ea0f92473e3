//! Choice of the instruction set, once per process.

use pulp::{Scalar, Simd, WithSimd};
use std::sync::LazyLock;

/// The widest instruction set of this machine that the kernels are compiled for.
#[derive(Clone, Copy)]
pub(crate) enum Isa {
    #[cfg(target_arch = "x86_64")]
    Avx512(pulp::x86::V4),
    #[cfg(target_arch = "x86_64")]
    Avx2(pulp::x86::V3),
    #[cfg(target_arch = "aarch64")]
    Neon(pulp::aarch64::Neon),
    Portable,
}

static ISA: LazyLock<Isa> = LazyLock::new(detect);

fn detect() -> Isa {
    #[cfg(target_arch = "x86_64")]
    {
        if let Some(simd) = pulp::x86::V4::try_new() {
            return Isa::Avx512(simd);
        }
        if let Some(simd) = pulp::x86::V3::try_new() {
            return Isa::Avx2(simd);
        }
    }
    #[cfg(target_arch = "aarch64")]
    if let Some(simd) = pulp::aarch64::Neon::try_new() {
        return Isa::Neon(simd);
    }
    Isa::Portable
}

/// Runs `op` compiled for the widest instruction set of this machine.
#[inline]
pub(crate) fn dispatch<Op: WithSimd>(op: Op) -> Op::Output {
    match *ISA {
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512(simd) => Simd::vectorize(simd, op),
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2(simd) => Simd::vectorize(simd, op),
        #[cfg(target_arch = "aarch64")]
        Isa::Neon(simd) => Simd::vectorize(simd, op),
        Isa::Portable => Simd::vectorize(Scalar, op),
    }
}

/// `f32` lanes of one vector register.
pub(crate) fn lanes() -> usize {
    struct Lanes;
    impl WithSimd for Lanes {
        type Output = usize;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F32_LANES
        }
    }
    dispatch(Lanes)
}

/// Vectors side by side in one register tile: six rows of them, and a few more registers, must fit
/// the register file (32 vectors, but 16 of AVX2).
pub(crate) const fn tile_vectors(lanes: usize) -> usize {
    if lanes == 8 { 2 } else { 4 }
}
