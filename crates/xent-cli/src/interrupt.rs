//! Ctrl-C: at once, but for the moments in which results are written, and after the step at hand
//! where the state of a training can be kept.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

static WRITING: Mutex<()> = Mutex::new(());
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// The exit code of a program that an interrupt ended.
pub(crate) const EXIT_CODE: u8 = 130;

/// Lets interrupts wait for [`without`].
pub(crate) fn wait_for_writing() {
    on_interrupt(end);
}

/// Lets the first interrupt wait until [`interrupted`] is asked; the second ends the program.
pub(crate) fn wait_for_step() {
    on_interrupt(|| {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            end();
        }
    });
}

/// Whether there was an interrupt since [`wait_for_step`].
pub(crate) fn interrupted() -> bool {
    INTERRUPTED.load(Ordering::SeqCst)
}

/// Does something that no interrupt can end halfway.
pub(crate) fn without<T>(write: impl FnOnce() -> T) -> T {
    let _writing = WRITING.lock().unwrap_or_else(PoisonError::into_inner);
    write()
}

fn on_interrupt(act: impl FnMut() + Send + 'static) {
    // Without a handler an interrupt ends the program too, only less gently.
    let _ = ctrlc::set_handler(act);
}

fn end() {
    let _written = WRITING.lock();
    std::process::exit(EXIT_CODE.into());
}
