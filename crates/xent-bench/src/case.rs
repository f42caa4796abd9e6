//! The cases: what is computed, and on what. The one list.

use serde::{Deserialize, Serialize};

/// The type of predictions, targets, weights and gradients.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Number {
    F16,
    Bf16,
    F32,
    F64,
}

impl Number {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Number::F16 => "f16",
            Number::Bf16 => "bf16",
            Number::F32 => "f32",
            Number::F64 => "f64",
        }
    }
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Output {
    /// The mean loss alone.
    Value,
    /// The mean loss, and its gradient in a buffer that is there.
    Gradient,
    /// The mean loss, and its gradient in the place of the predictions.
    InPlace,
}

/// What a classwise case has besides logits and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Extra {
    Nothing,
    /// A distribution for each row in place of its label.
    SoftTargets,
    ClassWeights,
    SampleWeights,
    /// One label in sixteen is the ignored one.
    IgnoreIndex,
}

impl Extra {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Extra::Nothing => "",
            Extra::SoftTargets => "soft_targets",
            Extra::ClassWeights => "class_weights",
            Extra::SampleWeights => "sample_weights",
            Extra::IgnoreIndex => "ignore_index",
        }
    }
}

/// One line of the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Case {
    /// As the catalogue reads it.
    pub(crate) loss: String,
    /// Rows, classes and what else each row has an entry for, as the pixels of an image; or the
    /// number of elements of a pointwise loss.
    pub(crate) shape: Vec<usize>,
    pub(crate) number: Number,
    pub(crate) output: Output,
    pub(crate) extra: Extra,
    /// As many as the run has, unless the case is about this many.
    pub(crate) threads: Option<usize>,
    /// The share of the limit that xent aims at, if it aims at one.
    #[serde(skip)]
    pub(crate) goal: Option<f64>,
}

impl Case {
    /// Value and gradient in `f32`.
    fn new(loss: &str, shape: &[usize]) -> Self {
        Self {
            loss: loss.to_owned(),
            shape: shape.to_vec(),
            number: Number::F32,
            output: Output::Gradient,
            extra: Extra::Nothing,
            threads: None,
            goal: None,
        }
    }

    fn aims_at(self, share_of_limit: f64) -> Self {
        Self { goal: Some(share_of_limit), ..self }
    }

    /// All that tells the case from the others, such as `cross_entropy_f32_4096x32000`.
    pub(crate) fn name(&self) -> String {
        let (loss, parameters) = self.loss.split_once(':').unwrap_or((&self.loss, ""));
        let parameters = parameters.split(',').filter_map(|one| one.split('=').next());
        let output = match self.output {
            Output::Value => "value",
            Output::Gradient => "",
            Output::InPlace => "in_place",
        };
        let shape = self.shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        std::iter::once(loss)
            .chain(parameters)
            .chain([self.extra.name(), output, self.number.name(), &shape])
            .filter(|part| !part.is_empty())
            .collect::<Vec<_>>()
            .join("_")
    }

    /// The length of a row; 1 for a pointwise loss.
    pub(crate) fn classes(&self) -> usize {
        self.shape.get(1).copied().unwrap_or(1)
    }

    /// The case with so few rows that a run of it proves no more than that it runs.
    pub(crate) fn quick(mut self) -> Self {
        self.shape[0] = (self.shape[0] / 1024).max(2);
        self
    }

    /// The case with so few rows, but one at least, that all of it stays in the caches of a core;
    /// into a buffer, for it is to be repeated.
    pub(crate) fn cached(&self) -> Self {
        const ENTRIES: usize = 1 << 14;
        let mut shape = vec![1; self.shape.len()];
        if let Some(classes) = shape.get_mut(1) {
            *classes = self.classes();
        }
        let rows = if shape.len() > 2 { 2 } else { 0 };
        shape[rows] = (ENTRIES / self.classes()).clamp(1, self.shape[rows]);
        let output = match self.output {
            Output::Value => Output::Value,
            Output::Gradient | Output::InPlace => Output::Gradient,
        };
        Self { shape, output, ..self.clone() }
    }

    pub(crate) fn entries(&self) -> usize {
        self.shape.iter().product()
    }
}

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let cross_entropy = |shape: &[usize]| Case::new("cross_entropy", shape);
    let large = || cross_entropy(&[4096, 32000]);
    let medium = || cross_entropy(&[32768, 1000]);
    let pointwise = |loss| Case::new(loss, &[1 << 24]);
    vec![
        large().aims_at(0.9),
        cross_entropy(&[1024, 128_256]).aims_at(0.9),
        medium().aims_at(0.85),
        cross_entropy(&[262_144, 10]).aims_at(0.65),
        cross_entropy(&[1_000_000, 2]).aims_at(0.65),
        Case { threads: Some(1), ..cross_entropy(&[32, 10]) },
        Case { number: Number::F64, ..large() }.aims_at(0.8),
        Case { number: Number::Bf16, ..large() }.aims_at(0.8),
        Case { number: Number::F16, ..large() }.aims_at(0.8),
        Case { output: Output::InPlace, ..large() }.aims_at(0.9),
        Case { output: Output::Value, ..large() }.aims_at(0.9),
        Case { extra: Extra::SoftTargets, ..medium() },
        Case { extra: Extra::ClassWeights, ..medium() },
        Case { extra: Extra::SampleWeights, ..medium() },
        Case { extra: Extra::IgnoreIndex, ..medium() },
        Case::new("cross_entropy:label_smoothing=0.1", &[32768, 1000]),
        cross_entropy(&[524_288, 21]),
        cross_entropy(&[8, 21, 65_536]),
        pointwise("mse").aims_at(0.85),
        pointwise("huber").aims_at(0.85),
        pointwise("log_cosh").aims_at(0.85),
        pointwise("bce_with_logits").aims_at(0.85),
        pointwise("sigmoid_focal").aims_at(0.85),
        Case { output: Output::Value, ..pointwise("mse") }.aims_at(0.9),
        Case { output: Output::Value, ..pointwise("bce_with_logits") }.aims_at(0.9),
    ]
}
