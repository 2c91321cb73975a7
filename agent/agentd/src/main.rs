//! The binary `doorpost`.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentd::cli::main()
}
