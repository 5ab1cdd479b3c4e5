//! Who prints, data on standard output, and what becomes of the exit code where something cannot be said.

use crate::base::failure::{Cause, Class};
use crate::cli::{Color, Look, Page};
use crate::edge::ci::{Environment, Host, Shade, Writer};

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

/// Who prints, as this call looks.
pub(super) fn writer(host: Host, environment: &Environment, look: Look) -> Writer {
    let shade = match look.color {
        Color::Auto => Shade::Auto,
        Color::Always => Shade::Coloured,
        Color::Never => Shade::Plain,
    };
    Writer::new(host, environment, shade, look.verbose, look.quiet)
}

/// Says why nothing was done, and gives the exit code of that.
pub(super) fn refused(writer: &Writer, cause: &Cause) -> u8 {
    writer.error(cause);
    cause.class.exit_code()
}
