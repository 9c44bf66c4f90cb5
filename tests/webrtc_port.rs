//! Publishers on the one UDP port: opening, isolation, forged packets, what is freed at the end.

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/rtc_client.rs"]
mod rtc_client;

use std::time::{Duration, Instant};

use framecast::ingest::webrtc::{Candidates, Event, Opener, Port, Reliability, Session};
use pattern::{check, message};
use rtc_client::{Channel, Client};

fn port(bind: &str) -> Port {
    let socket = std::net::UdpSocket::bind(bind).expect("a socket");
    let candidates = Candidates::local(socket.local_addr().expect("bound"));
    Port::new(socket, candidates).expect("a port")
}

async fn event(session: &mut Session) -> Event {
    tokio::time::timeout(Duration::from_secs(20), session.next()).await.expect("an event in time")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_arrives_over_each_address_family() {
    for (bind, host) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("[::]:0", "[::1]:0"),
        ("[::]:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.1:0"),
    ] {
        let port = port(bind);
        let (mut client, offer) = Client::offer(Channel::FromServer, host).await;
        let start = Instant::now();
        let (mut session, answer) =
            Session::answer(&port, &offer, Opener::Server(Reliability::default()))
                .await
                .expect("answered");
        let reading = tokio::spawn(async move {
            assert!(matches!(event(&mut session).await, Event::Opened));
            let open = start.elapsed();
            match event(&mut session).await {
                Event::Binary(bytes) => assert_eq!(check(1, &bytes), Some(7)),
                other => panic!("{other:?}"),
            }
            (session, open)
        });
        let channel = client.connect(&answer).await;
        channel.send(bytes::BytesMut::from(&message(1, 7, 200_000)[..])).await.expect("sent");
        let (session, open) = reading.await.expect("read");
        println!("bound {bind}, publisher on {host}: open after {open:?}");
        assert_eq!(port.sessions(), 1);
        session.close().await;
        assert_eq!((port.sessions(), port.addresses()), (0, 0));
    }
}
