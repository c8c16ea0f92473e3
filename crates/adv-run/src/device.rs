//! The choice of a device: the only place that knows which ones exist.

use burn::tensor::Device;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A kind of device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The CPU, always there.
    Flex,
    /// The CPU through ndarray: deprecated upstream and far slower; feature `ndarray`.
    Ndarray,
    /// A GPU through wgpu (Vulkan, Metal, DirectX); feature `wgpu`.
    Wgpu,
    /// An NVIDIA GPU; feature `cuda`.
    Cuda,
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DeviceKind::Flex => "flex",
            DeviceKind::Ndarray => "ndarray",
            DeviceKind::Wgpu => "wgpu",
            DeviceKind::Cuda => "cuda",
        })
    }
}

/// A device that this binary was not built for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this binary was built without the device `{0}`: build it with the cargo feature `{0}`, as \
     `cargo xtask train --device {0} …` or `cargo build --release --workspace --bin adv --features adv-run/{0}` does"
)]
pub struct NotCompiledIn(pub DeviceKind);

impl DeviceKind {
    /// The device, if it was compiled in.
    pub fn open(self) -> Result<Device, NotCompiledIn> {
        match self {
            DeviceKind::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)] // upstream; kept because users ask for it
            DeviceKind::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            DeviceKind::Wgpu => Ok(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            DeviceKind::Cuda => Ok(Device::cuda(burn::tensor::DeviceIndex::Default)),
            #[allow(unreachable_patterns)] // with all features on, no kind is left
            other => Err(NotCompiledIn(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_an_absent_device_names_its_feature() {
        assert!(DeviceKind::Flex.open().is_ok());
        let text = NotCompiledIn(DeviceKind::Cuda).to_string();
        assert!(
            text.contains("feature `cuda`") && text.contains("cargo xtask train --device cuda"),
            "{text}"
        );
    }
}
