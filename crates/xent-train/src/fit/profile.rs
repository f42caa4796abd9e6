use std::ops::AddAssign;
use std::time::Instant;

/// Where the time of a step went, in seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile {
    /// The inputs of the batch.
    pub batch: f64,
    /// From the inputs to the outputs of the model.
    pub forward: f64,
    /// The targets of the batch, the loss and its gradient with respect to the
    /// outputs.
    pub loss: f64,
    /// From that gradient to those of the parameters.
    pub backward: f64,
    /// Penalties, clipping and new parameters.
    pub optimizer: f64,
}

impl AddAssign for Profile {
    fn add_assign(&mut self, other: Self) {
        self.batch += other.batch;
        self.forward += other.forward;
        self.loss += other.loss;
        self.backward += other.backward;
        self.optimizer += other.optimizer;
    }
}

/// Divides the time since its start among the parts of a profile.
pub(super) struct Clock {
    last: Instant,
    pub(super) profile: Profile,
}

impl Default for Clock {
    fn default() -> Self {
        Self { last: Instant::now(), profile: Profile::default() }
    }
}

impl Clock {
    /// Counts the time since the last call, or since the start, in favour of a
    /// part.
    pub(super) fn lap(&mut self, part: impl FnOnce(&mut Profile) -> &mut f64) {
        let now = Instant::now();
        *part(&mut self.profile) += (now - self.last).as_secs_f64();
        self.last = now;
    }
}
