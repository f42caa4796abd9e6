//! Another process, stepped through one instruction at a time.

use crate::CANNOT;
use crate::decode::{Counts, Kind};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, raise};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;
use std::collections::HashMap;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::process::Command;

/// The longest instruction there is, in bytes.
const LONGEST: usize = 15;

/// Has glibc fill and copy memory with vectors: string instructions are a step for each byte.
const VECTORS: &str = "glibc.cpu.x86_rep_movsb_threshold=0x7fffffff:\
                       glibc.cpu.x86_rep_stosb_threshold=0x7fffffff";

/// Lets the process that started this one step through it.
pub(crate) fn allow() -> io::Result<()> {
    Ok(ptrace::traceme()?)
}

/// Tells the process that steps through this one that the part to count starts or ends.
pub(crate) fn mark() {
    raise(Signal::SIGSTOP).expect("a process may stop itself");
}

/// A process that has called [`allow`].
pub(crate) struct Traced {
    pid: Pid,
    memory: File,
    kinds: HashMap<u64, Kind>,
}

impl Traced {
    pub(crate) fn start(command: &mut Command) -> io::Result<Self> {
        let pid = command.env("GLIBC_TUNABLES", VECTORS).spawn()?.id();
        let memory = File::open(format!("/proc/{pid}/mem"))?;
        Ok(Self { pid: Pid::from_raw(pid.cast_signed()), memory, kinds: HashMap::new() })
    }

    /// Counts the instructions between the next two marks.
    pub(crate) fn count(&mut self) -> io::Result<Counts> {
        while self.stopped()? != Signal::SIGSTOP {
            ptrace::cont(self.pid, None)?;
        }
        ptrace::setoptions(self.pid, ptrace::Options::PTRACE_O_EXITKILL)?;
        let mut counts = Counts::default();
        loop {
            ptrace::step(self.pid, None)?;
            if self.stopped()? == Signal::SIGSTOP {
                ptrace::cont(self.pid, None)?;
                return Ok(counts);
            }
            counts.add(self.kind(ptrace::getregs(self.pid)?.rip)?, 1.0);
        }
    }

    /// Waits for the process to stop, after a step or at a mark.
    fn stopped(&self) -> io::Result<Signal> {
        match waitpid(self.pid, None)? {
            WaitStatus::Stopped(_, signal @ (Signal::SIGTRAP | Signal::SIGSTOP)) => Ok(signal),
            WaitStatus::Exited(_, code) if code == i32::from(CANNOT) => {
                Err(io::ErrorKind::PermissionDenied.into())
            }
            other => Err(io::Error::other(format!("the process counted has ended: {other:?}"))),
        }
    }

    fn kind(&mut self, address: u64) -> io::Result<Kind> {
        if let Some(&kind) = self.kinds.get(&address) {
            return Ok(kind);
        }
        let mut code = [0; LONGEST];
        let read = self.memory.read_at(&mut code, address)?;
        let kind = Kind::of(&code[..read]);
        self.kinds.insert(address, kind);
        Ok(kind)
    }
}
