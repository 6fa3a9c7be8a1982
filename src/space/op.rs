//! The five operations of an edge.

use crate::error::{Error, Result};

/// The side of a convolution's kernel: the two that the space has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kernel {
    /// 1×1.
    K1,
    /// 3×3.
    K3,
}

impl Kernel {
    /// Pixels on a side: 1 or 3.
    pub fn side(self) -> usize {
        match self {
            Kernel::K1 => 1,
            Kernel::K3 => 3,
        }
    }

    /// Weights for each pair of channels: 1 or 9.
    pub fn taps(self) -> usize {
        self.side() * self.side()
    }
}

/// What an edge does to the value of its source node. The discriminants are the canonical op ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Op {
    /// Exact zeros.
    None = 0,
    /// The identity.
    SkipConnect = 1,
    /// ReLU, convolution 1×1, BatchNorm.
    NorConv1x1 = 2,
    /// ReLU, convolution 3×3 with padding 1, BatchNorm.
    NorConv3x3 = 3,
    /// Average over 3×3, stride 1; the divisor counts only pixels inside the image.
    AvgPool3x3 = 4,
}

impl Op {
    /// All five, in canonical order.
    pub const ALL: [Op; 5] = [Op::None, Op::SkipConnect, Op::NorConv1x1, Op::NorConv3x3, Op::AvgPool3x3];

    /// The name in an architecture string.
    pub fn name(self) -> &'static str {
        ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"][self as usize]
    }

    /// The op of a canonical id from 0 to 4.
    pub fn from_id(id: usize) -> Option<Op> {
        Op::ALL.get(id).copied()
    }

    /// The op of a name as it stands in an architecture string.
    pub fn from_name(name: &str) -> Result<Op> {
        Op::ALL.into_iter().find(|op| op.name() == name).ok_or_else(|| Error::UnknownName {
            kind: "operation",
            found: name.to_string(),
            allowed: Op::ALL.iter().map(|op| op.name().to_string()).collect(),
        })
    }

    /// The kernel of a convolution, `None` for the other ops.
    pub fn kernel(self) -> Option<Kernel> {
        match self {
            Op::NorConv1x1 => Some(Kernel::K1),
            Op::NorConv3x3 => Some(Kernel::K3),
            _ => None,
        }
    }
}
