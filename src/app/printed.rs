//! Data on standard output, and what becomes of the exit code where it cannot be written.

use crate::base::failure::Class;
use crate::cli::Page;
use crate::edge::ci::Writer;

/// A page that was asked for.
pub(super) fn print(writer: &Writer, page: &Page) -> u8 {
    let text = if writer.data_coloured() {
        &page.coloured
    } else {
        &page.plain
    };
    said(writer, writer.text(text), 0)
}

/// The exit code after something was printed; what could not be printed is unavailable.
pub(super) fn said(writer: &Writer, printed: std::io::Result<()>, code: u8) -> u8 {
    match printed {
        Ok(()) => code,
        Err(error) => {
            writer.warning(&format!("could not write to standard output: {error}"));
            code.max(Class::Unavailable.exit_code())
        }
    }
}
