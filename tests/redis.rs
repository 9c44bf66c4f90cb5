//! The Redis writer against a real redis-server: what it writes, and what a live consumer notices
//! when Redis is absent, slow, frozen or gone.

#[path = "redis/rig.rs"]
mod rig;

use std::{collections::HashMap, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use framecast::{
    relay::Presence,
    store::redis::{Format, Intervals, State},
};
use rig::{Live, Monitor, Redis, Rig, eventually, log_of, picture, publish};

const TTL: Duration = Duration::from_secs(10);

fn texts(fields: HashMap<String, Vec<u8>>) -> HashMap<String, String> {
    let text = |(name, value)| (name, String::from_utf8(value).expect("text"));
    fields.into_iter().map(text).collect()
}

fn since_ms(presence: &Presence) -> u64 {
    match presence {
        Presence::Online { since_us, .. } | Presence::Offline { since_us, .. } => since_us / 1000,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn keys_and_fields_are_as_documented_in_base64_and_raw() {
    let redis = Redis::start();
    for format in [Format::Base64, Format::Raw] {
        redis.ask::<()>(&["FLUSHALL"]).await;
        let rig = Rig::with(&redis.url(), format, TTL, Intervals::default());
        let producer = rig.producer("front-door");
        let jpeg = picture(7, 5000);
        publish(&producer, 7, 5000);
        rig.until_counted(1).await;

        let frame = producer.camera().latest().expect("published");
        let data = match format {
            Format::Base64 => STANDARD.encode(&jpeg).into_bytes(),
            Format::Raw => jpeg,
        };
        let fields: [(&str, Vec<u8>); 5] = [
            ("data", data),
            ("size", b"5000".into()),
            ("format", b"jpeg".into()),
            ("timestamp", (frame.received_us / 1000).to_string().into()),
            ("frame_number", b"1".into()),
        ];
        let image = redis.hash("image:front-door").await;
        let expected = fields.map(|(name, value)| (name.to_owned(), value));
        assert!(image == HashMap::from(expected), "{format}");
        let ttl_ms: i64 = redis.ask(&["PTTL", "image:front-door"]).await;
        assert!(ttl_ms > 5_000 && ttl_ms <= 10_000, "{ttl_ms}");

        let connected_at = since_ms(&producer.camera().presence()).to_string();
        let client = |last_seen: &str, status: &str| {
            let fields =
                [("connected_at", &*connected_at), ("last_seen", last_seen), ("status", status)];
            HashMap::from(fields.map(|(name, value)| (name.to_owned(), value.to_owned())))
        };
        let is = texts(redis.hash("client:front-door").await);
        assert_eq!(is, client(&connected_at, "connected"));
        assert_eq!(redis.ask::<Vec<String>>(&["SMEMBERS", "clients"]).await, ["front-door"]);
        assert_eq!(redis.ask::<i64>(&["PTTL", "client:front-door"]).await, -1);
        assert_eq!(redis.ask::<i64>(&["DBSIZE"]).await, 3);
        // The writer is no viewer: nothing that is made only while somebody watches is made for it.
        assert_eq!(producer.camera().snapshot().viewers, 0);

        let camera = producer.camera().clone();
        drop(producer);
        let gone_at = since_ms(&camera.presence()).to_string();
        eventually("the client is marked disconnected", async || {
            texts(redis.hash("client:front-door").await) == client(&gone_at, "disconnected")
        })
        .await;
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_expires_after_the_age_of_the_cache() {
    let redis = Redis::start();
    let ttl = Duration::from_millis(700);
    let rig = Rig::with(&redis.url(), Format::Base64, ttl, Intervals::default());
    let producer = rig.producer("a");
    // Each frame starts the time anew.
    let mut written_at = std::time::Instant::now();
    for n in 0..10 {
        publish(&producer, n, 100);
        rig.until_counted(n + 1).await;
        written_at = std::time::Instant::now();
        assert_eq!(redis.ask::<i64>(&["EXISTS", "image:a"]).await, 1);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    eventually("it expires", async || redis.ask::<i64>(&["EXISTS", "image:a"]).await == 0).await;
    let lived = written_at.elapsed();
    assert!(lived > ttl - Duration::from_millis(200), "{lived:?}");
    assert_eq!(redis.ask::<i64>(&["EXISTS", "client:a"]).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn activity_is_written_on_every_10th_frame() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    let producer = rig.producer("a");
    let mut expected = since_ms(&producer.camera().presence());
    for seq in 1..=21 {
        publish(&producer, seq, 100);
        let frame = producer.camera().latest().expect("published");
        if seq % 10 == 0 {
            assert_ne!(expected, frame.received_us / 1000);
            expected = frame.received_us / 1000;
        }
        rig.until_counted(seq).await;
        assert_eq!(redis.field("client:a", "last_seen").await, expected.to_string(), "{seq}");
        assert_eq!(redis.field("image:a", "frame_number").await, seq.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_30_fps_less_than_a_fifth_of_unbatched_commands_are_sent() {
    let redis = Redis::start();
    for cameras in [1, 10] {
        let rig = Rig::new(&redis.url());
        rig.until("it connects", |figures| figures.state == State::Connected).await;
        let (monitor, before) = (Monitor::start(&redis).await, rig.handle.figures());
        let start = std::time::Instant::now();
        let live = Live::start(&rig, cameras, 20_000);
        tokio::time::sleep(Duration::from_secs(4)).await;
        let frames = live.finish().await.frames;
        // The last state, which follows the producers' end, goes out too.
        eventually("all are marked disconnected", async || {
            let key = format!("client:cam{}", cameras - 1);
            redis.field(&key, "status").await == "disconnected"
        })
        .await;
        rig.until_counted(frames).await;
        let seconds = start.elapsed().as_secs_f64();
        let carried = monitor.finish().await;
        // This test's own.
        let ours = ["client", "hget"];
        let sent = carried.sent.iter().filter(|(name, _)| !ours.contains(&name.as_str()));
        let sent: HashMap<_, _> = sent.collect();

        // Each of these would be a command by itself: HSET and PEXPIRE a frame, and the client's
        // state, taken for one, on every 10th.
        let unbatched = frames * 2 + frames / 10;
        let total: u64 = sent.values().copied().sum();
        let called: u64 = carried.called.values().sum();
        // One command a flush and nothing else, and the figures say so.
        assert_eq!(sent.keys().collect::<Vec<_>>(), [&"evalsha"]);
        let figures = rig
            .until("each is counted, as a command and as a flush", |figures| {
                let grown = |now: u64, was: u64| now - was == total;
                grown(figures.commands, before.commands) && grown(figures.flushes, before.flushes)
            })
            .await;
        println!(
            "{cameras} cameras, {frames} frames in {seconds:.1} s: unbatched {:.1} commands/s; \
             sent {:.1}/s, {:.1} % of that; called inside scripts {:.1}/s; {sent:?} {:?} {figures:?}",
            unbatched as f64 / seconds,
            total as f64 / seconds,
            100.0 * total as f64 / unbatched as f64,
            called as f64 / seconds,
            carried.called,
        );
        assert!(frames > 80 * cameras as u64, "{frames} frames are too few to tell");
        assert!(5 * total <= unbatched, "{total} sent, {unbatched} unbatched");
        assert_eq!(carried.called["pexpire"], figures.written);
        assert_eq!((figures.dropped, figures.errors), (0, 0));
        rig.stop().await;
        redis.ask::<()>(&["FLUSHALL"]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_frame_of_a_burst_wins() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    let producer = rig.producer("a");
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    for n in 1..=200 {
        publish(&producer, n, 100);
    }
    let figures = rig.until_counted(200).await;
    assert!(figures.written <= 20, "{figures:?}");
    assert_eq!(redis.field("image:a", "frame_number").await, "200");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_mid_stream_and_restarted_empty() {
    let mut redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    rig.until("frames are written", |figures| figures.written > 10).await;
    redis.kill();
    rig.until("it is noticed", |figures| figures.state == State::Down).await;
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let down = rig.handle.figures();
    assert_eq!(down.state, State::Down);
    assert!(down.dropped > 30, "{down:?}");
    assert!(down.last_error.is_some());
    redis.restart();
    let up = rig.until("it is back", |figures| figures.state == State::Connected).await;
    rig.until("frames are written again", |figures| figures.written > up.written + 10).await;
    // It came back empty and knows everything again, the script too.
    assert_eq!(redis.command_counts().await["eval"], 1);
    assert_eq!(redis.field("client:cam1", "status").await, "connected");
    assert_eq!(redis.ask::<i64>(&["SCARD", "clients"]).await, 3);

    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    let log = log_of(&redis.address());
    assert_eq!(log.len(), 3, "connected, gone, back: {log:#?}");
    assert!(log[0].contains("Redis is connected"), "{log:#?}");
    assert!(log[1].contains("WARN") && log[1].contains("cannot write to Redis"), "{log:#?}");
    let back = format!("Redis is back redis=\"{}\" away=", redis.address());
    assert!(log[2].contains(&back), "{log:#?}");
    assert!(log[2].contains(&format!("not_written={}", figures.dropped)), "{log:#?} {figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frozen_mid_stream_and_thawed() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    rig.until("frames are written", |figures| figures.written > 10).await;
    redis.signal("STOP");
    let frozen_at = std::time::Instant::now();
    rig.until("it is noticed", |figures| figures.state == State::Down).await;
    let noticed = frozen_at.elapsed();
    assert!(noticed < Duration::from_secs(3), "{noticed:?}");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    redis.signal("CONT");
    let up = rig.until("it is back", |figures| figures.state == State::Connected).await;
    rig.until("frames are written again", |figures| figures.written > up.written + 10).await;
    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    // The queue was bounded: what was not written was dropped and not sent later.
    assert!(figures.dropped > 60, "{figures:?}");
    assert_eq!(log_of(&redis.address()).len(), 3, "{:#?}", log_of(&redis.address()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn absent_at_the_start_and_started_later() {
    let mut redis = Redis::start();
    redis.kill();
    let rig = Rig::new(&redis.url());
    let live = Live::start(&rig, 2, 50_000);
    rig.until("it is noticed", |figures| figures.state == State::Down).await;
    rig.until("it is tried again", |figures| figures.errors >= 3).await;
    redis.restart();
    rig.until("frames are written", |figures| figures.written > 10).await;
    let frames = live.finish().await.frames;
    rig.until_counted(frames).await;
    let log = log_of(&redis.address());
    assert_eq!(log.len(), 2, "gone, back: {log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn never_there_holds_one_frame_a_camera_and_ends_at_once() {
    let port = rig::free_port();
    let rig = Rig::new(&format!("redis://{}", rig::address(port)));
    let live = Live::start(&rig, 2, 50_000);
    rig.until("it is noticed", |figures| figures.state == State::Down).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let frames = live.finish().await.frames;
    // All but the newest of each camera are lost and counted.
    rig.until("all others are dropped", |figures| figures.dropped >= frames - 2).await;
    let figures = rig.handle.figures();
    assert_eq!((figures.written, figures.coalesced), (0, 0), "{figures:?}");
    assert!(figures.dropped <= frames);
    assert_eq!(log_of(&rig::address(port)).len(), 1);
    assert!(rig.stop().await < Duration::from_millis(1500));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_answers_coalesce_frames_and_nothing_else() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    rig.until("frames are written", |figures| figures.written > 10).await;
    for _ in 0..3 {
        redis.ask::<()>(&["CLIENT", "PAUSE", "400", "ALL"]).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    assert_eq!((figures.state, figures.dropped), (State::Connected, 0), "{figures:?}");
    assert!(figures.coalesced > 30, "{figures:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_clients_are_removed_and_others_are_left_alone() {
    let redis = Redis::start();
    let intervals =
        Intervals { clean_up_every: Duration::from_millis(100), ..Intervals::default() };
    let rig = Rig::with(&redis.url(), Format::Base64, TTL, intervals);
    let now_ms = rig.registry.clock().unix_us() / 1000;
    let (old, recent) = ((now_ms - 61_000).to_string(), (now_ms - 10_000).to_string());
    let clients =
        [("dead", &*old), ("elsewhere", &*recent), ("odd", "2026-01-01T00:00:00Z"), ("own", &old)];
    let producer = rig.producer("own");
    publish(&producer, 1, 100);
    rig.until_counted(1).await;
    for (id, last_seen) in clients {
        redis.ask::<()>(&["HSET", &format!("client:{id}"), "last_seen", last_seen]).await;
        redis.ask::<()>(&["SADD", "clients", id]).await;
    }
    redis.ask::<()>(&["SADD", "clients", "not-a-hash"]).await;
    redis.ask::<()>(&["SET", "client:not-a-hash", "mine"]).await;

    eventually("the dead are gone", async || {
        let mut ids: Vec<String> = redis.ask(&["SMEMBERS", "clients"]).await;
        ids.sort();
        ids == ["elsewhere", "not-a-hash", "own"]
    })
    .await;
    for (id, is) in [("dead", 0), ("odd", 0), ("elsewhere", 1), ("own", 1), ("not-a-hash", 1)] {
        let key = format!("client:{id}");
        assert_eq!(redis.ask::<i64>(&["EXISTS", &key]).await, is, "{id}");
    }
    rig.until("they are counted", |figures| figures.cleaned == 2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rarely_publishing_camera_is_kept_from_other_servers_clean_up() {
    let redis = Redis::start();
    let intervals = Intervals { dead_after: Duration::from_millis(900), ..Intervals::default() };
    let rig = Rig::with(&redis.url(), Format::Base64, TTL, intervals);
    let _producer = rig.producer("rare");
    let last_seen = async || redis.field("client:rare", "last_seen").await;
    eventually("it is announced", async || !last_seen().await.is_empty()).await;
    let first = last_seen().await;
    eventually("it is kept alive without frames", async || last_seen().await > first).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn at_the_end_this_servers_clients_are_marked_disconnected() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    let producers: Vec<_> = (0..30).map(|n| rig.producer(&format!("cam{n}"))).collect();
    eventually("all are announced", async || {
        redis.ask::<i64>(&["SCARD", "clients"]).await == 30
            && redis.field("client:cam29", "status").await == "connected"
    })
    .await;
    assert!(rig.stop().await < Duration::from_millis(1500));
    for n in 0..30 {
        let key = format!("client:cam{n}");
        assert_eq!(redis.field(&key, "status").await, "disconnected", "{key}");
    }
    drop(producers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_does_not_hold_up_the_end() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    let producer = rig.producer("a");
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    redis.signal("STOP");
    publish(&producer, 1, 100);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let took = rig.stop().await;
    assert!(took < Duration::from_millis(1500), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_is_told_once_and_never_shown() {
    let redis = Redis::start_with(&["--requirepass", "right-one"]);
    let rig = Rig::new(&format!("redis://:hunter2@{}", redis.address()));
    let _producer = rig.producer("a");
    let figures = rig.until("it is tried again", |figures| figures.errors >= 3).await;
    assert_eq!(figures.state, State::Down);
    assert!(!format!("{figures:?}{}", rig::whole_log()).contains("hunter2"), "{figures:?}");
    assert_eq!(log_of(&redis.address()).len(), 1);

    let rig = Rig::new(&format!("redis://:right-one@{}", redis.address()));
    rig.until("the right one is taken", |figures| figures.state == State::Connected).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_of_another_kind_costs_only_what_would_stand_there() {
    let redis = Redis::start();
    for key in ["image:cam0", "client:cam1"] {
        redis.ask::<()>(&["SET", key, "mine"]).await;
    }
    let rig = Rig::new(&redis.url());
    let live = Live::start(&rig, 2, 1000);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(redis.field("client:cam0", "status").await, "connected");
    assert!(!redis.field("image:cam1", "frame_number").await.is_empty());
    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    assert_eq!(figures.state, State::Connected);
    assert!(figures.written > 5 && figures.dropped > 5, "{figures:?}");
    assert!(figures.last_error.is_some_and(|error| error.contains("WRONGTYPE")));
    for key in ["image:cam0", "client:cam1"] {
        assert_eq!(redis.ask::<String>(&["GET", key]).await, "mine");
        // What is somebody else's does not begin to expire either.
        assert_eq!(redis.ask::<i64>(&["PTTL", key]).await, -1);
    }
    let log = log_of(&redis.address());
    assert_eq!(log.len(), 2, "connected, refused: {log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_pool_opens_two_connections_and_ten_at_the_most() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    // One of them asks.
    let connections = async || {
        let list: String = redis.ask(&["CLIENT", "LIST", "TYPE", "normal"]).await;
        list.lines().count() - 1
    };
    eventually("two are open", async || connections().await == 2).await;
    redis.ask::<()>(&["CLIENT", "PAUSE", "600", "WRITE"]).await;
    let live = Live::start(&rig, 150, 100);
    let mut most = 0;
    let end = tokio::time::Instant::now() + Duration::from_millis(800);
    while tokio::time::Instant::now() < end && most < 9 {
        most = most.max(connections().await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    live.finish().await;
    assert!((3..=10).contains(&most), "{most}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_with_the_documented_rights_can_do_it_all() {
    let redis = Redis::start();
    let rights = "ACL SETUSER cam on >secret ~clients ~client:* ~image:* +sadd +srem +sscan +hset \
                  +hget +pexpire +del +eval +evalsha";
    redis.ask::<()>(&rights.split_whitespace().collect::<Vec<_>>()).await;
    redis.ask::<()>(&["SADD", "clients", "dead"]).await;
    redis.ask::<()>(&["HSET", "client:dead", "last_seen", "1700000000000"]).await;
    let intervals =
        Intervals { clean_up_every: Duration::from_millis(100), ..Intervals::default() };
    let url = format!("redis://cam:secret@{}", redis.address());
    let rig = Rig::with(&url, Format::Base64, TTL, intervals);
    publish(&rig.producer("a"), 1, 100);
    let figures =
        rig.until("all is done", |figures| (figures.written, figures.cleaned) == (1, 1)).await;
    assert_eq!((figures.errors, figures.last_error), (0, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_who_may_not_run_scripts_is_told_so_in_one_line() {
    let redis = Redis::start();
    for (user, rights) in [("none", "-@all"), ("half", "+eval +evalsha +sadd")] {
        let user = format!("ACL SETUSER {user} on >hunter2 ~* {rights}");
        redis.ask::<()>(&user.split_whitespace().collect::<Vec<_>>()).await;
    }
    for user in ["none", "half"] {
        let before = log_of(&redis.address()).len();
        let rig = Rig::new(&format!("redis://{user}:hunter2@{}", redis.address()));
        let producer = rig.producer("a");
        publish(&producer, 1, 100);
        let figures = rig.until("it is tried again", |figures| figures.errors >= 3).await;
        assert_eq!((figures.state, figures.written), (State::Down, 0), "{figures:?}");
        // "half" is taken for connected before that where the first flush goes out without the
        // camera: a script that writes nothing it may run.
        let log = log_of(&redis.address());
        let warnings: Vec<_> = log[before..].iter().filter(|line| line.contains("WARN")).collect();
        let [line] = warnings[..] else { panic!("one warning: {log:#?}") };
        assert!(line.contains("the user lacks rights"), "{line}");
        assert!(line.contains("docs/redis.md") && !line.contains("hunter2"), "{line}");
        rig.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_script_that_redis_forgot_is_given_again_and_no_frame_is_lost() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    for flushes in [10, 20, 30] {
        rig.until("frames are written", |figures| figures.flushes > flushes).await;
        redis.ask::<()>(&["SCRIPT", "FLUSH"]).await;
    }
    rig.until("frames are written", |figures| figures.flushes > 40).await;
    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    assert_eq!((figures.dropped, figures.errors), (0, 0), "{figures:?}");
    // Once each time, unless flushes went out side by side.
    let evals = redis.command_counts().await["eval"];
    assert!((4..=8).contains(&evals), "{evals}");
    assert_eq!(log_of(&redis.address()).len(), 1, "{:#?}", log_of(&redis.address()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_redis_closes_are_replaced_and_no_frame_is_lost() {
    let redis = Redis::start();
    let rig = Rig::new(&redis.url());
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    for flushes in [10, 20, 30] {
        rig.until("frames are written", |figures| figures.flushes > flushes).await;
        let killed: u64 = redis.ask(&["CLIENT", "KILL", "TYPE", "normal"]).await;
        assert!(killed >= 1, "{killed}");
    }
    rig.until("frames are written", |figures| figures.flushes > 40).await;
    let frames = live.finish().await.frames;
    let figures = rig.until_counted(frames).await;
    assert_eq!((figures.dropped, figures.errors), (0, 0), "{figures:?}");
    assert_eq!(log_of(&redis.address()).len(), 1, "{:#?}", log_of(&redis.address()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn out_of_memory_drops_frames_and_is_tried_once_a_second() {
    let redis = Redis::start();
    let intervals =
        Intervals { clean_up_every: Duration::from_millis(100), ..Intervals::default() };
    let rig = Rig::with(&redis.url(), Format::Base64, TTL, intervals);
    rig.until("it connects", |figures| figures.state == State::Connected).await;
    let live = Live::start(&rig, 3, 50_000);
    rig.until("frames are written", |figures| figures.written > 10).await;
    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "1"]).await;
    let is_oom = |error: &Option<String>| error.as_ref().is_some_and(|e| e.contains("OOM"));
    let full = rig.until("it is noticed", |figures| is_oom(&figures.last_error)).await;
    let (asked, monitor) = (std::time::Instant::now(), Monitor::start(&redis).await);
    // A camera that comes and goes meanwhile: its state is not lost.
    let brief = rig.producer("brief");
    tokio::time::sleep(Duration::from_millis(1500)).await;
    drop(brief);
    tokio::time::sleep(Duration::from_millis(2000)).await;
    let carried = monitor.finish().await;
    let (figures, seconds) = (rig.handle.figures(), asked.elapsed().as_secs());
    assert_eq!((figures.state, figures.written), (State::Connected, full.written), "{figures:?}");
    let tries = carried.sent["evalsha"];
    assert!((2..=seconds + 1).contains(&tries), "{tries} in {seconds} s");
    // What it gives back by the clean-up it still does.
    assert!(carried.sent["sscan"] > 10, "{carried:?}");
    let dropped = figures.dropped - full.dropped;
    assert!(dropped > 3 * 60, "{dropped} of 3 cameras' frames of {seconds} s");

    redis.ask::<()>(&["CONFIG", "SET", "maxmemory", "0"]).await;
    rig.until("frames are written again", |now| now.written > figures.written + 10).await;
    let frames = live.finish().await.frames;
    rig.until_counted(frames).await;
    eventually("the brief camera's state is written", async || {
        redis.field("client:brief", "status").await == "disconnected"
    })
    .await;
    let log = log_of(&redis.address());
    assert_eq!(log.len(), 2, "connected, out of memory: {log:#?}");
    assert!(log[1].contains("WARN") && log[1].contains("out of memory"), "{log:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_file_will_do() {
    let redis = Redis::start_with(&["--unixsocket", "redis.sock"]);
    let rig = Rig::new(&format!("unix://{}", redis.path("redis.sock").display()));
    publish(&rig.producer("a"), 1, 100);
    rig.until("it is written", |figures| figures.written == 1).await;
    assert_eq!(redis.field("image:a", "size").await, "100");
}

/// Names the server for [`tls_child`], which runs in a process of its own: the system's certificates
/// are named by an environment variable.
const TLS_URL: &str = "FRAMECAST_TEST_TLS_URL";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_is_spoken_to_a_server_whose_certificate_the_system_trusts() {
    let redis = Redis::start_tls();
    let url = format!("rediss://{}", redis.address());
    let rig = Rig::new(&url);
    let figures = rig.until("it is refused", |figures| figures.state == State::Down).await;
    let error = figures.last_error.unwrap_or_default();
    assert!(error.contains("certificate"), "{error}");

    let child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--ignored", "--exact", "tls_child"])
        .envs([(TLS_URL, url.as_ref()), ("SSL_CERT_FILE", redis.path("cert.pem").as_os_str())])
        .output();
    let output = child.await.expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the other half of the test above, which starts it"]
async fn tls_child() {
    let rig = Rig::new(&std::env::var(TLS_URL).expect("started by the test above"));
    let producer = rig.producer("a");
    publish(&producer, 1, 100);
    rig.until("it is written", |figures| figures.written == 1).await;
}
