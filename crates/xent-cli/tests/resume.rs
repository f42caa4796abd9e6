//! Runs that are interrupted or killed, and go on as if they were not.
#![cfg(unix)]

use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use std::fs;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// Small trainings of the three models, each with all that its state can hold.
const TRAININGS: [&str; 3] = [
    "shapes --model cnn --channels 4 --classes disc,cross --size 12 --epochs 2 --flip --crop 1 \
     --dropout 0.2 --early-stop 5 --schedule cosine",
    "reviews --model lstm --embedding 8 --units 8 --bidirectional --epochs 2 --optimizer adamw \
     --clip 1 --warmup 1",
    "diabetes --model mlp --hidden 16,8 --epochs 8 --optimizer momentum --loss huber --l1 0.001 \
     --dropout 0.1 --weight-decay 0.01",
];

fn xent(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xent"));
    command.current_dir(folder).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

fn train(folder: &Path, training: &str, out: &str) -> Command {
    let options = ["--out", out, "--checkpoint-every", "0", "--batch-size", "16"];
    let arguments: Vec<&str> = training.split_whitespace().collect();
    xent(folder, &[&["train"], &arguments[..], &options].concat())
}

fn succeeds(mut command: Command) {
    let status: ExitStatus = command.status().unwrap();
    assert!(status.success(), "{command:?}: {status}");
}

/// The result of a run, bit for bit: weights, history and all that was measured.
fn result(folder: &Path, run: &str) -> [Vec<u8>; 3] {
    ["model.safetensors", "history.csv", "run.json"]
        .map(|file| fs::read(folder.join(run).join(file)).unwrap())
}

/// Whether a run got as far as its first checkpoint, written whole.
fn has_checkpoint(run: &Path) -> bool {
    let mut entries = fs::read_dir(run.join("checkpoints")).into_iter().flatten().flatten();
    entries.any(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
}

/// Kills a run at random moments and resumes it until it is done; says how often it was killed.
fn killed_and_resumed(
    folder: &Path,
    training: &str,
    duration: Duration,
    random: &mut ChaCha8Rng,
    most: usize,
) -> usize {
    let run = folder.join("killed");
    let mut kills = 0;
    while !run.join("run.json").exists() {
        let mut command = match has_checkpoint(&run) {
            true => xent(folder, &["train", "--resume", "killed", "--checkpoint-every", "0"]),
            false => train(folder, &format!("{training} --force"), "killed"),
        };
        if kills == most {
            succeeds(command);
            continue;
        }
        let mut child = command.spawn().unwrap();
        sleep(duration.mul_f64(random.random_range(0.0..0.7)));
        kills += usize::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        child.wait().unwrap();
    }
    kills
}

/// Kills `most` times in all, in turn for each training.
fn check(most: usize, seed: u64) {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let undisturbed: Vec<(TempDir, Duration)> = TRAININGS
        .iter()
        .map(|training| {
            let folder = tempfile::tempdir().unwrap();
            let started = Instant::now();
            succeeds(train(folder.path(), training, "whole"));
            (folder, started.elapsed())
        })
        .collect();
    let mut kills = 0;
    while kills < most {
        for ((folder, duration), training) in undisturbed.iter().zip(TRAININGS) {
            let folder = folder.path();
            kills += killed_and_resumed(folder, training, *duration, &mut random, 3);
            assert_eq!(result(folder, "killed"), result(folder, "whole"), "{training}");
            let files = |run: &str| fs::read_dir(folder.join(run)).unwrap().count();
            assert_eq!(files("killed"), files("whole"), "nothing half-written stays");
            fs::remove_dir_all(folder.join("killed")).unwrap();
        }
    }
    println!("{kills} kills, each resumed to the same bits");
}

#[test]
fn a_killed_run_goes_on_to_the_same_bits() {
    check(5, 1);
}

/// The long version: `cargo test -p xent-cli --test resume -- --ignored --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn a_hundred_kills_change_nothing() {
    check(100, 2);
}

#[test]
fn a_damaged_checkpoint_is_left_out_with_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let training = TRAININGS[2];
    succeeds(train(folder, training, "whole"));
    succeeds(train(folder, training, "run"));
    fs::remove_file(folder.join("run/run.json")).unwrap();
    let checkpoints = folder.join("run/checkpoints");
    let mut files: Vec<_> =
        fs::read_dir(&checkpoints).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 3, "the last ones are kept");
    let last = files.last().unwrap();
    let mut bytes = fs::read(last).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(last, bytes).unwrap();

    let output =
        xent(folder, &["train", "--resume", "run"]).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{errors}");
    let name = last.file_name().unwrap().to_str().unwrap();
    assert!(
        errors.contains(name) && errors.contains("the checkpoint before it is used"),
        "{errors}"
    );
    assert_eq!(result(folder, "run"), result(folder, "whole"));

    // A finished run is not trained again, and one without checkpoints not at all.
    let refused = |run: &str| {
        let output = xent(folder, &["train", "--resume", run]).stderr(Stdio::piped()).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(refused("run").contains("holds a finished run"));
    assert!(refused("nothing").contains("has no whole checkpoint to resume from"));
}

#[test]
fn an_interrupt_ends_the_step_and_says_how_to_resume() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let arguments = ["train", "diabetes", "--epochs", "100000000", "--out", "run"];
    let child = xent(folder, &arguments).stderr(Stdio::piped()).spawn().unwrap();
    while !folder.join("run/checkpoints").exists() {
        sleep(Duration::from_millis(20));
    }
    sleep(Duration::from_millis(300));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(130), "{errors}");
    assert!(errors.contains("go on with `xent train --resume run`"), "{errors}");
    assert!(!folder.join("run/run.json").exists());
    assert_eq!(fs::read_dir(folder.join("run/checkpoints")).unwrap().count(), 2);
}

#[test]
fn data_that_has_changed_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let rows = |last: usize| -> String {
        let rows = (0..200).map(|row| format!("{row},{}\n", if row == 7 { last } else { row }));
        "x,y\n".to_owned() + &rows.collect::<String>()
    };
    fs::write(folder.join("t.csv"), rows(7)).unwrap();
    let train = ["train", "t.csv", "--target", "y", "--epochs", "1", "--out", "run"];
    succeeds(xent(folder, &train));
    fs::remove_file(folder.join("run/run.json")).unwrap();
    fs::write(folder.join("t.csv"), rows(8)).unwrap();
    let mut resume = xent(folder, &["train", "--resume", "run"]);
    let output = resume.stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("it has changed"), "{errors}");
}
