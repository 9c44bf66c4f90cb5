//! Publishers on the one UDP port: opening, isolation, forged packets, what is freed at the end.

#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/rtc_client.rs"]
mod rtc_client;
#[path = "support/eventually.rs"]
mod waiting;

use std::{
    net::{SocketAddr, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use bytes::BytesMut;
use framecast::ingest::webrtc::{
    AnswerError, Candidates, End, Event, Opener, Port, Reliability, Session,
};
use pattern::{check, message};
use rtc_client::{Channel, Client};
use waiting::eventually;
use webrtc::data_channel::{DataChannel, RTCDataChannelInit};

const SERVER: Opener = Opener::Server(Reliability::LifetimeMs(150));

fn port(bind: &str) -> Arc<Port> {
    let socket = UdpSocket::bind(bind).expect("a socket");
    let candidates = Candidates::local(socket.local_addr().expect("bound"));
    Arc::new(Port::new(socket, candidates).expect("a port"))
}

async fn event(session: &mut Session) -> Event {
    tokio::time::timeout(Duration::from_secs(20), session.next()).await.expect("an event in time")
}

/// A connected publisher and its session, with the channel open on both sides.
async fn connected(port: &Port, host: &'static str) -> (Client, Arc<dyn DataChannel>, Session) {
    let (mut client, offer) = Client::offer(Channel::FromServer, host).await;
    let (mut session, answer) = Session::answer(port, &offer, SERVER).await.expect("answered");
    let opened = async {
        assert!(matches!(event(&mut session).await, Event::Opened));
        session
    };
    let (channel, session) = tokio::join!(client.connect(&answer), opened);
    (client, channel, session)
}

async fn send(channel: &Arc<dyn DataChannel>, sender: u32, number: u32, len: usize) {
    let sent = channel.send(BytesMut::from(&message(sender, number, len)[..])).await;
    sent.expect("the channel is open");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_message_arrives_over_each_address_family() {
    for (bind, host) in [
        ("127.0.0.1:0", "127.0.0.1:0"),
        ("0.0.0.0:0", "127.0.0.1:0"),
        ("[::]:0", "[::1]:0"),
        ("[::]:0", "127.0.0.1:0"),
    ] {
        let port = port(bind);
        let (client, channel, mut session) = connected(&port, host).await;
        send(&channel, 1, 7, 200_000).await;
        match event(&mut session).await {
            Event::Binary(bytes) => assert_eq!(check(1, &bytes), Some(7), "{bind} {host}"),
            other => panic!("{bind} {host}: {other:?}"),
        }
        assert_eq!(port.sessions(), 1);
        session.close().await;
        assert_eq!((port.sessions(), port.addresses()), (0, 0));
        client.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_publishers_on_one_port_get_only_their_own() {
    const FRAMES: u32 = 10;
    let port = port("127.0.0.1:0");
    let mut running = Vec::new();
    for id in 0..20 {
        let port = port.clone();
        running.push(tokio::spawn(async move {
            let (client, channel, mut session) = connected(&port, "127.0.0.1:0").await;
            let sending = async {
                for number in 0..FRAMES {
                    send(&channel, id, number, 40_000).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            let reading = async {
                let mut numbers = Vec::new();
                while numbers.len() < FRAMES as usize {
                    match event(&mut session).await {
                        Event::Binary(bytes) => {
                            numbers.push(check(id, &bytes).expect("its own, intact"));
                        }
                        other => panic!("{other:?}"),
                    }
                }
                numbers.sort_unstable();
                assert_eq!(numbers, (0..FRAMES).collect::<Vec<_>>());
            };
            tokio::join!(sending, reading);
            (client, session)
        }));
    }
    let mut alive = Vec::new();
    for one in running {
        alive.push(one.await.expect("each gets its own frames"));
    }
    assert_eq!(port.sessions(), 20);
    assert!(port.addresses() >= 20);
    // Half says goodbye, half is simply dropped.
    for (n, (client, session)) in alive.into_iter().enumerate() {
        if n % 2 == 0 {
            session.close().await
        } else {
            drop(session)
        }
        client.close().await;
    }
    assert_eq!((port.sessions(), port.addresses()), (0, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_costs_little_and_disturbs_nobody() {
    let port = port("127.0.0.1:0");
    let (client, channel, mut session) = connected(&port, "127.0.0.1:0").await;
    let addresses = port.addresses();
    let target: SocketAddr = port.local_addr();
    let flooding = std::thread::spawn(move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        // DTLS of nobody, a STUN header with nothing in it, a check for nobody, noise.
        let mut check = b"\x00\x01\x00\x0c\x21\x12\xa4\x42............\x00\x06\x00\x08".to_vec();
        check.extend(b"nobody:x");
        let noise: Vec<u8> = (0..1400_u32).map(|n| ((n * 7919) >> 3) as u8).collect();
        let packets: [&[u8]; 5] = [
            &[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0],
            b"\x00\x01\x00\x00\x21\x12\xa4\x42............",
            &check,
            &noise,
            &[],
        ];
        let start = Instant::now();
        let mut sent = 0_u64;
        while start.elapsed() < Duration::from_secs(2) {
            for packet in packets {
                sent += u64::from(socket.send_to(packet, target).is_ok());
            }
            // 100,000 a second, in bursts, leaving the sender itself some time to run on.
            if sent.is_multiple_of(500) {
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        sent
    });
    let (mut sent, mut arrived) = (0, 0);
    while !flooding.is_finished() {
        send(&channel, 1, sent, 40_000).await;
        sent += 1;
        let until = tokio::time::Instant::now() + Duration::from_millis(33);
        while let Ok(event) = tokio::time::timeout_at(until, session.next()).await {
            match event {
                Event::Binary(bytes) => arrived += u32::from(check(1, &bytes).is_some()),
                other => panic!("{other:?}"),
            }
        }
    }
    let flood = flooding.join().expect("no panic");
    let stats = port.stats();
    println!("{flood} packets of garbage, {arrived} of {sent} frames, {stats:?}");
    assert!(arrived + 3 >= sent, "{arrived} of {sent} frames");
    assert_eq!(port.addresses(), addresses, "garbage claims no address");
    assert!(stats.malformed > 0 && stats.unknown_user > 0 && stats.unknown_source > 0);
    session.close().await;
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forged_check_does_not_move_the_route() {
    let port = port("127.0.0.1:0");
    let (mut client, offer) = Client::offer(Channel::FromServer, "127.0.0.1:0").await;
    let (mut session, answer) = Session::answer(&port, &offer, SERVER).await.expect("answered");
    let ufrag = answer
        .lines()
        .find_map(|line| line.strip_prefix("a=ice-ufrag:"))
        .expect("an answer has it")
        .to_owned();
    let opened = async {
        assert!(matches!(event(&mut session).await, Event::Opened));
        session
    };
    let (channel, mut session) = tokio::join!(client.connect(&answer), opened);
    let before = (port.addresses(), port.stats());
    // The user fragment is no secret; the password is. Twenty zero bytes are no signature.
    let username = format!("{ufrag}:x");
    let mut forged = b"\x00\x01\x00\x00\x21\x12\xa4\x42............".to_vec();
    forged.extend([0, 6, 0, username.len() as u8]);
    forged.extend(username.as_bytes());
    forged.resize(forged.len().next_multiple_of(4), 0);
    forged.extend([0, 8, 0, 20]);
    forged.extend([0; 20]);
    let len = (forged.len() - 20) as u16;
    forged[2..4].copy_from_slice(&len.to_be_bytes());
    let attacker = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    for _ in 0..100 {
        attacker.send_to(&forged, port.local_addr()).expect("sent");
        // And data from the same place, as if the check had been believed.
        attacker.send_to(&[23; 1200], port.local_addr()).expect("sent");
    }
    eventually("all are refused", || {
        let now = port.stats();
        now.bad_integrity - before.1.bad_integrity == 100
            && now.unknown_source - before.1.unknown_source >= 100
    })
    .await;
    assert_eq!(port.addresses(), before.0);
    send(&channel, 1, 3, 40_000).await;
    assert!(matches!(event(&mut session).await, Event::Binary(b) if check(1, &b) == Some(3)));
    client.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn offers_that_cannot_be_answered_leave_nothing_behind() {
    let port = port("127.0.0.1:0");
    let (_client, good) = Client::offer(Channel::FromServer, "127.0.0.1:0").await;
    let without_ice = good.replace("a=ice-", "a=nice-");
    let without_fingerprint = good.replace("a=fingerprint", "a=thumbprint");
    let application = "v=0\r\nm=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n";
    for (name, offer) in [
        ("empty", ""),
        ("no SDP", "hello"),
        ("no data channel", "v=0\r\no=- 0 0 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\n"),
        ("no session", application),
        ("no ICE", &without_ice),
        ("no fingerprint", &without_fingerprint),
        ("cut", &good[..good.len() / 2]),
    ] {
        let answered = Session::answer(&port, offer, SERVER).await;
        println!("{name}: {:?}", answered.as_ref().map(|_| "answered"));
        assert!(name != "no data channel" || matches!(answered, Err(AnswerError::NoDataChannel)));
        drop(answered);
        assert_eq!((port.sessions(), port.addresses()), (0, 0), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_that_closes_or_vanishes_is_noticed() {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let candidates = Candidates::local(socket.local_addr().expect("bound"));
    let cut = Arc::new(AtomicBool::new(false));
    let is_cut = cut.clone();
    let dropper = Box::new(move |_: &[u8], _| is_cut.load(Relaxed));
    let port = Port::lossy(socket, candidates, dropper).expect("a port");
    for (vanishes, expected, within) in
        [(false, End::Closed, Duration::from_secs(1)), (true, End::Lost, Duration::from_secs(6))]
    {
        let (client, _channel, mut session) = connected(&port, "127.0.0.1:0").await;
        let start = Instant::now();
        if vanishes {
            cut.store(true, Relaxed);
        } else {
            client.close().await;
        }
        let end = loop {
            if let Event::Ended(end) = event(&mut session).await {
                break end;
            }
        };
        println!("{end:?} after {:?}", start.elapsed());
        assert_eq!(end, expected);
        assert!(start.elapsed() < within);
        drop(session);
        assert_eq!((port.sessions(), port.addresses()), (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_channel_of_the_page_brings_binary_and_text() {
    for opener in [Opener::Page, SERVER] {
        let port = port("127.0.0.1:0");
        let own = Channel::Own(RTCDataChannelInit::default());
        let (mut client, offer) = Client::offer(own, "127.0.0.1:0").await;
        let (mut session, answer) = Session::answer(&port, &offer, opener).await.expect("answered");
        let reading = tokio::spawn(async move {
            let (mut binary, mut text) = (None, None);
            while binary.is_none() || text.is_none() {
                match event(&mut session).await {
                    Event::Binary(bytes) => binary = check(1, &bytes),
                    Event::Text(said) => text = Some(said),
                    Event::Opened => {}
                    other => panic!("{other:?}"),
                }
            }
            (session, text)
        });
        let channel = client.connect(&answer).await;
        send(&channel, 1, 5, 40_000).await;
        channel.send_text("ein Bild, 图").await.expect("sent");
        let (_session, text) = reading.await.expect("both come");
        assert_eq!(text.as_deref(), Some("ein Bild, 图"), "{opener:?}");
        client.close().await;
    }
}
