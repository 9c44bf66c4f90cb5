//! The datagrams of one session on their way from the shared port to the connection that reads
//! them.
//!
//! A bounded queue and a waker. It knows nothing of sessions, STUN or the real socket.

use std::{
    collections::VecDeque,
    io::IoSliceMut,
    net::SocketAddr,
    task::{Context, Poll, Waker},
};

use parking_lot::Mutex;
use webrtc::runtime::RecvMeta;

/// Most bytes waiting for one session: 1 MiB, which is the SCTP receive window, so an honest sender
/// cannot have more in flight. What comes beyond is dropped, as a full socket buffer would.
pub const INBOX_BYTES: usize = 1024 * 1024;

/// What one waiting chunk counts beyond its bytes, so that empty datagrams are bounded as well.
const CHUNK_COST: usize = 64;

/// One or several datagrams of the same sender, each `stride` bytes long but the last.
#[derive(Debug)]
pub struct Chunk {
    /// The datagrams, one behind the other.
    pub bytes: Vec<u8>,
    /// Length of each datagram but the last, at least 1.
    pub stride: usize,
    /// Where they came from.
    pub from: SocketAddr,
}

/// Wakers remembered at a time: the reader's, and those of probes, which are all alike but need not
/// compare equal.
const MAX_READERS: usize = 4;

/// See the module's header.
#[derive(Debug, Default)]
pub struct Inbox(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    chunks: VecDeque<Chunk>,
    held: usize,
    readers: Vec<Waker>,
}

impl Inbox {
    /// Queues a chunk and wakes the reader. `false` when the queue is full and the chunk is gone.
    #[must_use]
    pub fn push(&self, chunk: Chunk) -> bool {
        let mut state = self.0.lock();
        let cost = chunk.bytes.len() + CHUNK_COST;
        if state.held + cost > INBOX_BYTES {
            return false;
        }
        state.held += cost;
        state.chunks.push_back(chunk);
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        true
    }

    /// Takes the oldest chunk into `buf`, or remembers who waits.
    pub fn poll_pop(
        &self,
        cx: &mut Context<'_>,
        buf: &mut IoSliceMut<'_>,
        meta: &mut RecvMeta,
    ) -> Poll<usize> {
        let mut state = self.0.lock();
        let Some(chunk) = state.chunks.pop_front() else {
            // The connection drains bursts by polling with a no-op waker. Remembering only the last
            // would forget the real reader, and it would sleep for ever.
            if !state.readers.iter().any(|reader| reader.will_wake(cx.waker())) {
                if state.readers.len() == MAX_READERS {
                    state.readers.remove(0);
                }
                state.readers.push(cx.waker().clone());
            }
            return Poll::Pending;
        };
        state.held -= chunk.bytes.len() + CHUNK_COST;
        drop(state);
        let len = chunk.bytes.len().min(buf.len());
        buf[..len].copy_from_slice(&chunk.bytes[..len]);
        *meta = RecvMeta::default();
        meta.len = len;
        meta.stride = chunk.stride;
        meta.addr = chunk.from;
        Poll::Ready(len)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Count(AtomicUsize);
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn chunk(len: usize) -> Chunk {
        Chunk { bytes: vec![7; len], stride: len.max(1), from: ([127, 0, 0, 1], 9).into() }
    }

    fn pop(inbox: &Inbox, waker: &Waker) -> Poll<usize> {
        let mut buf = [0; 2048];
        inbox.poll_pop(
            &mut Context::from_waker(waker),
            &mut IoSliceMut::new(&mut buf),
            &mut RecvMeta::default(),
        )
    }

    #[test]
    fn the_queue_is_bounded_also_for_empty_datagrams() {
        for len in [0, 1200] {
            let inbox = Inbox::default();
            let taken = (0..1_000_000).take_while(|_| inbox.push(chunk(len))).count();
            assert!(taken * (len + CHUNK_COST) <= INBOX_BYTES);
            assert!(pop(&inbox, Waker::noop()).is_ready());
            assert!(inbox.push(chunk(len)), "a read makes room");
        }
    }

    #[test]
    fn a_probe_does_not_make_the_reader_forgotten() {
        let inbox = Inbox::default();
        let count = Arc::new(Count::default());
        assert!(pop(&inbox, &Waker::from(count.clone())).is_pending());
        assert!(pop(&inbox, Waker::noop()).is_pending());
        assert!(inbox.push(chunk(1)));
        assert_eq!(count.0.load(Ordering::Relaxed), 1);
    }
}
