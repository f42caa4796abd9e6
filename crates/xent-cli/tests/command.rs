//! The command as its users meet it: arguments in; output, files and exit code out.

use parquet::data_type::{ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use rand::rngs::ChaCha8Rng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use tempfile::TempDir;

fn xent(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_xent"))
        .current_dir(folder)
        .args(arguments)
        .output()
        .expect("the command starts")
}

/// What a command that succeeds prints.
fn printed(folder: &Path, arguments: &[&str]) -> String {
    let output = xent(folder, arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The line of a command that fails, which prints nothing else.
fn complaint(folder: &Path, arguments: &[&str]) -> String {
    let output = xent(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?} prints on stdout");
    let line = errors.strip_suffix('\n').unwrap();
    assert!(!line.contains('\n'), "{arguments:?}: {errors}");
    line.strip_prefix("error: ").unwrap_or_else(|| panic!("{arguments:?}: {errors}")).to_owned()
}

fn here() -> &'static Path {
    Path::new(".")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

/// A folder with `line.csv`, whose `y` is nearly linear, and `sides.csv`, whose `side` follows
/// from the sign of `x`.
fn tables() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let (mut line, mut sides) = ("x,z,y\n".to_owned(), "x,z,side\n".to_owned());
    for row in 0..200 {
        let (x, z) = (f64::from(row) - 99.5, f64::from(row * 37 % 101));
        writeln!(line, "{x},{z},{}", 1000.0 + 3.0 * x - z + 0.1 * f64::from(row % 7)).unwrap();
        writeln!(sides, "{x},{z},{}", if x < 0.0 { "left" } else { "right" }).unwrap();
    }
    fs::write(folder.path().join("line.csv"), line).unwrap();
    fs::write(folder.path().join("sides.csv"), sides).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn the_list_has_every_loss_in_lines_that_fit() {
    let list = printed(here(), &["list"]);
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    let losses = json(&printed(here(), &["list", "--json"]));
    let losses = losses.as_array().unwrap();
    assert_eq!(losses.len(), xent::catalogue().len());
    for (loss, entry) in losses.iter().zip(xent::catalogue()) {
        assert!(list.lines().any(|line| line.trim_start().starts_with(entry.name)));
        let keys: Vec<&str> = loss.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = ["aliases", "family", "name", "params", "summary", "tags", "ulp"];
        assert!(expected.iter().all(|key| keys.contains(key)), "{keys:?}");
        assert_eq!(loss["name"], entry.name);
        assert_eq!(loss["ulp"]["gradient"], entry.ulp.gradient);
        assert_eq!(loss["params"].as_array().unwrap().len(), entry.parameters.len());
    }
}

#[test]
fn every_loss_has_a_page() {
    for (entry, language) in
        xent::catalogue().iter().flat_map(|entry| [(entry, "en"), (entry, "zh")])
    {
        let explain = ["explain", entry.name, "--lang", language];
        let page = printed(here(), &explain);
        let headings = match language {
            "zh" => ["公式", "推导", "算例", "曲线", "适用场景", "注意事项", "其他库", "参考文献"],
            _ => [
                "Formula",
                "Derivation",
                "Worked numbers",
                "Curve",
                "When to use",
                "Pitfalls",
                "Elsewhere",
                "Reference",
            ],
        };
        let found = page.lines().filter(|line| headings.contains(line));
        assert!(page.starts_with(entry.name) && found.eq(headings), "{page}");
        assert!(page.lines().all(|line| textwrap::core::display_width(line) <= 80), "{page}");
        assert!(entry.parameters.iter().all(|parameter| page.contains(parameter.name)));
        assert!(!page.contains("](") && !page.contains("```"), "{page}");
        let markdown = printed(here(), &[&explain[..], &["--markdown"]].concat());
        assert!(markdown.starts_with(&format!("# {}\n", entry.name)), "{markdown}");
        assert!(headings.iter().all(|heading| markdown.contains(&format!("\n## {heading}\n"))));
        assert!(!markdown.contains("crate::") && !markdown.contains('\u{1b}'), "{markdown}");
    }
}

/// The numbers of a page are those that its command shows.
#[test]
fn worked_numbers_can_be_shown_again() {
    for entry in xent::catalogue() {
        let page = printed(here(), &["explain", entry.name]);
        let page = page.replace("\\\n", "");
        let command = page.lines().find_map(|line| line.strip_prefix("  $ xent ")).unwrap();
        let again = printed(here(), &command.split_whitespace().collect::<Vec<_>>());
        let numbers = again.lines().skip_while(|line| !line.is_empty()).skip(1);
        for line in numbers.filter(|line| !line.is_empty()) {
            assert!(page.contains(line), "{}: {line}", entry.name);
        }
    }
}

#[test]
fn every_loss_can_be_drawn_against_what_its_predictions_are() {
    let quantities = ["--show", "value,gradient,curvature"];
    let mut drawn = 0;
    for entry in xent::catalogue() {
        for against in ["usual", "logit", "prediction", "residual", "probability"] {
            let mut plot = vec!["plot", entry.name, "--points", "101"];
            plot.extend(quantities);
            plot.extend(["--against", against].into_iter().filter(|_| against != "usual"));
            let output = xent(here(), &plot);
            if output.status.code() == Some(0) {
                let picture = String::from_utf8(output.stdout).unwrap();
                assert!(picture.lines().all(|line| line.chars().count() <= 80), "{picture}");
                assert!(
                    picture.contains(|dots| ('\u{2801}'..='\u{28ff}').contains(&dots)),
                    "{picture}"
                );
                assert!(!picture.contains('\u{1b}'), "{picture}");
                drawn += 1;
            } else {
                assert_ne!(against, "usual", "{}", entry.name);
                let complaint = complaint(here(), &plot);
                assert!(complaint.contains(&format!("--against {against}: the")), "{complaint}");
            }
        }
    }
    assert!(drawn > 3 * xent::catalogue().len(), "{drawn}");
}

/// What is drawn is what the library computes.
#[test]
fn the_points_of_curves_are_those_of_the_losses() {
    let ln2 = 2f64.ln();
    let middle = |arguments: &[&str], quantity: &str| {
        let json = json(&printed(here(), &[&["plot"], arguments, &["--json"]].concat()));
        let points = json["x"].as_array().unwrap().len();
        json["curves"][0][quantity][points / 2].clone()
    };
    let cases: [(&[&str], &str, f64); 9] = [
        (&["cross_entropy"], "value", ln2),
        (&["cross_entropy", "--against", "probability"], "value", ln2),
        (&["cross_entropy", "--classes", "4"], "value", 2.0 * ln2),
        (
            &["cross_entropy", "--classes", "4", "--range", "0..0.5", "--against", "probability"],
            "value",
            2.0 * ln2,
        ),
        (&["cross_entropy", "--target", "0.25"], "gradient", 0.25),
        (&["nll"], "value", ln2),
        (&["hinge", "--target=-1"], "gradient", 1.0),
        (&["huber:delta=2", "--range", "-6..14"], "gradient", 2.0),
        (&["mse", "--against", "prediction", "--target", "2"], "value", 4.0),
    ];
    for (arguments, quantity, expected) in cases {
        let got = middle(arguments, quantity).as_f64().unwrap();
        assert!((got - expected).abs() < 1e-14, "{arguments:?}: {got}");
    }
    let ends = json(&printed(here(), &["plot", "bce", "--json"]));
    assert_eq!(ends["curves"][0]["value"][0], "inf");
    assert_eq!(ends["curves"][0]["value"][400], 0.0);
    let both = json(&printed(here(), &["plot", "ce", "mse_softmax", "--json"]));
    assert!(both["curves"][1]["loss"] == "mse_softmax" && both["curves"][1]["gradient"].is_null());
}

/// Where the model is sure and wrong, MSE behind a softmax hardly pulls, and cross-entropy does.
#[test]
fn losses_are_drawn_over_the_plane_of_two_logits() {
    let plane = ["plot", "mse_softmax", "cross_entropy", "--plane", "--at=0,8"];
    let points = json(&printed(here(), &[&plane[..], &["--json"]].concat()));
    let norm = |loss: usize| {
        let entry = |class: usize| points["losses"][loss]["gradient"][class].as_f64().unwrap();
        entry(0).hypot(entry(1))
    };
    assert!(norm(0) < 2e-3 && norm(1) > 1.4, "{points}");
    let map = printed(here(), &plane);
    assert!(map.lines().all(|line| line.chars().count() <= 80), "{map}");
    assert!(map.contains("█") && map.contains('X') && map.contains("gradient norm 1.414"), "{map}");
}

#[test]
fn pictures_are_files_of_the_kind_that_their_name_says() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for plot in [&["plot", "huber", "mse"][..], &["plot", "ce", "--plane", "--at=1,2"]] {
        for (name, start) in [("a.svg", &b"<svg width"[..]), ("b.PNG", b"\x89PNG\r\n\x1a\n")] {
            assert_eq!(printed(folder, &[plot, &["-o", name]].concat()), "");
            assert!(fs::read(folder.join(name)).unwrap().starts_with(start), "{name}");
        }
    }
    assert_eq!(names(folder), ["a.svg", "b.PNG"]);
    let svg = fs::read_to_string(folder.join("a.svg")).unwrap();
    assert!(svg.contains("cross_entropy") && svg.contains("at (1, 2): loss 1.313"), "{svg}");
    let same = fs::read(folder.join("b.PNG")).unwrap();
    complaint(folder, &["plot", "bce", "-o", "b.PNG", "--range", "0..2"]);
    assert!(complaint(folder, &["plot", "mse", "-o", "no/c.svg"]).contains("no/c.svg"));
    assert_eq!(fs::read(folder.join("b.PNG")).unwrap(), same);
    assert_eq!(names(folder), ["a.svg", "b.PNG"]);
}

#[test]
fn a_confident_row_keeps_its_loss() {
    let arguments = ["explain", "cross_entropy", "--prediction=20,0,0", "--target=0", "--json"];
    assert_eq!(
        printed(here(), &arguments),
        "{\"loss\":\"cross_entropy\",\"dtype\":\"f32\",\"value\":[4.1223074e-9],\
         \"gradient\":[-4.1223074e-9,2.0611537e-9,2.0611537e-9],\
         \"curvature\":[4.1223074e-9,2.0611537e-9,2.0611537e-9]}\n"
    );
}

#[test]
fn targets_are_classes_or_distributions_by_their_number() {
    let values = |prediction: &str, target: &str| {
        let options = [format!("--prediction={prediction}"), format!("--target={target}")];
        let arguments = ["explain", "ce", &options[0], &options[1], "--dtype=f64", "--json"];
        json(&printed(here(), &arguments))["value"].clone()
    };
    let ln2 = 2f64.ln();
    assert_eq!(values("0,0;0,0", "0,1"), serde_json::json!([ln2, ln2]));
    assert_eq!(values("0,0;0,0", "0;1"), serde_json::json!([ln2, ln2]));
    assert_eq!(values("0,0;0,0", "0.5,0.5;1,0"), serde_json::json!([ln2, ln2]));
    assert_eq!(values("-inf,0", "1"), serde_json::json!([0.0]));
    assert_eq!(values("-inf,0", "0"), serde_json::json!(["inf"]));
    assert_eq!(values("nan,0", "0"), serde_json::json!(["nan"]));
}

#[test]
fn an_example_is_worked_step_by_step() {
    let arguments = ["explain", "cross_entropy_probabilities", "--prediction=0.5,0.4,0.1"];
    let example = printed(here(), &[&arguments[..], &["--target=1,0,0"]].concat());
    assert!(example.contains("0.693147") && example.contains("value      0.6931472"), "{example}");
    let example = printed(here(), &["explain", "huber", "--prediction=3,-0.5", "--target=0,0"]);
    assert!(example.contains("2.5") && example.contains("0.125"), "{example}");
    let weighted = ["explain", "ce", "--prediction=0,0", "--target=0", "--class-weights=3,1"];
    assert!(printed(here(), &weighted).contains("value      2.0794415"));
}

#[test]
fn mistakes_in_arguments_are_one_line() {
    let cases: [(&[&str], &str); 28] = [
        (&["explain", "hubber"], "did you mean 'huber'?"),
        (&["explain", "huber:delta=-1"], "delta is -1, but must be in (0, ∞)"),
        (&["explain", "huber:gamma=1"], "huber has no parameter 'gamma'; it has delta"),
        (&["explain", "ce", "--prediction=1,2", "--target=2"], "targets[0] is 2"),
        (&["explain", "ce", "--prediction=1,2", "--target=0.5"], "0.5 is not a class index"),
        (&["explain", "ce", "--prediction=1,x", "--target=0"], "--prediction: `x`"),
        (&["train", "iris", "--loss", "huber"], "3 classes; use cross_entropy"),
        (&["train", "iris", "--loss", "focal"], "use softmax_focal"),
        (&["train", "iris", "--loss", "focl"], "did you mean 'focal'?"),
        (&["train", "iris", "--loss", "softmax_focal:gamma=-1"], "gamma is -1, but must be in"),
        (&["train", "iris", "--optimizer", "adma"], "a similar value exists: 'adam'"),
        (&["train", "iris", "--epoch", "3"], "a similar argument exists: '--epochs'"),
        (&["explian", "huber"], "a similar subcommand exists: 'explain'"),
        (&["train", "iris", "--lr", "-1"], "learning rate is -1, but must be above 0"),
        (&["train", "iris", "--class-weights", "1,2"], "2 class weights for 3 classes"),
        (&["train", "iriss"], "did you mean `iris`?"),
        (&["compare", "iris", "--seeds", "0"], "--seeds must be at least 1"),
        (&["plot", "hubber"], "did you mean 'huber'?"),
        (&["plot", "mse", "--range", "3..3"], "there is nothing between 3 and 3; write FROM..TO"),
        (&["plot", "mse", "--range", "-3"], "write FROM..TO, as -6..6"),
        (&["plot", "mse", "--range", "0..inf"], "inf is not finite"),
        (&["plot", "bce", "--range", "0..2"], "a probability is in 0..1"),
        (&["plot", "mse", "ce"], "mean_squared_error is drawn against residual"),
        (&["plot", "hinge", "--target", "0"], "targets[0] is 0"),
        (&["plot", "mse", "--against", "logit"], "are of the kind `real`; its curve is against"),
        (&["plot", "mse", "-o", "loss.pdf"], "loss.pdf: the name of a picture must end in .svg"),
        (&["plot", "mse", "--plane"], "--plane is over the logits of two classes"),
        (&["plot", "ce", "--plane", "--at=1,20"], "--at 1,20 is outside of the plane, -10..10"),
    ];
    let folder = tempfile::tempdir().unwrap();
    for (arguments, expected) in cases {
        let complaint = complaint(folder.path(), arguments);
        assert!(complaint.contains(expected), "{complaint}");
    }
    assert_eq!(names(folder.path()), [""; 0]);
}

#[test]
fn mistakes_in_data_are_named_by_their_place_and_leave_nothing() {
    let numbers: String = (0..61).map(|row| format!("{row},{row}.5\n")).collect();
    let typing_error = format!("x,y\n{numbers}1,oops\n");
    let cases = [
        ("empty.csv", "", "y", "the file is empty"),
        ("header.csv", "x,y\n", "y", "no row of data"),
        ("ragged.csv", "x,y\n1,2\n3\n", "y", "row 2 (line 3)"),
        ("one.csv", "x,y\n1,5\n2,5\n3,5\n", "y", "every row has the target `5`"),
        ("text.csv", &typing_error, "y", "because of `oops` in row 62 (line 63)"),
        ("column.csv", "x,price\n1,5\n2,6\n", "prise", "did you mean `price`?"),
        ("infinite.csv", "x,y\n1,2\ninf,3\n", "y", "row 2 (line 3), column `x`"),
        ("truncated.parquet", "PAR1abc", "y", "not a complete and readable Parquet file"),
    ];
    for (name, content, target, expected) in cases {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(name), content).unwrap();
        let complaint = complaint(folder.path(), &["train", name, "--target", target]);
        assert!(complaint.starts_with(name) && complaint.contains(expected), "{complaint}");
        assert_eq!(names(folder.path()), [name]);
    }
}

#[test]
fn a_regression_is_trained_saved_evaluated_and_predicted() {
    let folder = tables();
    let folder = folder.path();
    let train = "train line.csv --target y --model linear --lr 0.05 --epochs 60 --out run";
    let train: Vec<&str> = train.split(' ').collect();
    let summary = printed(folder, &train);
    assert!(summary.starts_with("Test loss") && summary.contains("\nTest R²"), "{summary}");
    let run = json(&fs::read_to_string(folder.join("run/run.json")).unwrap());
    assert!(run["test"]["r2"].as_f64() > Some(0.99), "{}", run["test"]);
    assert_eq!(
        names(&folder.join("run")),
        ["checkpoints", "history.csv", "model.safetensors", "report.html", "run.json"]
    );

    let result = json(&printed(folder, &["evaluate", "run", "line.csv", "--json"]));
    assert!(result["r2"].as_f64() > Some(0.99), "{result}");

    let predictions = printed(folder, &["predict", "run", "line.csv"]);
    let table = fs::read_to_string(folder.join("line.csv")).unwrap();
    assert_eq!(predictions.lines().next(), Some("prediction"));
    assert_eq!(predictions.lines().count(), table.lines().count());
    for (prediction, row) in predictions.lines().zip(table.lines()).skip(1) {
        let target: f64 = row.rsplit(',').next().unwrap().parse().unwrap();
        let error = (prediction.parse::<f64>().unwrap() - target).abs();
        // The targets have a standard deviation of about 180.
        assert!(error < 40.0, "{prediction} for {target}");
    }
    assert_eq!(printed(folder, &["predict", "run", "line.csv", "-o", "predictions.csv"]), "");
    assert_eq!(fs::read_to_string(folder.join("predictions.csv")).unwrap(), predictions);
    assert_eq!(names(folder), ["line.csv", "predictions.csv", "run", "sides.csv"]);
}

#[test]
fn the_same_seed_gives_the_same_model() {
    let folder = tables();
    let folder = folder.path();
    let train = |out: &str, seed: &str| {
        let options = ["--target", "side", "--epochs", "3", "--seed", seed, "--out", out];
        printed(folder, &[&["train", "sides.csv"], &options[..]].concat());
        fs::read(folder.join(out).join("model.safetensors")).unwrap()
    };
    let first = train("a", "7");
    assert_eq!(first, train("b", "7"));
    assert_ne!(first, train("c", "8"));
}

#[test]
fn classes_are_predicted_with_their_probabilities() {
    let folder = tables();
    let folder = folder.path();
    for loss in ["bce_with_logits", "cross_entropy@balanced", "hinge", "bce", "mse_softmax"] {
        let options = ["--target", "side", "--loss", loss, "--lr", "0.01", "--epochs", "40"];
        let out = ["--out", "run", "--force", "--json"];
        let result = printed(folder, &[&["train", "sides.csv"], &options[..], &out].concat());
        assert!(json(&result)["test"]["accuracy"].as_f64() >= Some(0.9), "{loss}: {result}");
        let predictions = printed(folder, &["predict", "run", "sides.csv"]);
        let header = "prediction,probability of left,probability of right";
        assert_eq!(predictions.lines().next(), Some(header));
        for line in predictions.lines().skip(1) {
            let cells: Vec<&str> = line.split(',').collect();
            let [left, right] = [1, 2].map(|cell| cells[cell].parse::<f64>().unwrap());
            assert!((left + right - 1.0).abs() < 1e-6, "{line}");
            assert_eq!(cells[0], if right > left { "right" } else { "left" });
        }
    }
    fs::write(folder.join("new.csv"), "x,z,side\n1,2,left\n1,2,up\n").unwrap();
    let complaint = complaint(folder, &["evaluate", "run", "new.csv"]);
    assert!(complaint.starts_with("new.csv, row 2 (line 3), column `side`"), "{complaint}");
    assert!(complaint.contains("`up` was not seen in training"), "{complaint}");
}

#[test]
fn the_test_result_is_found_again_on_the_same_rows() {
    let folder = tables();
    let folder = folder.path();
    // Two equal halves: whatever the split, all rows of `same.csv` are alike.
    let rows = "x,side\n".to_owned() + &"1,a\n2,b\n".repeat(50);
    fs::write(folder.join("same.csv"), rows).unwrap();
    let options = ["--target", "side", "--epochs", "2", "--class-weights", "balanced"];
    printed(folder, &[&["train", "same.csv"], &options[..], &["--out", "run"]].concat());
    let run = json(&fs::read_to_string(folder.join("run/run.json")).unwrap());
    let result = json(&printed(folder, &["evaluate", "run", "same.csv", "--json"]));
    for metric in ["loss", "accuracy", "brier", "log_loss"] {
        let [a, b] = [&run["test"], &result].map(|result| result[metric].as_f64().unwrap());
        assert!((a - b).abs() <= 1e-6 * a.abs(), "{metric}: {a} {b}");
    }
}

#[test]
fn runs_are_replaced_only_by_force() {
    let folder = tables();
    let folder = folder.path();
    let train = ["train", "line.csv", "--target", "y", "--epochs", "1", "--out", "run"];
    printed(folder, &train);
    let before = fs::read(folder.join("run/run.json")).unwrap();
    assert!(complaint(folder, &train).contains("--force"));
    assert_eq!(fs::read(folder.join("run/run.json")).unwrap(), before);
    printed(folder, &[&train[..], &["--force", "--seed", "1"]].concat());
    assert_ne!(fs::read(folder.join("run/run.json")).unwrap(), before);
    // Without a directory of their own, runs get a new one each.
    printed(folder, &train[..6]);
    printed(folder, &train[..6]);
    let runs = names(&folder.join("runs"));
    assert_eq!(runs, ["line-mean_squared_error", "line-mean_squared_error-2"]);
}

#[test]
fn losses_are_compared_and_reported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let losses = ["--loss", "ce", "--loss", "ce@balanced", "--loss", "ce", "--loss", "mse_softmax"];
    let options = ["compare", "iris", "--seeds", "3", "--epochs", "4"];
    let compare = [&options[..], &losses].concat();
    let table = printed(folder, &compare);
    assert!(table.lines().all(|line| line.chars().count() <= 80), "{table}");
    assert!(table.contains("within noise") && table.contains("macro-F1"), "{table}");
    let path = table.lines().last().unwrap().strip_prefix("Report: ").unwrap();
    let report = fs::read_to_string(folder.join(path)).unwrap();
    assert!(report.contains("<svg") && report.ends_with("</html>"));

    let one = printed(folder, &["compare", "iris", "--seeds", "1", "--epochs", "1"]);
    assert!(one.contains("Test rows, one seed") && !one.contains('±'), "{one}");

    let result = json(&printed(folder, &[&compare[..], &["--json"]].concat()));
    let losses = result["losses"].as_array().unwrap();
    // The same loss gives the same numbers, as nothing else differs.
    assert_eq!(losses[0]["measures"][0]["values"], losses[2]["measures"][0]["values"]);
    assert_eq!(losses[0]["first_gradient_norm"], losses[2]["first_gradient_norm"]);
    // The classes of iris are of one size, so that balance changes next to nothing.
    let norm = |loss: usize| losses[loss]["first_gradient_norm"]["mean"].as_f64().unwrap();
    assert!((norm(0) - norm(1)).abs() < 0.05 * norm(0));
    assert!(norm(3) < norm(0));
}

#[test]
fn a_reader_that_stops_is_no_error() {
    for arguments in [&["list"][..], &["list", "--json"], &["explain", "huber"], &["plot", "mse"]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_xent"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let output = child.wait_with_output().unwrap();
        assert_eq!((output.status.code(), output.stderr), (Some(0), Vec::new()));
    }
}

/// MNIST in small: the class of an image is where it is bright.
fn digits(folder: &Path) {
    let write = |name: &str, rows: u8| {
        let header = [0, 0, 8, 3, 0, 0, 0, rows, 0, 0, 0, 4, 0, 0, 0, 4];
        let image = |row: u8| -> Vec<u8> {
            let bright = |pixel: u8| pixel / 8 == row % 2;
            (0..16).map(|pixel| if bright(pixel) { 200 + row % 7 } else { row % 5 }).collect()
        };
        let images: Vec<u8> = (0..rows).flat_map(image).collect();
        let labels: Vec<u8> = (0..rows).map(|row| 3 + row % 2).collect();
        let file = |kind: &str| folder.join(format!("{name}-{kind}-ubyte"));
        fs::write(file("images-idx3"), [&header[..], &images].concat()).unwrap();
        let header = [0, 0, 8, 1, 0, 0, 0, rows];
        fs::write(file("labels-idx1"), [&header[..], &labels].concat()).unwrap();
    };
    fs::create_dir(folder).unwrap();
    write("train", 100);
    write("t10k", 20);
}

#[test]
fn images_are_trained_evaluated_and_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    digits(&folder.join("digits"));
    for model in [&[][..], &["--model", "mlp", "--hidden", "8"], &["--model", "linear", "--flip"]] {
        let options = ["--epochs", "8", "--lr", "0.01", "--out", "run", "--force", "--json"];
        let arguments = [&["train", "digits"], &options[..], model].concat();
        let result = json(&printed(folder, &arguments));
        assert_eq!(result["test"]["accuracy"], 1.0, "{model:?}: {result}");
        let rows: u64 =
            (0..2).map(|c| result["test"]["classes"][c]["rows"].as_u64().unwrap()).sum();
        assert_eq!(rows, 20, "the test rows are those of t10k");
    }
    assert!(fs::read_to_string(folder.join("run/report.html")).unwrap().contains("flipped"));
    let predictions = printed(folder, &["predict", "run", "digits"]);
    assert_eq!(predictions.lines().next(), Some("prediction,probability of 3,probability of 4"));
    assert_eq!(predictions.lines().count(), 1 + 120);
    let result = json(&printed(folder, &["evaluate", "run", "digits", "--json"]));
    let rows = |class: usize| result["classes"][class]["rows"].as_u64().unwrap();
    assert_eq!(rows(0) + rows(1), 20, "rows for training judge nothing");
    printed(folder, &["plot", "mse", "-o", "curve.png"]);
    let prediction = printed(folder, &["predict", "run", "curve.png"]);
    assert!(prediction.starts_with("file,prediction,probability of 3"), "{prediction}");
    assert!(prediction.lines().nth(1).unwrap().starts_with("curve.png,"), "{prediction}");
    let refused: [(&[&str], &str); 3] = [
        (&["digits", "--model", "lstm"], "lstm takes no images; use --model cnn"),
        (&["digits", "--crop", "3"], "the images have a side of 4 pixels"),
        (&["iris", "--flip"], "--flip is for images"),
    ];
    for (arguments, expected) in refused {
        let complaint = complaint(folder, &[&["train"], arguments].concat());
        assert!(complaint.contains(expected), "{complaint}");
    }
}

#[test]
fn texts_are_trained_evaluated_and_predicted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = |count: usize| -> String {
        let words = [("a fine film", 1), ("a bad film", 0), ("so fine , so good", 1)];
        (0..count).map(|row| words[row % 3]).map(|(text, y)| format!("{text}\t{y}\n")).collect()
    };
    fs::write(folder.join("train.tsv"), rows(120)).unwrap();
    fs::write(folder.join("test.tsv"), rows(12)).unwrap();
    let data = ["train", "train.tsv", "--text", "0", "--target", "1"];
    let model = ["--embedding", "8", "--units", "8", "--dropout", "0.1", "--lr", "0.02"];
    let arguments = [&data[..], &model, &["--epochs", "8", "--out", "run", "--json"]].concat();
    let result = json(&printed(folder, &arguments));
    assert_eq!(result["test"]["accuracy"], 1.0, "{result}");
    let run = json(&fs::read_to_string(folder.join("run/run.json")).unwrap());
    assert_eq!(run["data"]["test"], 12, "the rows of test.tsv");
    let words = &run["encoder"]["inputs"]["text"]["words"];
    assert!(words.as_array().unwrap().iter().any(|word| word == "film"), "{words}");
    let again = json(&printed(folder, &["evaluate", "run", "test.tsv", "--json"]));
    assert_eq!(again["log_loss"], result["test"]["log_loss"]);
    let predictions = printed(folder, &["predict", "run", "test.tsv"]);
    assert_eq!(predictions.lines().nth(2).map(|line| &line[..2]), Some("0,"));
    let complaint = complaint(folder, &[&data[..], &["--model", "mlp"]].concat());
    assert_eq!(complaint, "mlp takes no texts; use --model lstm");
}

#[test]
fn rows_of_weight_0_do_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Half of the rows lie, but have no weight.
    let rows = (0..200).map(|row| format!("{row},{},{}\n", row * (1 - row % 2 * 2), 1 - row % 2));
    fs::write(folder.join("t.csv"), "x,y,w\n".to_owned() + &rows.collect::<String>()).unwrap();
    let options = ["--target", "y", "--model", "linear", "--lr", "0.05", "--epochs", "40"];
    let weighted = [&["train", "t.csv"], &options[..], &["--sample-weight", "w"], &["--json"]];
    let loss = json(&printed(folder, &weighted.concat()))["test"]["loss"].as_f64().unwrap();
    assert!(loss < 0.01, "{loss}");
    let complaint =
        complaint(folder, &[&["train", "t.csv"], &options[..], &["--hidden", "3"]].concat());
    assert_eq!(complaint, "--hidden is for --model mlp or --model cnn");
}

/// A folder with the same predictions as `t.csv`, `t.jsonl` and `t.parquet`: of two classes `side`
/// with the `logit` of the second, of three `kind` with a probability each, and of a `price`; and as
/// `repeated.csv`, where each row comes as often as its weight `w` says.
fn predictions() -> TempDir {
    const COLUMNS: [&str; 9] =
        ["side", "logit", "kind", "p_a", "p_b", "p_c", "price", "predicted", "w"];
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let rows: Vec<([f64; 9], &str)> = (0..90)
        .map(|row| {
            let [logit, price, noise]: [f64; 3] =
                std::array::from_fn(|_| random.random_range(-3.0..3.0));
            let side = f64::from(u8::from(logit + noise > 0.0));
            // Eighths, so that they sum to 1 exactly.
            let [a, b] = std::array::from_fn(|_| f64::from(random.random_range(1..4u8)) / 8.0);
            let kind = f64::from(row % 3u8);
            let numbers = [
                side,
                logit,
                kind,
                a,
                b,
                1.0 - a - b,
                price,
                price + noise,
                f64::from([0, 1, 2, 4][usize::from(row % 4)]),
            ];
            (numbers, ["north", "south", ""][usize::from(row / 40)])
        })
        .collect();
    let header = COLUMNS.join(",") + ",region\n";
    let line = |(numbers, region): &([f64; 9], &str)| {
        let cells = numbers.iter().map(f64::to_string).chain([(*region).to_owned()]);
        cells.collect::<Vec<_>>().join(",") + "\n"
    };
    let write = |name: &str, content: &[u8]| fs::write(folder.path().join(name), content).unwrap();
    write("t.csv", (header.clone() + &rows.iter().map(line).collect::<String>()).as_bytes());
    let repeated = rows.iter().flat_map(|row| vec![line(row); row.0[8] as usize]);
    write("repeated.csv", (header + &repeated.collect::<String>()).as_bytes());
    let object = |(numbers, region): &([f64; 9], &str)| {
        let mut object: serde_json::Map<String, Value> =
            COLUMNS.iter().zip(numbers).map(|(name, &n)| ((*name).to_owned(), n.into())).collect();
        object.insert("region".to_owned(), Some(*region).filter(|r| !r.is_empty()).into());
        Value::Object(object).to_string() + "\n"
    };
    write("t.jsonl", rows.iter().map(object).collect::<String>().as_bytes());
    write("t.parquet", &parquet_file(&COLUMNS, &rows));
    folder
}

/// Whole numbers as such, the others as doubles; the text in the end may be missing.
fn parquet_file(columns: &[&str], rows: &[([f64; 9], &str)]) -> Vec<u8> {
    let is_whole = |column: usize| rows.iter().all(|(numbers, _)| numbers[column].fract() == 0.0);
    let kind = |column| if is_whole(column) { "int64" } else { "double" };
    let fields =
        columns.iter().enumerate().map(|(c, name)| format!("required {} {name};", kind(c)));
    let fields: String = fields.collect();
    let schema = format!("message m {{ {fields} optional binary region (UTF8); }}");
    let mut bytes = Vec::new();
    let schema = Arc::new(parse_message_type(&schema).unwrap());
    let mut file = SerializedFileWriter::new(&mut bytes, schema, Arc::default()).unwrap();
    for rows in rows.chunks(50) {
        let mut group = file.next_row_group().unwrap();
        let mut put = |column: usize| {
            let numbers = rows.iter().map(|(numbers, _)| numbers[column]);
            match is_whole(column) {
                true => write_column::<Int64Type>(
                    &mut group,
                    &numbers.map(|n| n as i64).collect::<Vec<_>>(),
                    None,
                ),
                false => {
                    write_column::<DoubleType>(&mut group, &numbers.collect::<Vec<_>>(), None);
                }
            }
        };
        (0..columns.len()).for_each(&mut put);
        let regions = rows.iter().map(|(_, region)| *region);
        let levels: Vec<i16> = regions.clone().map(|r| i16::from(!r.is_empty())).collect();
        let texts: Vec<ByteArray> =
            regions.filter(|region| !region.is_empty()).map(ByteArray::from).collect();
        write_column::<ByteArrayType>(&mut group, &texts, Some(&levels));
        group.close().unwrap();
    }
    file.close().unwrap();
    bytes
}

fn write_column<T: DataType>(
    group: &mut parquet::file::writer::SerializedRowGroupWriter<'_, &mut Vec<u8>>,
    values: &[T::T],
    levels: Option<&[i16]>,
) {
    let mut column = group.next_column().unwrap().unwrap();
    column.typed::<T>().write_batch(values, levels, None).unwrap();
    column.close().unwrap();
}

const SIDE: [&str; 4] = ["--label", "side", "--prediction", "logit"];
const KIND: [&str; 4] = ["--label", "kind", "--prediction", "p_*"];
const PRICE: [&str; 4] = ["--label", "price", "--prediction", "predicted"];

#[test]
fn scores_are_the_same_in_every_format() {
    let folder = predictions();
    for what in [SIDE, KIND, PRICE] {
        for options in [
            &[][..],
            &["--json"],
            &["--by", "region"],
            &["--by", "region", "--by", "side", "--weight", "w"],
            &["--weight", "w", "--by", "region", "--json"],
        ] {
            let score = |name: &str| {
                let arguments = [&["score", name], &what[..], options].concat();
                printed(folder.path(), &arguments).replace(name, "t.csv")
            };
            let csv = score("t.csv");
            assert!(csv.contains("t.csv") && csv.lines().all(|line| line.chars().count() <= 80));
            for name in ["t.jsonl", "t.parquet"] {
                assert_eq!(score(name), csv, "{name} {options:?}");
            }
        }
    }
}

/// Segments are scored as if they were tables of their own, and weights as if rows came so often.
#[test]
fn segments_and_weights_count_as_rows_do() {
    let folder = predictions();
    let folder = folder.path();
    let score = |name: &str, what: &[&str], options: &[&str]| {
        json(&printed(folder, &[&["score", name], what, options, &["--json"]].concat()))
    };
    let table = fs::read_to_string(folder.join("t.csv")).unwrap();
    let south = |line: &&str| line.ends_with(",south") || line.ends_with(",region");
    let part = table.lines().filter(south).map(|line| line.to_owned() + "\n");
    fs::write(folder.join("south.csv"), part.collect::<String>()).unwrap();
    for what in [SIDE, KIND, PRICE] {
        let by_region = score("t.csv", &what, &["--by", "region"]);
        let segments = by_region["segments"].as_array().unwrap();
        let names: Vec<&str> = segments.iter().map(|s| s[0][0].as_str().unwrap()).collect();
        assert_eq!(names, ["", "north", "south"]);
        let south = &score("south.csv", &what, &[])["total"];
        assert_eq!(segments[2][1]["losses"], south["losses"]);
        assert_eq!(segments[2][1]["metrics"]["accuracy"], south["metrics"]["accuracy"]);
        assert_eq!(by_region["total"], score("t.csv", &what, &[])["total"]);

        let weighted = &score("t.csv", &what, &["--weight", "w"])["total"];
        let repeated = &score("repeated.csv", &what, &[])["total"];
        assert_eq!((&weighted["weight"], &weighted["rows"]), (&repeated["weight"], &67.into()));
        assert_eq!(weighted["losses"], repeated["losses"]);
        for metric in ["mae", "rmse", "r2", "accuracy", "macro_f1", "brier", "roc_auc"] {
            let [a, b] = [weighted, repeated].map(|total| total["metrics"][metric].as_f64());
            let same = a.zip(b).map_or(a == b, |(a, b)| (a - b).abs() < 1e-12 * b.abs());
            assert!(same, "{metric}: {a:?} {b:?}");
        }
    }
}

#[test]
fn columns_of_classes_are_given_one_by_one_or_by_a_pattern() {
    let folder = predictions();
    let score = |options: &[&str]| {
        let arguments = [&["score", "t.csv", "--label", "kind", "--json"], options].concat();
        json(&printed(folder.path(), &arguments))
    };
    let pattern = score(&["--prediction", "p_*"]);
    let columns = ["--prediction", "p_a", "--prediction", "p_b", "--prediction", "p_c"];
    assert_eq!(score(&columns), pattern);
    assert_eq!(pattern["prediction_type"], "probability");
    let swapped = ["--prediction", "p_b", "--prediction", "p_a", "--prediction", "p_c"];
    assert_ne!(score(&swapped)["total"]["losses"], pattern["total"]["losses"]);
    let one = score(&[&columns[..], &["--loss", "cross_entropy_probabilities"]].concat());
    let losses = one["total"]["losses"].as_array().unwrap();
    assert_eq!(losses.len(), 1);
    // The classes of `kind` are in turn, and their columns in this order.
    let table = fs::read_to_string(folder.path().join("t.csv")).unwrap();
    let surprise = table.lines().skip(1).enumerate().map(|(row, line)| {
        let cells: Vec<&str> = line.split(',').collect();
        -cells[3 + row % 3].parse::<f64>().unwrap().ln()
    });
    let mean = surprise.sum::<f64>() / 90.0;
    assert!((losses[0]["mean"].as_f64().unwrap() - mean).abs() < 1e-14, "{}", losses[0]);
}

#[test]
fn mistakes_in_questions_for_a_score_are_one_line() {
    let folder = predictions();
    let cases: [(&[&str], &str); 11] = [
        (&["--label", "prize", "--prediction", "predicted"], "did you mean `price`?"),
        (&["--label", "price", "--prediction", "predict"], "did you mean `predicted`?"),
        (&["--label", "kind", "--prediction", "q_*"], "--prediction q_*: no column fits"),
        (&["--label", "price", "--prediction", "predicted", "--by", "regio"], "`region`?"),
        (&["--label", "price", "--prediction", "predicted", "--weight", "v"], "column `v`"),
        (&["--label", "price", "--prediction", "region"], "row 1 (line 2), column `region`"),
        (&["--label", "price", "--prediction", "predicted", "--loss", "hubber"], "'huber'?"),
        (&["--label", "price", "--prediction", "predicted", "--loss", "ce"], "cross_entropy takes"),
        (
            &["--label", "price", "--prediction", "p_*", "--task", "binary"],
            "takes one --prediction",
        ),
        (&["--label", "side", "--prediction", "logit", "--positive", "2"], "labels are 0 and 1"),
        (
            &["--label", "side", "--prediction", "logit", "--prediction-type", "probability"],
            "give --prediction-type logit",
        ),
    ];
    for name in ["t.csv", "t.parquet"] {
        for (arguments, expected) in cases {
            let complaint = complaint(folder.path(), &[&["score", name], arguments].concat());
            let expected =
                expected.replace(" (line 2)", if name == "t.csv" { " (line 2)" } else { "" });
            assert!(complaint.contains(&expected), "{name}: {complaint}");
        }
    }
}

/// Tables with a target that asks for a loss, and what `xent advise` says of each.
const ADVISED: [(&str, &str, &str); 4] = [
    ("even", "mean_squared_error", "lie beyond"),
    ("heavy", "huber:delta=", "a Gaussian has"),
    ("zeros", "mean_squared_error", "of the targets are 0, and none is below"),
    ("rare", "binary_cross_entropy_with_logits@balanced", "raise the macro-F1"),
];

fn advised() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for (name, ..) in ADVISED {
        let mut table = "x,z,y\n".to_owned();
        for _ in 0..1_000 {
            let [x, z]: [f64; 2] = std::array::from_fn(|_| random.random_range(-1.0..1.0));
            let noise: f64 = (0..12).map(|_| random.random_range(-0.5..0.5)).sum();
            let y = match name {
                "even" => 3.0 * x - z + 0.3 * noise,
                "heavy" => 3.0 * x - z + noise * if random.random_bool(0.1) { 20.0 } else { 0.3 },
                "zeros" if random.random_bool(0.5) => 0.0,
                "zeros" => (x + noise).exp(),
                _ => f64::from(u8::from(random.random_bool(1.0 / (1.0 + (4.0 - 4.0 * x).exp())))),
            };
            writeln!(table, "{x},{z},{y}").unwrap();
        }
        fs::write(folder.path().join(format!("{name}.csv")), table).unwrap();
    }
    folder
}

#[test]
fn the_advice_follows_from_the_data() {
    let folder = advised();
    let folder = folder.path();
    for (name, loss, seen) in ADVISED {
        let table = format!("{name}.csv");
        let advise = ["advise", &table, "--target", "y"];
        let advice = json(&printed(folder, &[&advise[..], &["--json"]].concat()));
        let first = &advice["recommendations"][0];
        assert!(first["loss"].as_str().unwrap().starts_with(loss), "{name}: {first}");
        assert!(first["seen"].as_str().unwrap().contains(seen), "{name}: {first}");
        let text = printed(folder, &advise);
        assert!(text.starts_with(first["loss"].as_str().unwrap()), "{text}");
        let (about, command) = text.split_once("To test it\n").unwrap();
        assert!(about.lines().all(|line| line.chars().count() <= 80), "{text}");
        let command = command.trim();
        assert_eq!(command, advice["compare"].as_str().unwrap());
        let words = shlex::split(command).unwrap();
        let compare: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        let report = printed(folder, &[&compare[..], &["--epochs", "1", "--seeds", "2"]].concat());
        assert!(report.contains("Difference to the best"), "{report}");
    }
}

#[test]
fn training_without_a_loss_takes_the_advised_one_and_says_why() {
    let folder = advised();
    let folder = folder.path();
    for (name, loss, seen) in ADVISED {
        let table = format!("{name}.csv");
        let train = ["train", &table, "--target", "y", "--epochs", "1", "--out", name];
        let output = xent(folder, &train);
        let notes = String::from_utf8(output.stderr).unwrap();
        let why: Vec<&str> = notes.lines().filter(|line| line.contains("since")).collect();
        let [why] = why[..] else { panic!("{name}: {notes}") };
        assert!(why.starts_with(&format!("note: {loss}")) && why.contains(seen), "{why}");
        assert!(why.ends_with("; choose another with --loss"), "{why}");
        let run = json(&fs::read_to_string(folder.join(name).join("run.json")).unwrap());
        let taken = run["configuration"]["loss"].as_str().unwrap();
        assert!(why.starts_with(&format!("note: {taken}, since ")), "{taken}: {why}");
        let given = xent(folder, &[&train[..], &["--force", "--loss", taken]].concat());
        assert!(!String::from_utf8(given.stderr).unwrap().contains("since"));
    }
}
