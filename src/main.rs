//! The porch: starts the runtime, hands over arguments and environment, returns the exit code.

fn main() {}
