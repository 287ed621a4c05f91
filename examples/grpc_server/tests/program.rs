//! The program as a whole.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
};

/// The program at a free port. It is killed at the end.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_grpc_server"));
    command.envs(variables.iter().copied());
    command
}

#[test]
fn it_says_where_it_listens_and_which_calls_to_try() {
    let mut command = program(&[("BIND", "127.0.0.1:0")]);
    let mut running = Program(command.stdout(Stdio::piped()).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("listening on http://127.0.0.1:"), "{first}");
    let calls = lines.map_while(Result::ok).take_while(|line| !line.starts_with("grpcurl "));
    assert_eq!(calls.filter(|line| line.starts_with("curl -i http://127.0.0.1:")).count(), 6);
}

#[test]
fn a_wrong_setting_is_one_line() {
    for (variable, value, part) in [
        ("BIND", "nonsense", "BIND=nonsense"),
        ("ACCESS_SECS", "soon", "ACCESS_SECS=soon must be whole seconds"),
        ("ACCESS_SECS", "0", "lifetime"),
        ("LOG", "loud", "LOG must be"),
    ] {
        let mut command = program(&[("BIND", "127.0.0.1:0"), (variable, value)]);
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(!child.wait().unwrap().success(), "{variable}={value}");
        assert!(said.starts_with("grpc_server: ") && said.contains(part), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
}
