//! Keeps a layer of the driver from printing on our standard error.
//!
//! Mesa's device-select layer (22.3, as Debian 12 has it) asks Wayland for the display's
//! GPU, and libwayland prints two lines of error where there is no `XDG_RUNTIME_DIR`: on
//! servers, in containers, in a root shell. Nothing is wrong there, and our own errors are
//! one line. The layer is switched off by an environment variable, which has to be there
//! before the process begins, so the program runs itself once more with it.

use std::ffi::OsString;
use std::path::Path;

/// The environment variable that switches the layer off.
const OFF: &str = "NODEVICE_SELECT";
/// The variable that the layer reads; if a user sets it, the layer stays on.
const CHOICE: &str = "MESA_VK_DEVICE_SELECT";

/// Whether the layer would print errors under this environment.
fn would_print(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    // libwayland accepts absolute paths only.
    let session = variable("XDG_RUNTIME_DIR").is_some_and(|folder| Path::new(&folder).is_absolute());
    !session && variable(OFF).is_none() && variable(CHOICE).is_none()
}

/// Runs the program again with the layer switched off; continues as it is if that fails.
#[cfg(target_os = "linux")]
pub fn disable_device_select() {
    use std::os::unix::process::CommandExt;
    if would_print(|name| std::env::var_os(name))
        && let Ok(program) = std::env::current_exe()
    {
        let mut arguments = std::env::args_os();
        let mut again = std::process::Command::new(program);
        if let Some(name) = arguments.next() {
            again.arg0(name);
        }
        // `exec` returns only on failure.
        let _ = again.args(arguments).env(OFF, "1").exec();
    }
}

/// Other systems have no such layer.
#[cfg(not(target_os = "linux"))]
pub fn disable_device_select() {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layer_is_disabled_only_if_it_would_print_and_no_user_set_it() {
        let under = |set: &[(&str, &str)]| {
            would_print(|name| set.iter().find(|(known, _)| *known == name).map(|(_, value)| value.into()))
        };
        assert!(under(&[]));
        assert!(under(&[("XDG_RUNTIME_DIR", "")]));
        assert!(!under(&[("XDG_RUNTIME_DIR", "/run/user/1000")]));
        assert!(!under(&[(OFF, "1")]), "it runs itself once, not for ever");
        assert!(!under(&[(CHOICE, "1002:73bf")]));
    }
}
