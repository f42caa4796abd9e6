//! Ctrl-C: at once, but for the moments in which results are written.

use std::sync::{Mutex, PoisonError};

static WRITING: Mutex<()> = Mutex::new(());

/// The exit code of a program that an interrupt ended.
const INTERRUPTED: i32 = 130;

/// Lets interrupts wait for [`without`].
pub(crate) fn wait_for_writing() {
    let end = || {
        let _written = WRITING.lock();
        std::process::exit(INTERRUPTED);
    };
    // Without a handler an interrupt ends the program too, only less gently.
    let _ = ctrlc::set_handler(end);
}

/// Does something that no interrupt can end halfway.
pub(crate) fn without<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}
