//! Times epochs of training and their parts, for the benchmark: reads what to train, a line of
//! JSON, says how many parameters the model has, and trains for an epoch at each further line.

use std::error::Error;
use std::io::{self, Write};

use rand::rngs::ChaCha8Rng;
use rand::{Rng, RngExt, SeedableRng};
use rayon::ThreadPoolBuilder;
use serde::Deserialize;
use serde_json::{Value, json};
use xent_train::data::{Augmentation, Images, Inputs, PixelScale};
use xent_train::fit::{Examples, Observer, Problem, Profile, Schedule, Settings, Step, fit};
use xent_train::head::Labels;
use xent_train::model::{Architecture, Model as _, Network};
use xent_train::optimizer::Optimizer;

#[derive(Deserialize)]
struct Request {
    rows: usize,
    shape: Shape,
    /// Without classes, the target is numeric.
    classes: Option<usize>,
    batch: usize,
    threads: usize,
}

/// What a row of inputs is.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Shape {
    /// Channels, height and width.
    Image([usize; 3]),
    /// The most words, and how many words there are.
    Text([usize; 2]),
    Features(usize),
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut lines = io::stdin().lines();
    let Some(line) = lines.next() else { return Ok(()) };
    let request: Request = serde_json::from_str(&line?)?;
    ThreadPoolBuilder::new().num_threads(request.threads).build_global()?;
    let mut reply = |reply: Value| writeln!(io::stdout(), "{reply}");
    serve(&request, lines.map(|line| line.map(drop)), &mut reply)
}

fn serve(
    request: &Request,
    turns: impl Iterator<Item = io::Result<()>>,
    reply: &mut dyn FnMut(Value) -> io::Result<()>,
) -> Result<(), Box<dyn Error>> {
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let inputs = inputs(request, &mut random);
    let numbers: Vec<f32> = (0..request.rows).map(|_| random.random()).collect();
    let count = request.classes.unwrap_or(1);
    let indices: Vec<usize> = (0..request.rows).map(|_| random.random_range(0..count)).collect();
    let (loss, labels) = match request.classes {
        Some(count) => ("cross_entropy", Labels::Classes { indices: &indices, count }),
        None => ("mean_squared_error", Labels::Values(&numbers)),
    };
    let problem = Problem {
        loss: xent::loss(loss)?.into(),
        class_weights: None,
        train: Examples { inputs: &inputs, labels, weights: None },
        validation: None,
        metric: None,
    };
    let shape = inputs.shape();
    let model = Network::new(&Architecture::usual(shape), shape, count, 0.0, 0);
    reply(json!({ "parameters": model.parameters() }))?;
    for turn in turns {
        turn?;
        let mut warm = Warm::default();
        let fitted = fit(model.clone(), &problem, &settings(request.batch), &mut warm)?;
        let Profile { batch, forward, loss, backward, optimizer } = warm.profile;
        reply(json!({
            "seconds": fitted.seconds[1],
            "inputs": batch,
            "forward": forward,
            "loss": loss,
            "backward": backward,
            "optimiser": optimizer,
        }))?;
    }
    Ok(())
}

/// Bright and dark pixels, texts as long as sentences are whose first words are the most frequent,
/// or features from 0 to 1: how long an epoch takes does not depend on what there is to learn.
fn inputs(request: &Request, random: &mut impl Rng) -> Inputs {
    let rows = request.rows;
    match request.shape {
        Shape::Image(shape) => {
            let count = rows * shape.iter().product::<usize>();
            let images =
                Images::new(shape, (0..count).map(|_| random.random()).collect::<Vec<u8>>());
            let scale = PixelScale::fit(&images);
            Inputs::Images(images, scale)
        }
        Shape::Text([most, vocabulary]) => {
            let mut text = || -> Vec<u32> {
                let half = most.div_ceil(2);
                let words = 1 + random.random_range(0..half) + random.random_range(0..half);
                let mut word = || random.random::<f64>().powi(3) * vocabulary as f64;
                (0..words).map(|_| word() as u32).collect()
            };
            Inputs::Tokens { rows: (0..rows).map(|_| text()).collect(), vocabulary }
        }
        Shape::Features(columns) => {
            let values = (0..rows * columns).map(|_| random.random()).collect();
            Inputs::Features { values, columns }
        }
    }
}

/// The first of the two epochs warms up.
fn settings(batch_size: usize) -> Settings {
    Settings {
        optimizer: Optimizer::Adam,
        learning_rate: Optimizer::Adam.default_learning_rate(),
        schedule: Schedule::Constant,
        warm_up: 0.0,
        epochs: 2,
        batch_size,
        l1: 0.0,
        l2: 0.0,
        weight_decay: None,
        clip: None,
        augmentation: Augmentation::default(),
        early_stop: None,
        seed: 0,
    }
}

/// Where the time of the second epoch goes.
#[derive(Default)]
struct Warm {
    profile: Profile,
}

impl Observer for Warm {
    fn step(&mut self, step: &Step) {
        if step.epoch == 2 {
            self.profile += step.profile;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_tells_its_size_and_the_parts_of_each_epoch() {
        let cases = [
            (json!({ "image": [3, 4, 4] }), json!(10), 32 * 28 + (32 * 4 + 1) * 10),
            (json!({ "text": [7, 50] }), json!(2), 50 * 64 + (64 + 64 + 1) * 256 + 65 * 2),
            (json!({ "features": 13 }), json!(null), 14 * 128 + 129),
        ];
        for (shape, classes, parameters) in cases {
            let request = json!({
                "rows": 50, "shape": shape, "classes": classes, "batch": 32, "threads": 2
            });
            let request: Request = serde_json::from_value(request).unwrap();
            let mut replies = Vec::new();
            let mut reply = |reply| {
                replies.push(reply);
                Ok(())
            };
            serve(&request, [Ok(()), Ok(())].into_iter(), &mut reply).unwrap();
            assert_eq!((replies.len(), &replies[0]), (3, &json!({ "parameters": parameters })));
            for epoch in &replies[1..] {
                let parts = ["inputs", "forward", "loss", "backward", "optimiser"];
                let parts = parts.map(|part| epoch[part].as_f64().unwrap());
                assert!(parts.iter().all(|&part| part > 0.0), "{epoch}");
                assert!(parts.iter().sum::<f64>() <= epoch["seconds"].as_f64().unwrap(), "{epoch}");
            }
        }
    }
}
