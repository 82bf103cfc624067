//! The environment variable that forces a kernel, in a process of its own for each value: the environment of a test
//! process belongs to all its threads.

use seedstorm_content::{Content, KERNEL_VARIABLE, Kernel, Parameters};
use std::process::Command;

/// What the process of `reports_the_kernel_of_its_environment` prints before the name or the error.
const MARK: &str = "kernel: ";

/// Not much of a test by itself: the others run it in a process with another environment.
#[test]
fn reports_the_kernel_of_its_environment() {
    let report = match Content::new(&Parameters::default()) {
        Ok(content) => content.kernel().to_string(),
        Err(error) => error.to_string(),
    };
    println!("\n{MARK}{report}");
}

/// The kernel that a process with this variable uses, or the error that it gets.
fn kernel_with(variable: Option<&str>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("a test has a file"));
    command.args(["--exact", "reports_the_kernel_of_its_environment", "--nocapture"]).env_remove(KERNEL_VARIABLE);
    if let Some(name) = variable {
        command.env(KERNEL_VARIABLE, name);
    }
    let output = command.output().expect("the test runs again");
    let output = String::from_utf8(output.stdout).expect("text");
    output.lines().find_map(|line| line.strip_prefix(MARK)).expect("a report").to_owned()
}

#[test]
fn the_fastest_kernel_is_used_unless_another_is_forced() {
    assert_eq!(kernel_with(None), Kernel::available()[0].name());
    for kernel in Kernel::available() {
        assert_eq!(kernel_with(Some(kernel.name())), kernel.name());
    }
}

#[test]
fn a_kernel_that_does_not_exist_or_cannot_run_is_an_error_and_no_silent_fallback() {
    let available: Vec<_> = Kernel::available().iter().map(|kernel| kernel.name()).collect();
    let missing = Kernel::ALL.into_iter().filter(|kernel| !Kernel::available().contains(kernel)).map(Kernel::name);
    for name in missing.chain(["", "AESNI", "avx9"]) {
        assert_eq!(
            kernel_with(Some(name)),
            format!("SEEDSTORM_CPU is {name:?}, but must be a kernel that this CPU can run: {}", available.join(", "))
        );
    }
}
