//! Why a camera could not be connected to, in words that a person can act on.
//!
//! Belongs here: the words. They hold a status, a host or a port, and never what a library or the camera
//! said: that may repeat an address with a password in it.

use std::{io, time::Duration};

use crate::{
    net::{
        guard,
        tls::{TlsError, Why},
    },
    relay::{Failure, Source},
    wire::{rtsp::Unfit, source_url::SourceUrl},
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
pub(super) fn of_io(error: &io::Error, url: &SourceUrl) -> Failure {
    let at = url.authority();
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
        io::ErrorKind::TimedOut => no_answer(url),
        _ => broken(),
    }
}

/// Nothing comes back from the address.
pub(super) fn no_answer(url: &SourceUrl) -> Failure {
    let at = url.authority();
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

/// More than any camera has to send.
pub(super) fn unfit(unfit: Unfit) -> Failure {
    match unfit {
        Unfit::NotRtsp => garbage("RTSP"),
        Unfit::LongHead | Unfit::LongBody => Failure::new(
            "bad_stream",
            format!(
                "the camera sends {unfit}, which is not taken: restart it, or check the address"
            ),
        ),
    }
}

/// One picture that is larger than any may be.
pub(super) fn large_picture(most: usize) -> Failure {
    let message = format!(
        "the camera sends pictures of more than {} MiB: set it to a lower bit rate or resolution",
        most >> 20
    );
    Failure::new("bad_stream", message)
}

/// A picture without end.
pub(super) fn endless(bytes: usize) -> Failure {
    let message = format!(
        "the camera has sent {} MiB without a whole picture, and is not waited for: restart it",
        bytes >> 20
    );
    Failure::new("bad_stream", message)
}

/// No encrypted connection.
pub(super) fn of_tls(error: &TlsError, url: &SourceUrl) -> Failure {
    let at = url.authority();
    let (shown, why) = match error {
        TlsError::Io(error) => return of_io(error, url),
        TlsError::Handshake => {
            let message = format!(
                "no encrypted connection to {at}: the port may be one without TLS, or the camera knows \
                 none of TLS 1.2 and 1.3"
            );
            return Failure::new("unsupported", message);
        }
        TlsError::Unusable => {
            let message = format!(
                "the certificate of {at} is of a kind that is not safe, such as RSA with fewer than 2048 \
                 bits, or X.509 version 1: have the camera make a new one"
            );
            return Failure::new("unsupported", message);
        }
        TlsError::Untrusted { shown, why } => (*shown, *why),
    };
    let message = match why {
        Why::Other => format!(
            "{at} shows another certificate than tls_fingerprint says. If the camera was given a new one, \
             its fingerprint is {shown}; if not, it may not be the camera that answers"
        ),
        why => {
            let what = match why {
                Why::Name => "is for another name",
                Why::Time => "is not valid at this time",
                _ => "is signed by nobody whom this system trusts",
            };
            format!(
                "the certificate of {at} {what}, as is usual for cameras. Compare its fingerprint with the \
                 camera's, and if it is the same, set tls_fingerprint to {shown}"
            )
        }
    };
    Failure { fingerprint: Some(shown), ..Failure::new("untrusted", message) }
}

/// RTP would go beside the encrypted connection. Set-up refuses this; a catalog of before may have it.
pub(super) fn no_tls_over_udp() -> Failure {
    Failure::new(
        "unsupported",
        "rtsps brings the media in its own connection: set rtsp_transport to tcp",
    )
}

/// As [`of_tls`], of an address that the camera redirects to: a fingerprint is for the one that was set up.
pub(super) fn untrusted_elsewhere(url: &SourceUrl) -> Failure {
    let at = format!("{}://{}", url.scheme.name(), url.authority());
    let message = format!(
        "the camera redirects to {at}, whose certificate is not trusted: use that address, and test again"
    );
    Failure::new("untrusted", message)
}

/// A login is asked for where a redirect led to.
pub(super) fn login_elsewhere(url: &SourceUrl) -> Failure {
    let at = format!("{}://{}", url.scheme.name(), url.authority());
    let message = format!(
        "the camera redirects to {at}, which the password was not given for: use that address"
    );
    Failure::new("unauthorized", message)
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
