//! A bug in tug: said as such, in one shape, without the inside of the program unless somebody asks for it.

use std::backtrace::Backtrace;
use std::io::Write;
use std::panic::PanicHookInfo;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::environment::{self, Environment};

static HAPPENED: AtomicBool = AtomicBool::new(false);

/// Lets every panic, on any thread, be reported in our own words.
pub(crate) fn install(environment: &Environment) {
    let backtrace = environment.text(environment::BACKTRACE).is_some();
    std::panic::set_hook(Box::new(move |info| {
        HAPPENED.store(true, Ordering::SeqCst);
        let mut report = report(info);
        if backtrace {
            report += &format!("\n{}\n", Backtrace::force_capture());
        }
        let _ = std::io::stderr().lock().write_all(report.as_bytes());
    }));
}

/// Whether any thread panicked, also one whose panic was caught.
pub(crate) fn happened() -> bool {
    HAPPENED.load(Ordering::SeqCst)
}

fn report(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = match info.location() {
        Some(place) => format!(" ({}:{})", place.file(), place.line()),
        None => String::new(),
    };
    format!(
        "error: internal error in tug {}\n  caused by: {message}{place}\n\n\
         hint: this is a bug; please report this text with the command that led to it. {}=1 shows more\n",
        env!("CARGO_PKG_VERSION"),
        environment::BACKTRACE,
    )
}
