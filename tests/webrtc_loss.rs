//! Frames keep arriving under packet loss, and a channel that cannot recover is closed.
//!
//! Real connections over real UDP; the loss happens where the server reads its socket, by a seeded
//! random sequence. The sender of the first test is Chromium: the `webrtc` crate, as a client, sends
//! reliably on a channel that the server opened, whatever the server asked for.

#[path = "support/browser.rs"]
mod browser;
#[path = "support/pattern.rs"]
mod pattern;
#[path = "support/rtc_client.rs"]
mod rtc_client;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{Path, State},
    response::Html,
    routing::{get, post},
};
use browser::Browser;
use framecast::ingest::webrtc::{Candidates, Event, Opener, Port, Reliability, Session};
use pattern::{check, message};
use rtc_client::{Channel, Client};
use serde_json::json;
use tokio::sync::mpsc;
use webrtc::data_channel::RTCDataChannelInit;

const FPS: u32 = 15;
const LOSSY_FRAMES: u32 = 20 * FPS;
/// The last frames under loss, which are judged: 5 s.
const JUDGED_FRAMES: u32 = 5 * FPS;
/// Afterwards without loss: shows that the channel lives, also where the loss let next to nothing
/// through.
const CLEAR_FRAMES: u32 = 2 * FPS;

/// Each packet is lost with a probability of `per_mille` in 1000; switched while running.
#[derive(Default)]
struct Loss {
    per_mille: AtomicU32,
    seen: AtomicU64,
}

impl Loss {
    /// splitmix64 of a counter: in every run the same places of the sequence are lost.
    fn drops(&self, seed: u64) -> bool {
        let n = self.seen.fetch_add(1, Relaxed) + 1;
        let mut x = seed.wrapping_add(n.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (x ^ (x >> 31)) % 1000 < u64::from(self.per_mille.load(Relaxed))
    }
}

fn lossy_port(seed: u64) -> (Port, Arc<Loss>) {
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let candidates = Candidates::local(socket.local_addr().expect("bound"));
    let loss = Arc::new(Loss::default());
    let drops = loss.clone();
    let port = Port::lossy(socket, candidates, Box::new(move |_, _| drops.drops(seed)));
    (port.expect("a port"), loss)
}

#[derive(Clone, Copy, Debug)]
struct Case {
    per_mille: u32,
    opener: Opener,
    bytes: usize,
}

impl Case {
    fn all() -> Vec<Self> {
        let mut cases = Vec::new();
        for per_mille in [10, 50] {
            for reliability in [Reliability::Retransmits(0), Reliability::LifetimeMs(150)] {
                for bytes in [40_000, 100_000] {
                    cases.push(Self { per_mille, opener: Opener::Server(reliability), bytes });
                }
            }
        }
        cases
    }

    /// The share of messages that arrive. One is cut into packets of about 1,150 bytes; without
    /// repetition all must arrive.
    fn theory(&self) -> f64 {
        let packets = (self.bytes as f64 / 1150.0).ceil();
        match self.opener {
            Opener::Server(Reliability::LifetimeMs(_)) => 1.0,
            _ => (1.0 - f64::from(self.per_mille) / 1000.0).powf(packets),
        }
    }
}

/// What the test's page talks to.
struct Bench {
    cases: Vec<Case>,
    losses: Mutex<HashMap<u32, Arc<Loss>>>,
    outcomes: mpsc::Sender<(u32, Vec<u32>, usize)>,
    /// Says when the page sees its own channel in another state than open.
    closed: mpsc::Sender<String>,
}

/// Opens Chromium on the bench's page.
async fn open_page(bench: Bench) -> Browser {
    let router = Router::new()
        .route("/", get(async || Html(include_str!("support/publisher.html"))))
        .route("/cases", get(cases))
        .route("/offer/{id}", post(offer))
        .route("/open/{id}", post(open))
        .route("/clear/{id}", post(clear))
        .route("/closed/{id}", post(closed))
        .route("/failed/{id}", post(failed))
        .with_state(Arc::new(bench));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a listener");
    let url = format!("http://{}/", listener.local_addr().expect("bound"));
    tokio::spawn(async { axum::serve(listener, router).await });
    Browser::open(&url)
}

async fn offer(State(bench): State<Arc<Bench>>, Path(id): Path<u32>, offer: String) -> String {
    let case = bench.cases[id as usize];
    let (port, loss) = lossy_port(u64::from(id));
    bench.losses.lock().expect("no panic").insert(id, loss);
    let answered = Session::answer(&port, &offer, case.opener).await;
    let (mut session, answer) = answered.expect("answered");
    tokio::spawn(async move {
        let (mut numbers, mut corrupt) = (Vec::new(), 0);
        loop {
            match session.next().await {
                Event::Binary(bytes) => match check(id, &bytes) {
                    Some(number) => numbers.push(number),
                    None => corrupt += 1,
                },
                Event::Ended(end) => {
                    println!("case {id}: {end}; {:?}", port.stats());
                    break;
                }
                _ => {}
            }
        }
        assert_eq!(port.stats().inbox_full, 0, "only the loss on purpose");
        let _ = bench.outcomes.send((id, numbers, corrupt)).await;
    });
    answer
}

async fn open(State(bench): State<Arc<Bench>>, Path(id): Path<u32>, ms: String) {
    println!("case {id}: open {ms} ms after the answer");
    let per_mille = bench.cases[id as usize].per_mille;
    bench.losses.lock().expect("no panic")[&id].per_mille.store(per_mille, Relaxed);
}

async fn clear(State(bench): State<Arc<Bench>>, Path(id): Path<u32>) {
    bench.losses.lock().expect("no panic")[&id].per_mille.store(0, Relaxed);
}

async fn closed(State(bench): State<Arc<Bench>>, state: String) {
    let _ = bench.closed.send(state).await;
}

async fn failed(Path(id): Path<u32>, error: String) {
    println!("case {id}: the page failed: {error}");
}

async fn cases(State(bench): State<Arc<Bench>>) -> Json<serde_json::Value> {
    let case = |(id, case): (usize, &Case)| {
        json!({"id": id, "bytes": case.bytes, "fps": FPS, "own": case.opener == Opener::Page,
            "lossyFrames": LOSSY_FRAMES, "clearFrames": CLEAR_FRAMES})
    };
    Json(bench.cases.iter().enumerate().map(case).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_arrive_under_loss_to_the_end() {
    let all = Case::all();
    let (outcomes_tx, mut outcomes) = mpsc::channel(all.len());
    let bench = Bench {
        cases: all.clone(),
        losses: Mutex::default(),
        outcomes: outcomes_tx,
        closed: mpsc::channel(1).0,
    };
    let mut browser = open_page(bench).await;

    let mut failures = Vec::new();
    for _ in &all {
        let (id, numbers, corrupt) = tokio::time::timeout(Duration::from_secs(60), outcomes.recv())
            .await
            .expect("every case ends")
            .expect("the bench lives");
        browser.assert_running();
        let case = all[id as usize];
        let within = |from: u32, to: u32| {
            let arrived = numbers.iter().filter(|n| (from..to).contains(n)).count();
            arrived as f64 / f64::from(to - from)
        };
        let judged = within(LOSSY_FRAMES - JUDGED_FRAMES, LOSSY_FRAMES);
        // The first frames without loss may still stand behind repetitions.
        let clear = within(LOSSY_FRAMES + FPS / 2, LOSSY_FRAMES + CLEAR_FRAMES);
        let theory = case.theory();
        println!(
            "{case:?}: {judged:.3} of the last 5 s (theory {theory:.3}), {clear:.2} after, \
             {corrupt} corrupt"
        );
        // 75 frames at a probability of 0.5 spread by 0.06; this is three times that.
        if (judged - theory).abs() > 0.18 || clear < 0.9 || corrupt > 0 {
            failures.push(case);
        }
    }
    assert!(failures.is_empty(), "{failures:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unordered_channel_of_the_page_is_closed_when_it_stalls() {
    let (port, loss) = lossy_port(99);
    let init = RTCDataChannelInit {
        ordered: false,
        max_retransmits: Some(0),
        ..RTCDataChannelInit::default()
    };
    let (mut client, offer) = Client::offer(Channel::Own(init), "127.0.0.1:0").await;
    let (mut session, answer) =
        Session::answer(&port, &offer, Opener::Page).await.expect("answered");
    let reading = tokio::spawn(async move {
        let mut last_message = Instant::now();
        loop {
            match session.next().await {
                Event::Binary(_) => last_message = Instant::now(),
                Event::ChannelClosed { stalled } => {
                    return (session, stalled, last_message.elapsed());
                }
                Event::Ended(end) => panic!("ended: {end}"),
                _ => {}
            }
        }
    });
    let channel = client.connect(&answer).await;
    loss.per_mille.store(50, Relaxed);
    let start = Instant::now();
    for number in 0.. {
        let payload = bytes::BytesMut::from(&message(1, number, 100_000)[..]);
        let sent = channel.send(payload).await;
        if sent.is_err() || reading.is_finished() || start.elapsed() > Duration::from_secs(40) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(33)).await;
    }
    let (_session, stalled, silence) = tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .expect("the stall is noticed")
        .expect("no panic");
    println!("closed {silence:?} after the last message");
    assert!(stalled);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_browser_sees_that_its_stalled_channel_is_closed() {
    let (closed_tx, mut closed) = mpsc::channel(1);
    let bench = Bench {
        cases: vec![Case { per_mille: 50, opener: Opener::Page, bytes: 100_000 }],
        losses: Mutex::default(),
        outcomes: mpsc::channel(1).0,
        closed: closed_tx,
    };
    let mut browser = open_page(bench).await;
    let start = Instant::now();
    let state = tokio::time::timeout(Duration::from_secs(40), closed.recv()).await;
    println!("the page saw {state:?} after {:?}", start.elapsed());
    browser.assert_running();
    // A legacy page sends over its WebSocket whenever the channel is not open.
    assert!(matches!(state, Ok(Some(_))), "the page never noticed");
}
