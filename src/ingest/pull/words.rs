//! Why a camera could not be connected to, in words that a person can act on.
//!
//! Belongs here: the words. They hold a status, a host or a port, and never what a library or the camera
//! said: that may repeat an address with a password in it.

use std::{io, time::Duration};

use crate::{
    net::guard,
    relay::{Failure, Source},
};

/// The guard said no.
pub(super) fn refused(error: &guard::Refused) -> Failure {
    let code = match error {
        guard::Refused::Unknown { .. } => "unreachable",
        _ => "refused_source",
    };
    Failure::new(code, error.to_string())
}

/// The connection could not be made, or broke.
pub(super) fn of_io(error: &io::Error, source: &Source) -> Failure {
    let at = source.url.authority();
    match error.kind() {
        io::ErrorKind::ConnectionRefused => Failure::new(
            "refused",
            format!(
                "{at} refuses connections: the camera is off or restarting, or the port is wrong"
            ),
        ),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => Failure::new(
            "unreachable",
            format!(
                "there is no way to {at}: check the address, the camera's power and its network"
            ),
        ),
        io::ErrorKind::TimedOut => no_answer(source),
        _ => broken(),
    }
}

/// Nothing comes back from the address.
pub(super) fn no_answer(source: &Source) -> Failure {
    let at = source.url.authority();
    let message =
        format!("{at} does not answer: check the address, the camera's power and its network");
    Failure::new("unreachable", message)
}

/// No picture within the time for the start.
pub(super) fn slow_start(after: Duration) -> Failure {
    let message = format!(
        "no picture within {} s; the camera may be overloaded, or its path may be one without video",
        after.as_secs()
    );
    Failure::new("timeout", message)
}

/// Pictures came, and no longer do.
pub(super) fn stalled(after: Duration) -> Failure {
    Failure::new("stalled", format!("the camera has sent no picture for {} s", after.as_secs()))
}

/// The camera closed the connection.
pub(super) fn ended() -> Failure {
    Failure::new("ended", "the camera closed the connection")
}

/// The connection broke in the middle.
pub(super) fn broken() -> Failure {
    Failure::new("ended", "the connection to the camera broke")
}

/// What comes is not what the protocol says.
pub(super) fn garbage(protocol: &str) -> Failure {
    Failure::new("bad_stream", format!("what the camera sends is not {protocol}"))
}

/// An error of RTSP or HTTP.
pub(super) fn of_status(status: u16, source: &Source) -> Failure {
    let path = &source.url.path;
    match status {
        401 | 403 if source.password.is_some() || source.username.is_some() => Failure::new(
            "unauthorized",
            format!("the camera refuses the user name or password ({status})"),
        ),
        401 | 403 => Failure::new(
            "unauthorized",
            format!("the camera wants a user name and password ({status})"),
        ),
        404 | 454 => Failure::new(
            "not_found",
            format!("the camera has nothing at {path} ({status}): check the path"),
        ),
        301..=399 => Failure::new(
            "unsupported",
            format!("the camera redirects to another address ({status}): use that address"),
        ),
        453 | 503 => Failure::new(
            "refused",
            format!(
                "the camera serves nobody more at present ({status}): close other viewers of it"
            ),
        ),
        461 => Failure::new(
            "unsupported",
            "the camera refuses this transport (461): set rtsp_transport to the other of tcp and udp",
        ),
        _ => Failure::new("bad_stream", format!("the camera answers with the error {status}")),
    }
}

/// Nothing that can be passed on.
pub(super) fn unsupported_codec(offered: &str) -> Failure {
    let message = format!(
        "the camera sends {offered}, which is not supported; set it to H.264, H.265 or MJPEG"
    );
    Failure::new("unsupported_codec", message)
}

/// A protocol with encryption.
pub(super) fn no_tls(scheme: &str) -> Failure {
    let message = format!(
        "{scheme} cameras cannot be connected to yet: use the address without encryption, in a network \
         that you trust"
    );
    Failure::new("unsupported", message)
}
