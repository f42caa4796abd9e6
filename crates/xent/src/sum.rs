//! Sums of losses with weights.

use crate::error::{Error, Result};
use crate::family::{Block, Domain, Family, Kernel, Loss, Order, Outputs, Targeting};
use crate::number::{Element, Real};

/// Σ kᵢ ℓᵢ of losses of one family, which is a loss itself: rounded once, like any other.
///
/// ```
/// use xent::Evaluate;
/// let loss = xent::loss("cross_entropy + 0.5*softmax_focal:gamma=1")?;
/// assert_eq!(loss.name(), "cross_entropy+0.5*softmax_focal:gamma=1");
/// assert_eq!(loss.on(&[0.0, 0.0], &[0]).value()?, 1.25 * 2f64.ln());
/// # Ok::<(), xent::Error>(())
/// ```
pub struct WeightedSum {
    terms: Vec<(f64, Box<dyn Loss>)>,
}

impl WeightedSum {
    /// A sum of (factor, loss).
    ///
    /// # Errors
    /// [`Error::Unsupported`] if there is no term, a factor is not finite, or the losses do not
    /// take the same predictions and targets.
    pub fn new(terms: Vec<(f64, Box<dyn Loss>)>) -> Result<Self> {
        let unsupported = |text: String| Err(Error::Unsupported(text));
        let Some((_, first)) = terms.first() else {
            return unsupported("a sum of losses needs at least one loss".into());
        };
        for (factor, loss) in &terms {
            if !factor.is_finite() {
                return unsupported(format!("the factor of {} is {factor}", loss.name()));
            }
            if signature(first.as_ref()) != signature(loss.as_ref()) {
                let (a, b) = (first.name(), loss.name());
                return unsupported(format!(
                    "{a} and {b} cannot be added: they do not take the same predictions and targets"
                ));
            }
        }
        Ok(Self { terms })
    }
}

fn signature(loss: &dyn Loss) -> (Family, Domain, Domain) {
    (loss.family(), loss.prediction_domain(), loss.target_domain())
}

impl Loss for WeightedSum {
    fn family(&self) -> Family {
        self.terms[0].1.family()
    }

    fn prediction_domain(&self) -> Domain {
        self.terms[0].1.prediction_domain()
    }

    fn target_domain(&self) -> Domain {
        self.terms[0].1.target_domain()
    }

    fn name(&self) -> String {
        let term = |(factor, loss): &(f64, Box<dyn Loss>)| match factor {
            1.0 => loss.name(),
            _ => format!("{factor}*{}", loss.name()),
        };
        self.terms.iter().map(term).collect::<Vec<_>>().join("+")
    }

    fn check(&self) -> Result<()> {
        self.terms.iter().try_for_each(|(_, loss)| loss.check())
    }

    fn accepts(&self) -> Targeting {
        let strictest = |(_, loss): &(f64, Box<dyn Loss>)| loss.accepts() == Targeting::Labels;
        match self.terms.iter().any(strictest) {
            true => Targeting::Labels,
            false => self.terms[0].1.accepts(),
        }
    }
}

impl<T: Element> Kernel<T> for WeightedSum {
    fn run(&self, block: &Block<'_, T>, order: Order, outputs: Outputs<'_, T::Wide>) {
        let Outputs { values, gradient, curvature, factors, scratch } = outputs;
        let mut total = [values, gradient, curvature];
        let mut term = [0, 1, 2].map(|i: usize| vec![T::Wide::ZERO; total[i].len()]);
        total.iter_mut().for_each(|total| total.fill(T::Wide::ZERO));
        for (factor, loss) in &self.terms {
            let [values, gradient, curvature] = &mut term;
            let outputs = Outputs {
                values,
                gradient,
                curvature,
                factors: &mut *factors,
                scratch: &mut *scratch,
            };
            T::kernel(loss.as_ref()).run(block, order, outputs);
            if block.planes {
                for plane in term[1].chunks_mut(factors.len()) {
                    plane.iter_mut().zip(&*factors).for_each(|(entry, &by)| *entry = *entry * by);
                }
            } else {
                for (row, &by) in term[1].chunks_mut(block.classes).zip(&*factors) {
                    row.iter_mut().for_each(|entry| *entry = *entry * by);
                }
            }
            factors.fill(T::Wide::ONE);
            for (total, term) in total.iter_mut().zip(&term) {
                for (total, &term) in total.iter_mut().zip(term) {
                    *total = *total + term * *factor;
                }
            }
        }
    }

    fn planes(&self, labelled: bool, weighted: bool) -> Option<usize> {
        let planes = |loss: &dyn Loss| T::kernel(loss).planes(labelled, weighted);
        let each = self.terms.iter().map(|(_, loss)| planes(loss.as_ref()));
        each.reduce(|a, b| Some(a?.min(b?))).flatten()
    }
}
