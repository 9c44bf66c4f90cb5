//! Tests of the intake, against tungstenite's client and raw bytes.

use std::collections::VecDeque;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncWriteExt as _, DuplexStream, duplex};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        protocol::{
            Role,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::*;

const HEADROOM: usize = 50;
const MAX: usize = 200_000;

/// What a server sees, in its order.
#[derive(Debug, PartialEq)]
enum Seen {
    Taken(Vec<u8>),
    Passed(Message),
    Failed,
    Ended,
}

/// A transport that brings at most so many bytes a read, and takes any number.
struct Pieces(DuplexStream, usize);

impl AsyncRead for Pieces {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut few = vec![0; self.1.min(out.remaining())];
        let mut piece = ReadBuf::new(&mut few);
        ready!(Pin::new(&mut self.0).poll_read(cx, &mut piece))?;
        out.put_slice(piece.filled());
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pieces {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }
}

struct Server {
    socket: WebSocketStream<Intake<Pieces>>,
    taken: mpsc::Receiver<Vec<u8>>,
}

impl Server {
    async fn new(read: &'static [u8], most: usize) -> (Self, DuplexStream) {
        let (here, there) = duplex(1 << 20);
        let here = Pieces(here, most);
        let (intake, taken) = Intake::new(here, &Bytes::from_static(read), HEADROOM, MAX);
        (Self { socket: intake.socket().await, taken }, there)
    }

    async fn next(&mut self) -> Seen {
        tokio::select! {
            biased;
            message = self.socket.next() => match message {
                Some(Ok(message)) => Seen::Passed(message),
                Some(Err(Error::ConnectionClosed)) | None => Seen::Ended,
                Some(Err(_)) => Seen::Failed,
            },
            Some(message) = self.taken.recv() => {
                assert!(message.capacity() <= message.len() * 9 / 8, "no waste is kept");
                Seen::Taken(message[HEADROOM..].to_vec())
            }
        }
    }
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| (n * 31 + len) as u8).collect()
}

fn fragment(data: OpCode, last: bool, payload: &[u8]) -> Message {
    Message::Frame(Frame::message(payload.to_vec(), data, last))
}

#[tokio::test]
async fn whole_binary_messages_are_taken_out_and_all_else_passes_in_its_order() {
    // The transport's pieces cut headers and payloads everywhere.
    const LENS: [usize; 9] = [1, 125, 126, 70_000, 65_535, 65_536, 3, 30_000, 30_100];
    for most in [1, 3, 17, 4099, 1 << 20] {
        let (mut server, there) = Server::new(b"", most).await;
        let sending = tokio::spawn(async move {
            let mut client = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
            for len in LENS {
                client.feed(Message::binary(bytes(len))).await.unwrap();
                client.feed(Message::text(len.to_string())).await.unwrap();
            }
            client.feed(Message::binary(Vec::new())).await.unwrap();
            client.feed(fragment(OpCode::Data(Data::Binary), false, b"in ")).await.unwrap();
            client.feed(Message::Ping(Bytes::from_static(b"between"))).await.unwrap();
            client.feed(fragment(OpCode::Data(Data::Continue), true, b"parts")).await.unwrap();
            client.feed(Message::binary(bytes(500))).await.unwrap();
            client.close(None).await.unwrap();
            while let Some(Ok(_)) = client.next().await {}
        });
        let mut due = VecDeque::new();
        for len in LENS {
            due.push_back(Seen::Taken(bytes(len)));
            due.push_back(Seen::Passed(Message::text(len.to_string())));
        }
        due.push_back(Seen::Passed(Message::binary(Vec::new())));
        due.push_back(Seen::Passed(Message::Ping(Bytes::from_static(b"between"))));
        due.push_back(Seen::Passed(Message::binary(b"in parts".to_vec())));
        due.push_back(Seen::Taken(bytes(500)));
        due.push_back(Seen::Passed(Message::Close(None)));
        for due in due {
            assert_eq!(server.next().await, due, "{most} bytes at a time");
        }
        assert_eq!(server.next().await, Seen::Ended);
        // The client waits for the end of its connection.
        drop(server);
        sending.await.unwrap();
    }
}

#[tokio::test]
async fn what_breaks_the_protocol_fails_as_it_does_without() {
    let long = (MAX as u64 + 1).to_be_bytes();
    let over = [&[0x82, 0xFF][..], &long, &[1, 2, 3, 4]].concat();
    for frame in [
        // Garbage; not masked; over the limit; a reserved opcode; a whole message among fragments;
        // cut off in its payload.
        &[0xFF; 500][..],
        &[0x82, 2, 1, 2],
        &over,
        &[0x83, 0x80, 1, 2, 3, 4],
        &[0x02, 0x81, 0, 0, 0, 0, 7, 0x82, 0x81, 0, 0, 0, 0, 7],
        &[0x82, 0x85, 0, 0, 0, 0, 7],
    ] {
        let (mut server, mut there) = Server::new(b"", 1 << 16).await;
        there.write_all(frame).await.unwrap();
        drop(there);
        assert_eq!(server.next().await, Seen::Failed, "{frame:?}");
    }
}

#[tokio::test]
async fn bytes_that_came_with_the_request_are_the_first() {
    let (mut server, mut there) =
        Server::new(&[0x82, 0x84, 1, 2, 3, 4, b'a' ^ 1, b'b' ^ 2, b'c' ^ 3], 1 << 16).await;
    there.write_all(&[b'd' ^ 4]).await.unwrap();
    assert_eq!(server.next().await, Seen::Taken(b"abcd".to_vec()));
}

#[tokio::test]
async fn messages_that_nobody_takes_do_not_stand_before_a_close() {
    let (Server { mut socket, taken }, there) = Server::new(b"", 1 << 16).await;
    drop(taken);
    let mut client = WebSocketStream::from_raw_socket(there, Role::Client, None).await;
    for _ in 0..3 {
        client.feed(Message::binary(bytes(1000))).await.unwrap();
    }
    client.close(None).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Close(None));
}
