//! Keeps a driver's layer from talking on our standard error.
//!
//! Mesa's device-select layer (22.3, as Debian 12 has it) asks Wayland for the display's
//! GPU, and libwayland prints two lines of error where there is no `XDG_RUNTIME_DIR`: on
//! servers, in containers, in a root shell. Nothing is wrong there, and our own errors are
//! one line. The layer is switched off by an environment variable, which has to be there
//! before the process begins, so the program runs itself once more with it.

use std::ffi::OsString;
use std::path::Path;

/// Switches the layer off.
const OFF: &str = "NODEVICE_SELECT";
/// What the layer is for; where a user sets it, it stays on.
const CHOICE: &str = "MESA_VK_DEVICE_SELECT";

/// Whether the layer would print errors under this environment.
fn would_talk(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    // libwayland takes absolute paths alone.
    let session = variable("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    !session && variable(OFF).is_none() && variable(CHOICE).is_none()
}

/// Goes on under an environment in which the layer is silent; where that cannot be done it
/// goes on as it is.
#[cfg(target_os = "linux")]
pub fn layers() {
    use std::os::unix::process::CommandExt;
    if would_talk(|name| std::env::var_os(name))
        && let Ok(program) = std::env::current_exe()
    {
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // Comes back only where it failed.
        let _ = again.args(arguments).env(OFF, "1").exec();
    }
}

/// Elsewhere there is no such layer.
#[cfg(not(target_os = "linux"))]
pub fn layers() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_where_it_would_talk_and_nobody_wants_it() {
        let under = |set: &[(&str, &str)]| {
            would_talk(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert!(under(&[]));
        assert!(under(&[("XDG_RUNTIME_DIR", "")]));
        assert!(!under(&[("XDG_RUNTIME_DIR", "/run/user/1000")]));
        assert!(!under(&[(OFF, "1")]), "it runs itself once, not for ever");
        assert!(!under(&[(CHOICE, "1002:73bf")]));
    }
}
