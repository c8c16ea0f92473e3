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

/// A device that cannot be worked on.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// This binary was not built for it.
    #[error(
        "this binary was built without the device `{0}`: build it with the cargo feature `{0}`, as \
         `cargo xtask train --device {0} …` or `cargo build --release --workspace --bin adv --features adv-run/{0}` does"
    )]
    NotCompiledIn(DeviceKind),
    /// There is none on this machine, or its driver does not work.
    #[error(
        "the device `{kind}` does not open: {reason}. Is a driver installed (for wgpu on Linux one of Vulkan: `vulkaninfo` shows it)? \
         `--device flex` works on the CPU"
    )]
    DoesNotOpen {
        /// Which.
        kind: DeviceKind,
        /// What its library said.
        reason: String,
    },
}

impl DeviceKind {
    /// The device, if it was compiled in.
    pub fn open(self) -> Result<Device, DeviceError> {
        match self {
            DeviceKind::Flex => Ok(Device::flex()),
            #[cfg(feature = "ndarray")]
            #[allow(deprecated)] // upstream; kept because users ask for it
            DeviceKind::Ndarray => Ok(Device::ndarray()),
            #[cfg(feature = "wgpu")]
            DeviceKind::Wgpu => self.tried(Device::wgpu(burn::tensor::DeviceKind::DefaultDevice)),
            #[cfg(feature = "cuda")]
            DeviceKind::Cuda => self.tried(Device::cuda(burn::tensor::DeviceIndex::Default)),
            #[allow(unreachable_patterns)] // with all features on, no kind is left
            other => Err(DeviceError::NotCompiledIn(other)),
        }
    }

    /// The device, if a first operation works: Burn opens a GPU then only, and panics where there is none.
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    fn tried(self, device: Device) -> Result<Device, DeviceError> {
        use burn::tensor::Tensor;
        use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
        use std::sync::{Arc, Mutex};

        // The first panic is that of the thread that opens the device; the others follow from it.
        let first = Arc::new(Mutex::new(None));
        let heard = first.clone();
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            let said = panic.payload_as_str().unwrap_or("no reason given").to_string();
            if let Ok(mut first) = heard.lock() {
                first.get_or_insert(said);
            }
        }));
        let worked = catch_unwind(AssertUnwindSafe(|| {
            Tensor::<1>::zeros([1], &device).try_into_data()
        }));
        set_hook(usual);
        let reason = match worked {
            Ok(Ok(_)) => return Ok(device),
            Ok(Err(error)) => error.to_string(),
            Err(_) => {
                let said = first.lock().ok().and_then(|mut first| first.take());
                said.unwrap_or_else(|| "no reason given".into())
            }
        };
        Err(DeviceError::DoesNotOpen { kind: self, reason })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_always_there_and_an_absent_device_names_its_feature() {
        assert!(DeviceKind::Flex.open().is_ok());
        let text = DeviceError::NotCompiledIn(DeviceKind::Cuda).to_string();
        assert!(
            text.contains("feature `cuda`") && text.contains("cargo xtask train --device cuda"),
            "{text}"
        );
    }
}
