//! One connection to the server, from its start to its end.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_tungstenite::tungstenite::{self, Message, protocol::CloseFrame};
use tokio_util::sync::CancellationToken;

use super::{
    Options,
    clock::{ServerClock, local_us},
    link::{self, Link},
    messages::FromServer,
    report::{self, Report},
    source::{Picture, Source},
};
use crate::wire::fragment;

/// The first pings come quickly, so that frames have a capture time soon; then every
/// [`PING_PERIOD`].
const PING_BURST_MS: [u64; 5] = [0, 40, 120, 300, 700];
const PING_PERIOD: Duration = Duration::from_secs(2);
/// A server that says nothing for this long is gone: four answers are missing. TCP alone would take
/// minutes to notice.
const SILENCE: Duration = Duration::from_millis(8500);
/// For one message to be taken by the kernel.
const SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// For the goodbye.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Close codes of `docs/protocol.md` that no new connection helps with.
const CANNOT_SERVE: u16 = 4000;
const REPLACED: u16 = 4001;

/// How a connection ended.
#[derive(Debug)]
pub(super) enum End {
    /// The source has no more pictures.
    Finished,
    /// As asked.
    Stopped,
    /// A newer publisher has the camera.
    Replaced(String),
    /// For good.
    Refused(String),
    /// Perhaps for now.
    Lost(String),
}

/// Publishes over one connection.
pub(super) async fn run(
    options: &Options,
    source: &mut Source,
    report: &mut Report,
    stop: &CancellationToken,
) -> End {
    let link = tokio::select! {
        link = link::connect(options) => link,
        () = stop.cancelled() => return End::Stopped,
    };
    let link = match link {
        Ok(link) => link,
        Err(end) => return end,
    };
    report
        .say(&format!("{}: connected to {}:{}", options.camera, options.to.host, options.to.port));
    let mut session = Session {
        link,
        report,
        clock: ServerClock::default(),
        max_frame_bytes: None,
        seq: 0,
        last_index: 0,
        refusal: None,
    };
    let end = tokio::select! {
        end = session.go(source) => end,
        () = stop.cancelled() => End::Stopped,
    };
    if matches!(end, End::Finished | End::Stopped) {
        session.leave().await;
    }
    end
}

struct Session<'a> {
    link: Link,
    report: &'a mut Report,
    clock: ServerClock,
    /// `None` before the server's hello. No picture goes out before it: one over the limit would end the
    /// connection.
    max_frame_bytes: Option<usize>,
    seq: u64,
    last_index: u64,
    /// What the server complained of last.
    refusal: Option<String>,
}

impl Session<'_> {
    async fn go(&mut self, source: &mut Source) -> End {
        let ended = self.exchange(source).await;
        ended.unwrap_or_else(|end| end)
    }

    /// Only ever ends by `Err`, or when the source does.
    async fn exchange(&mut self, source: &mut Source) -> Result<End, End> {
        let began = Instant::now();
        let mut pings = PING_BURST_MS.iter().map(|&ms| began + Duration::from_millis(ms));
        let mut ping_at = pings.next().unwrap_or(began);
        let mut heard_at = began;
        let mut lines = interval(report::PERIOD);
        lines.set_missed_tick_behavior(MissedTickBehavior::Delay);
        lines.reset();
        loop {
            tokio::select! {
                message = self.link.next() => {
                    heard_at = Instant::now();
                    self.take(message)?;
                }
                changed = source.newest.changed(), if self.max_frame_bytes.is_some() => {
                    if changed.is_err() {
                        return Ok(End::Finished);
                    }
                    let newest = source.newest.borrow_and_update().clone();
                    if let Some(picture) = newest {
                        self.publish(&picture).await?;
                    }
                }
                () = sleep_until(ping_at) => {
                    let ping = json!({"type": "ping", "t": local_us()}).to_string();
                    self.send(Message::text(ping)).await?;
                    ping_at = pings.next().unwrap_or(Instant::now() + PING_PERIOD);
                }
                () = sleep_until(began + SILENCE), if self.max_frame_bytes.is_none() => {
                    let why = "the server does not say what it takes, so it is none of this kind";
                    return Err(End::Lost(why.into()));
                }
                () = sleep_until(heard_at + SILENCE) => {
                    return Err(End::Lost("the server has stopped answering".into()));
                }
                _ = lines.tick() => self.report.line(),
            }
        }
    }

    async fn publish(&mut self, picture: &Picture) -> Result<(), End> {
        if self.last_index > 0 {
            self.report.skipped((picture.index - self.last_index).saturating_sub(1));
        }
        self.last_index = picture.index;
        let len = picture.jpeg.len();
        if let Some(limit) = self.max_frame_bytes.filter(|limit| len > *limit) {
            self.report.left_out(format!(
                "a picture of {len} bytes is over the server's limit of {limit}: left out; lower \
                 its size or quality, or raise --max-frame-bytes there"
            ));
            return Ok(());
        }
        self.seq += 1;
        let captured_us = self.clock.to_server(picture.captured_us);
        let parts = fragment::split(&picture.jpeg, self.seq, captured_us, usize::MAX);
        for part in parts.into_iter().flatten() {
            self.send(Message::binary(part)).await?;
        }
        self.report.sent(len);
        Ok(())
    }

    async fn send(&mut self, message: Message) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.link.send(message)).await {
            Ok(Ok(())) => Ok(()),
            // The server's last words, if any, say more than the broken pipe does.
            Ok(Err(error)) => Err(self.last_words().await.unwrap_or_else(|| lost(&error))),
            Err(_) => Err(End::Lost("the connection takes nothing any more".into())),
        }
    }

    /// What the server said before it closed.
    async fn last_words(&mut self) -> Option<End> {
        let reading = async {
            loop {
                let message = self.link.next().await;
                if matches!(message, None | Some(Err(_))) {
                    return None;
                }
                if let Err(end) = self.take(message) {
                    return Some(end);
                }
            }
        };
        timeout(CLOSE_TIMEOUT, reading).await.ok().flatten()
    }

    fn take(&mut self, message: Option<Result<Message, tungstenite::Error>>) -> Result<(), End> {
        let text = match message {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(frame))) => return Err(self.closed(frame)),
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => return Err(lost(&error)),
            None => return Err(End::Lost("the server closed the connection".into())),
        };
        match serde_json::from_str(&text) {
            Ok(FromServer::Hello { max_frame_bytes }) => {
                self.max_frame_bytes = Some(max_frame_bytes);
            }
            Ok(FromServer::Pong { t, server_us }) => self.clock.sample(t, server_us, local_us()),
            Ok(FromServer::Feedback(feedback)) => self.report.feedback(feedback),
            Ok(FromServer::Replaced { message }) => return Err(End::Replaced(message)),
            Ok(FromServer::Error { code, message }) => {
                self.report.complain(&format!("the server says: {message} ({code})"));
                self.report.refused(format!("{message} ({code})"));
                self.refusal = Some(message);
            }
            Ok(FromServer::Other) => {}
            Err(error) => {
                self.report.complain(&format!("the server sent what cannot be read: {error}"));
            }
        }
        Ok(())
    }

    fn closed(&mut self, frame: Option<CloseFrame>) -> End {
        let code = frame.as_ref().map_or(0, |frame| u16::from(frame.code));
        let reason = frame.map(|frame| frame.reason.to_string()).filter(|text| !text.is_empty());
        let said = reason.or(self.refusal.take());
        match code {
            REPLACED => End::Replaced(said.unwrap_or("a newer publisher took the camera".into())),
            CANNOT_SERVE => End::Refused(said.unwrap_or("it gives no reason".into())),
            _ => End::Lost(said.map_or("the server closed the connection".into(), |said| {
                format!("the server closed the connection: {said}")
            })),
        }
    }

    /// Says goodbye, so that the camera goes offline at once, and hears what became of the last pictures.
    async fn leave(&mut self) {
        let goodbye = async {
            let bye = json!({"type": "bye"}).to_string();
            self.link.send(Message::text(bye)).await?;
            self.link.close(None).await?;
            while let Some(message) = self.link.next().await {
                if self.take(Some(message)).is_err() {
                    break;
                }
            }
            Ok::<_, tungstenite::Error>(())
        };
        let _ = timeout(CLOSE_TIMEOUT, goodbye).await;
    }
}

fn lost(error: &tungstenite::Error) -> End {
    End::Lost(format!("the connection broke: {error}"))
}
