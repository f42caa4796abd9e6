//! The two losses of a generative adversarial network.
//!
//! The discriminator gives a logit to each real and to each generated sample; it learns to tell
//! them apart while the generator learns to prevent that.
//!
//! ```
//! use xent::adversarial::Game;
//! let (real, fake) = ([2.0f32, 0.5], [-1.0f32, 0.0]);
//! let discriminator = Game::NonSaturating.discriminator(&real, &fake)?;
//! let (generator, fake_gradient) = Game::NonSaturating.generator(&fake)?;
//! assert!(discriminator.value < generator + 1.0 && fake_gradient[0] < 0.0);
//! # Ok::<(), xent::Error>(())
//! ```

use crate::call::Evaluate;
use crate::error::Result;
use crate::family::Domain;
use crate::family::pointwise::Pointwise;
use crate::number::{Element, Real};
use crate::targets::Targets;

/// The rules by which generator and discriminator play.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Game {
    /// One value that one minimises and the other maximises; the generator's gradient vanishes
    /// where the discriminator is sure. I. Goodfellow et al. (2014), arXiv:1406.2661, eq. 1.
    Minimax,
    /// As minimax, but the generator minimises −ln D(fake), which keeps its gradient alive.
    /// I. Goodfellow et al. (2014), arXiv:1406.2661, section 3.
    NonSaturating,
    /// Half the squared distance of logits from 1 (real) and 0 (fake).
    /// X. Mao et al. (2016), arXiv:1611.04076.
    LeastSquares,
    /// Hinges at 1 (real) and −1 (fake). J. H. Lim and J. C. Ye (2017), arXiv:1705.02894.
    Hinge,
}

/// What the discriminator minimises: the mean over real samples plus the mean over fakes.
#[derive(Clone, Debug, PartialEq)]
pub struct Discriminator<T> {
    /// The loss.
    pub value: f64,
    /// Its gradient in the logits of the real samples.
    pub real_gradient: Vec<T>,
    /// Its gradient in the logits of the generated samples.
    pub fake_gradient: Vec<T>,
}

impl Game {
    /// The discriminator's loss of its logits for real and for generated samples.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) if either has no samples.
    pub fn discriminator<T: Element>(self, real: &[T], fake: &[T]) -> Result<Discriminator<T>> {
        let (real_value, real_gradient) = self.mean(Role::Real, real)?;
        let (fake_value, fake_gradient) = self.mean(Role::Fake, fake)?;
        Ok(Discriminator { value: real_value + fake_value, real_gradient, fake_gradient })
    }

    /// The generator's loss of the discriminator's logits for generated samples, and its gradient
    /// in them.
    ///
    /// # Errors
    /// [`Error::Empty`](crate::Error::Empty) if there are no samples.
    pub fn generator<T: Element>(self, fake: &[T]) -> Result<(f64, Vec<T>)> {
        self.mean(Role::Generator, fake)
    }

    fn mean<T: Element>(self, role: Role, logits: &[T]) -> Result<(f64, Vec<T>)> {
        let unused = Targets::Values(logits.into());
        Side { game: self, role }.on(logits, unused).value_and_gradient()
    }
}

#[derive(Clone, Copy)]
enum Role {
    Real,
    Fake,
    Generator,
}

struct Side {
    game: Game,
    role: Role,
}

impl Pointwise for Side {
    const PREDICTION: Domain = Domain::Logit;

    #[inline(always)]
    fn value<R: Real>(&self, logit: R, _: R) -> R {
        match (self.game, self.role) {
            (Game::Minimax | Game::NonSaturating, Role::Real) => (-logit).softplus(),
            (Game::Minimax | Game::NonSaturating, Role::Fake) => logit.softplus(),
            (Game::Minimax, Role::Generator) => -logit.softplus(),
            (Game::NonSaturating, Role::Generator) => (-logit).softplus(),
            (Game::LeastSquares, Role::Real | Role::Generator) => (logit - 1.0).square() * 0.5,
            (Game::LeastSquares, Role::Fake) => logit.square() * 0.5,
            (Game::Hinge, Role::Real) => (R::ONE - logit).relu(),
            (Game::Hinge, Role::Fake) => (logit + 1.0).relu(),
            (Game::Hinge, Role::Generator) => -logit,
        }
    }
}
