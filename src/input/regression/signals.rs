//! The signals that LossSlope's targets are made of: data of the published regression task (GenNAS, Li et al. 2021, in the
//! version of ET-NAS; SPEC section 4).

/// Sine waves: their level in the target and the ten frequencies they are drawn from, in cycles per pixel of the 8×8 maps.
pub struct Waves {
    /// Factor in the target.
    pub level: f64,
    /// Cycles per pixel.
    pub frequencies: &'static [f64; 10],
}

/// Signed dots, blurred.
pub struct Dots {
    /// Factor in the target.
    pub level: f64,
    /// Dots on one map of 64 pixels.
    pub count: usize,
}

/// The signals of one head's target.
pub struct Signals {
    /// Waves along one axis.
    pub sin1d: Option<Waves>,
    /// Waves along both axes.
    pub sin2d: Option<Waves>,
    /// Level of the images themselves, shrunk to 8×8.
    pub resize: Option<f64>,
    /// Blurred dots.
    pub dots: Option<Dots>,
    /// Waves and dots are drawn for each image; else once for the whole batch.
    pub local: bool,
}

/// The signals of the three heads.
pub const SIGNALS: [Signals; 3] = [
    Signals {
        sin1d: None,
        sin2d: Some(Waves { level: 1.1, frequencies: &HEAD_0_2D }),
        resize: None,
        dots: None,
        local: true,
    },
    Signals {
        sin1d: Some(Waves { level: 1.8, frequencies: &HEAD_1_1D }),
        sin2d: Some(Waves { level: 2.9, frequencies: &HEAD_1_2D }),
        resize: Some(2.4),
        dots: Some(Dots { level: 1.1, count: 37 }),
        local: true,
    },
    Signals {
        sin1d: Some(Waves { level: 1.5, frequencies: &HEAD_2_1D }),
        sin2d: Some(Waves { level: 0.9, frequencies: &HEAD_2_2D }),
        resize: Some(2.2),
        dots: Some(Dots { level: 2.1, count: 28 }),
        local: false,
    },
];

/// Frequencies of head 0's waves along both axes.
const HEAD_0_2D: [f64; 10] = [
    0.014257232402844334,
    0.0168671689792797,
    0.014930071944680878,
    0.0204012022061141,
    0.022935808834129698,
    0.0172234284050367,
    0.01564545022287097,
    0.019183789517967623,
    0.01550017992399958,
    0.014574095887562394,
];
/// Frequencies of head 1's waves along one axis.
const HEAD_1_1D: [f64; 10] = [
    0.2991077123933203,
    0.3060359499425501,
    0.30375714406796583,
    0.2880217185797205,
    0.2934476311034326,
    0.2960826278609313,
    0.3058547556352616,
    0.2928834290170104,
    0.30562376104172906,
    0.29586053617133456,
];
/// Frequencies of head 1's waves along both axes.
const HEAD_1_2D: [f64; 10] = [
    0.37984431962046133,
    0.3818358163414827,
    0.3583425915890292,
    0.3276257467988693,
    0.26487541063592235,
    0.2807695886901979,
    0.4205045860585813,
    0.3414214149894483,
    0.3036242990663395,
    0.4203015359951532,
];
/// Frequencies of head 2's waves along one axis.
const HEAD_2_1D: [f64; 10] = [
    0.1539337022534557,
    0.10572650708639424,
    0.106631778214214,
    0.15756559392005454,
    0.1337356958776917,
    0.10509981523526175,
    0.13191482406159902,
    0.1317568276094524,
    0.10281716031383362,
    0.10936835489126645,
];
/// Frequencies of head 2's waves along both axes.
const HEAD_2_2D: [f64; 10] = [
    0.1979369424135534,
    0.2030890995764645,
    0.10339032893028458,
    0.20484341381119886,
    0.13566384672510265,
    0.20905695437266292,
    0.24540172530847384,
    0.08635711325215838,
    0.13518427726099247,
    0.14525989963217315,
];
