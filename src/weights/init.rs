//! Initial values of a tensor.

use super::slot::Slot;
use crate::error::{Error, Result};
use crate::random::Stream;
use crate::space::Skeleton;
use serde::Serialize;

/// How weights are drawn. Biases are always uniform in ±1/√fan_in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Init {
    /// Uniform in ±1/√fan_in, PyTorch's default.
    #[default]
    Uniform,
    /// Normal with deviation √(2/(C_out·k²)).
    KaimingFanOut,
    /// Normal with deviation √(2/(fan_in + fan_out)): what the published search with LossSlope ran with.
    Xavier,
}

impl Init {
    /// The name on the command line and in metadata.
    pub fn name(self) -> &'static str {
        match self {
            Init::Uniform => "uniform",
            Init::KaimingFanOut => "kaiming-fan-out",
            Init::Xavier => "xavier",
        }
    }

    /// The init of a name.
    pub fn from_name(name: &str) -> Result<Init> {
        let all = [Init::Uniform, Init::KaimingFanOut, Init::Xavier];
        all.into_iter().find(|init| init.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "initialisation",
            found: name.to_string(),
            allowed: all.iter().map(|init| init.name().to_string()).collect(),
        })
    }

    /// The values of a slot's tensor, row-major `[out, in, k, k]`.
    pub(super) fn draw(self, slot: Slot, skeleton: &Skeleton, seed: u64) -> Vec<f32> {
        let [out, inputs, kh, kw] = slot.shape(skeleton);
        let (fan_in, fan_out) = (slot.fan_in(skeleton) as f64, (out * kh * kw) as f64);
        let mut stream = Stream::new(seed, &slot.words());
        let len = out * inputs * kh * kw;
        let bias = matches!(slot, Slot::ClassifierBias | Slot::HeadBias(_));
        let deviation = match self {
            Init::KaimingFanOut if !bias => (2.0 / fan_out).sqrt(),
            Init::Xavier if !bias => (2.0 / (fan_in + fan_out)).sqrt(),
            _ => {
                let bound = 1.0 / fan_in.sqrt();
                return (0..len).map(|_| stream.symmetric(bound)).collect();
            }
        };
        let mut values: Vec<f32> = Vec::with_capacity(len + 1);
        while values.len() < len {
            values.extend(stream.normals().map(|z| (z * deviation) as f32));
        }
        values.truncate(len);
        values
    }
}
