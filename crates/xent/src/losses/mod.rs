//! The losses, one file each. Adding one means writing its file and adding a line here.

macro_rules! catalogue {
    ($($module:ident::$loss:ident,)*) => {
        $(
            mod $module;
            pub use $module::$loss;
        )*

        pub(crate) const CATALOGUE: &[&crate::catalogue::Entry] = &[$(&$loss::ENTRY),*];
    };
}

catalogue! {
    mean_squared_error::MeanSquaredError,
    mean_absolute_error::MeanAbsoluteError,
    huber::Huber,
    smooth_l1::SmoothL1,
    log_cosh::LogCosh,
    quantile::Quantile,
    cross_entropy::CrossEntropy,
    cross_entropy_probabilities::CrossEntropyProbabilities,
    negative_log_likelihood::NegativeLogLikelihood,
    kl_divergence::KlDivergence,
    softmax_focal::SoftmaxFocal,
    mse_softmax::MseSoftmax,
    dice::Dice,
    multi_margin::MultiMargin,
    binary_cross_entropy::BinaryCrossEntropy,
    binary_cross_entropy_with_logits::BinaryCrossEntropyWithLogits,
    sigmoid_focal::SigmoidFocal,
    mse_sigmoid::MseSigmoid,
    hinge::Hinge,
    squared_hinge::SquaredHinge,
}
