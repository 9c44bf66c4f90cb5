//! Whether a connection has something to answer or to send, so that one that has not need not be
//! waited for.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::{
    sync::watch,
    time::{Duration, timeout},
};

/// Requests of one connection that are being answered. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) struct Answering(watch::Sender<usize>);

/// One of them, until it is dropped.
#[derive(Debug)]
pub(super) struct Request(watch::Sender<usize>);

impl Answering {
    pub(super) fn begin(&self) -> Request {
        self.0.send_modify(|requests| *requests += 1);
        Request(self.0.clone())
    }

    /// Waits until there has been no request for `patience` on end.
    pub(super) async fn idle_for(&self, patience: Duration) {
        let mut requests = self.0.subscribe();
        loop {
            // The sender lives in this handle, so waiting cannot fail.
            let _ = requests.wait_for(|&requests| requests == 0).await;
            if timeout(patience, requests.wait_for(|&requests| requests > 0)).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        self.0.send_modify(|requests| *requests -= 1);
    }
}

/// An answer's body, which keeps its request until HTTP has all of it. What the socket has no room for
/// then is counted by [`super::stalled::GiveUp`].
#[derive(Debug)]
pub(super) struct Answer {
    body: Body,
    _request: Request,
}

impl Answer {
    pub(super) fn of(response: Response, request: Request) -> axum::http::Response<Self> {
        response.map(|body| Self { body, _request: request })
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_is_waited_for_and_then_the_patience_starts_anew() {
        let answering = Answering::default();
        let idle = answering.idle_for(Duration::from_secs(1));
        tokio::pin!(idle);
        let not_yet = async |idle: Pin<&mut _>, ms| {
            let idle: Pin<&mut _> = idle;
            assert!(timeout(Duration::from_millis(ms), idle).await.is_err());
        };
        not_yet(idle.as_mut(), 900).await;
        let request = answering.begin();
        not_yet(idle.as_mut(), 60_000).await;
        drop(request);
        not_yet(idle.as_mut(), 900).await;
        idle.await;
    }
}
