use super::{Configuration, Prepared, Trained};
use crate::data::Split;
use crate::fit::{Epoch, Schedule, Settings};
use crate::model::{Architecture, Model as _};
use crate::report::{Block, Chart, LineChart, Report, Section, Series, short};

/// How a model learned, as a page.
pub fn training_report(
    prepared: &Prepared,
    configuration: &Configuration,
    trained: &Trained,
) -> Report {
    let Trained { fitted, test, .. } = trained;
    let Configuration { reading, task, loss, settings, .. } = configuration;
    let target = &reading.target;
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let mut results = vec![fact("loss", short(test.loss))];
    let figures = test.metrics.figures();
    results.extend(figures.iter().map(|figure| fact(figure.name, short(figure.value))));
    let facts = vec![
        fact("target", format!("{target} ({task})")),
        fact("loss", loss.to_string()),
        fact("model", model_text(configuration)),
        fact("parameters", fitted.model.parameters().to_string()),
        fact("optimizer", optimizer_text(settings)),
        fact("batch size", settings.batch_size.to_string()),
        fact("l1, l2", format!("{}, {}", settings.l1, settings.l2)),
        fact("seed", settings.seed.to_string()),
        fact("epochs", format!("{}, weights of epoch {}", fitted.history.len(), fitted.epoch)),
    ];
    let curve = |name: &str, dashed, value: fn(&Epoch) -> Option<f64>| Series {
        name: name.to_owned(),
        colour: 0,
        dashed,
        points: fitted
            .history
            .iter()
            .map(|epoch| (epoch.epoch as f64, value(epoch).unwrap_or(f64::NAN)))
            .collect(),
    };
    let chart = |y: &str, series| {
        let (title, x, y) = (format!("{y} by epoch"), "epoch".to_owned(), y.to_owned());
        Chart::Lines(LineChart { title, x, y, series, styles: None })
    };
    let mut charts = vec![chart(
        "loss",
        vec![
            curve("training", false, |epoch| Some(epoch.train_loss)),
            curve("validation", true, |epoch| epoch.validation_loss),
        ],
    )];
    if prepared.validation.is_some() {
        let metric = curve("validation", true, |epoch| epoch.metric);
        charts.push(chart(test.metrics.headline().name, vec![metric]));
    }
    let Split { train, validation, test } = &prepared.split;
    let summary = format!(
        "`{target}` of `{}` learned from {} rows, watched on {} and judged on {}.",
        prepared.source,
        train.len(),
        validation.len(),
        test.len()
    );
    let section = |title: &str, block| Section { title: title.to_owned(), blocks: vec![block] };
    let mut sections = vec![
        section("Result on the test rows", Block::Facts(results)),
        section("Training", Block::Charts(charts)),
        section("Configuration", Block::Facts(facts)),
    ];
    if !prepared.notices.is_empty() {
        let notices = prepared.notices.iter().map(ToString::to_string).collect();
        sections.push(section("Data", Block::Notices(notices)));
    }
    Report { title: format!("{loss} on {}", prepared.source), summary: vec![summary], sections }
}

/// The architecture in words.
fn model_text(configuration: &Configuration) -> String {
    let listed = |sizes: &[usize]| -> String {
        sizes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")
    };
    let Configuration { architecture, dropout, .. } = configuration;
    let mut text = match architecture {
        Architecture::Linear => "linear".to_owned(),
        Architecture::Mlp { hidden } => format!("mlp, hidden layers of {}", listed(hidden)),
        Architecture::Cnn { channels, hidden } if hidden.is_empty() => {
            format!("cnn, convolutions of {} channels", listed(channels))
        }
        Architecture::Cnn { channels, hidden } => format!(
            "cnn, convolutions of {} channels, hidden layers of {}",
            listed(channels),
            listed(hidden)
        ),
        Architecture::Lstm { embedding, units, bidirectional } => {
            let direction = if *bidirectional { ", in both directions" } else { "" };
            format!("lstm, embedding of {embedding}, {units} units{direction}")
        }
    };
    if *dropout > 0.0 {
        text += &format!(", dropout {dropout}");
    }
    text
}

/// The optimiser and its step size in words.
fn optimizer_text(settings: &Settings) -> String {
    let mut text = format!("{}, rate {}", settings.optimizer, settings.learning_rate);
    if settings.schedule != Schedule::Constant {
        text += &format!(", {}", settings.schedule);
    }
    if settings.warm_up > 0.0 {
        text += &format!(", warm-up {}", settings.warm_up);
    }
    if let Some(decay) = settings.weight_decay {
        text += &format!(", weight decay {decay}");
    }
    if let Some(most) = settings.clip {
        text += &format!(", gradients clipped at {most}");
    }
    text
}
