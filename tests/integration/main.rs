//! Integration tests: one link, one file per behaviour.

#[cfg(test)]
mod architecture;
