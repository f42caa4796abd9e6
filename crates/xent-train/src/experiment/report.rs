use super::{Configuration, Prepared, Trained};
use crate::data::{Augmentation, Split};
use crate::fit::{Epoch, Schedule, Settings};
use crate::metrics::{ClassQuality, Classification, Metrics};
use crate::model::{Architecture, Model as _};
use crate::report::{Block, Matrix, Report, Section, Table};
use xent_chart::{Chart, LineChart, Series, short};

/// How a model learned, as a page.
pub fn training_report(
    prepared: &Prepared,
    configuration: &Configuration,
    trained: &Trained,
) -> Report {
    let Split { train, validation, test } = &prepared.split;
    let summary = format!(
        "`{}` of `{}` learned from {} rows, watched on {} and judged on {}.",
        configuration.reading.target,
        prepared.source,
        train.len(),
        validation.len(),
        test.len()
    );
    let mut sections = vec![results(trained)];
    sections.extend(match &trained.test.metrics {
        Metrics::Classification(metrics) => {
            vec![classes(metrics, prepared.encoder.target().classes()), calibration(metrics)]
        }
        Metrics::Regression(_) => vec![residuals(&trained.residuals)],
    });
    sections.push(curves(prepared, trained));
    sections.push(section("Configuration", Block::Facts(facts(configuration, trained))));
    if !prepared.notices.is_empty() {
        let notices = prepared.notices.iter().map(ToString::to_string).collect();
        sections.push(section("Data", Block::Notices(notices)));
    }
    let title = format!("{} on {}", configuration.loss, prepared.source);
    Report { title, summary: vec![summary], sections }
}

fn section(title: &str, block: Block) -> Section {
    Section { title: title.to_owned(), blocks: vec![block] }
}

fn fact(name: &str, value: String) -> (String, String) {
    (name.to_owned(), value)
}

fn results(trained: &Trained) -> Section {
    let mut results = vec![fact("loss", short(trained.test.loss))];
    let figures = trained.test.metrics.figures();
    results.extend(figures.iter().map(|figure| fact(figure.name, short(figure.value))));
    section("Result on the test rows", Block::Facts(results))
}

/// How well each class is found, and what it is taken for.
fn classes(metrics: &Classification, names: &[String]) -> Section {
    let share = |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{share:.3}"));
    let row = |(name, class): (&String, &ClassQuality)| {
        let ClassQuality { rows, precision, recall, f1 } = *class;
        vec![name.clone(), rows.to_string(), share(precision), share(recall), share(f1)]
    };
    let table = Table {
        caption: "How well each class is found".to_owned(),
        header: ["class", "rows", "precision", "recall", "F1"].map(str::to_owned).to_vec(),
        rows: names.iter().zip(&metrics.classes).map(row).collect(),
    };
    let matrix = Matrix {
        caption: "Rows of a class (lines) by what is predicted (columns)".to_owned(),
        names: names.to_vec(),
        counts: metrics.confusion.clone(),
    };
    Section {
        title: "Classes".to_owned(),
        blocks: vec![Block::Table(table), Block::Matrix(matrix)],
    }
}

/// Whether probabilities are what they say.
fn calibration(metrics: &Classification) -> Section {
    let bins = metrics.reliability.iter();
    let observed = Series {
        name: "test rows".to_owned(),
        points: bins.clone().map(|bin| (bin.confidence, bin.accuracy)).collect(),
        ..Series::default()
    };
    let marks = Series { dots: true, name: "bins".to_owned(), ..observed.clone() };
    let ideal = Series {
        name: "as it should be".to_owned(),
        colour: 6,
        dashed: true,
        points: vec![(0.0, 0.0), (1.0, 1.0)],
        ..Series::default()
    };
    let chart = Chart::Lines(LineChart {
        title: "Reliability".to_owned(),
        x: "probability of the predicted class".to_owned(),
        y: "share of hits".to_owned(),
        series: vec![observed, marks, ideal],
        styles: None,
        poles: false,
    });
    let text = format!(
        "Where the model says a probability, that share of its predictions should be hits; the \
         curve below the diagonal is overconfidence. Expected calibration error: {}.",
        short(metrics.ece)
    );
    Section {
        title: "Calibration".to_owned(),
        blocks: vec![Block::Paragraph(text), Block::Charts(vec![chart])],
    }
}

/// What is left unexplained, by prediction.
fn residuals(residuals: &[(f64, f64)]) -> Section {
    /// More dots than this hide each other.
    const MOST: usize = 1_000;
    let step = residuals.len().div_ceil(MOST).max(1);
    let dots = Series {
        name: "test rows".to_owned(),
        dots: true,
        points: residuals.iter().step_by(step).copied().collect(),
        ..Series::default()
    };
    let ends = residuals.iter().map(|(prediction, _)| *prediction);
    let ends = [ends.clone().fold(f64::NAN, f64::min), ends.fold(f64::NAN, f64::max)];
    let zero = Series {
        name: "no error".to_owned(),
        colour: 6,
        dashed: true,
        points: ends.map(|end| (end, 0.0)).to_vec(),
        ..Series::default()
    };
    let chart = Chart::Lines(LineChart {
        title: "Residuals".to_owned(),
        x: "prediction".to_owned(),
        y: "target − prediction".to_owned(),
        series: vec![dots, zero],
        styles: None,
        poles: false,
    });
    section("Residuals", Block::Charts(vec![chart]))
}

fn curves(prepared: &Prepared, trained: &Trained) -> Section {
    let curve = |name: &str, dashed, value: fn(&Epoch) -> Option<f64>| Series {
        name: name.to_owned(),
        dashed,
        points: trained
            .fitted
            .history
            .iter()
            .map(|epoch| (epoch.epoch as f64, value(epoch).unwrap_or(f64::NAN)))
            .collect(),
        ..Series::default()
    };
    let chart = |y: &str, series| {
        let (title, x, y) = (format!("{y} by epoch"), "epoch".to_owned(), y.to_owned());
        Chart::Lines(LineChart { title, x, y, series, styles: None, poles: false })
    };
    let training = curve("training", false, |epoch| Some(epoch.train_loss));
    let validation = curve("validation", true, |epoch| epoch.validation_loss);
    let mut charts = vec![chart("loss", vec![training, validation])];
    if prepared.validation.is_some() {
        let metric = curve("validation", true, |epoch| epoch.metric);
        charts.push(chart(trained.test.metrics.headline().name, vec![metric]));
    }
    section("Training", Block::Charts(charts))
}

fn facts(configuration: &Configuration, trained: &Trained) -> Vec<(String, String)> {
    let Configuration { reading, task, loss, settings, .. } = configuration;
    let fitted = &trained.fitted;
    let seconds: f64 = fitted.seconds.iter().sum();
    let Augmentation { flip, crop } = settings.augmentation;
    let flipped = flip.then(|| "flipped".to_owned());
    let shifted = (crop > 0).then(|| format!("shifted by up to {crop} pixels"));
    let augmentation: Vec<String> = [flipped, shifted].into_iter().flatten().collect();
    let mut facts = vec![
        fact("target", format!("{} ({task})", reading.target)),
        fact("loss", loss.to_string()),
        fact("model", model_text(configuration)),
        fact("parameters", fitted.model.parameters().to_string()),
        fact("optimizer", optimizer_text(settings)),
        fact("batch size", settings.batch_size.to_string()),
        fact("l1, l2", format!("{}, {}", settings.l1, settings.l2)),
        fact("seed", settings.seed.to_string()),
        fact("epochs", format!("{}, weights of epoch {}", fitted.history.len(), fitted.epoch)),
        fact("seconds", format!("{seconds:.1}")),
    ];
    if !augmentation.is_empty() {
        facts.push(fact("augmentation", augmentation.join(", ")));
    }
    facts
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
