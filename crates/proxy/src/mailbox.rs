//! What waits for a session from outside of its two connections.
//!
//! A queue that takes no memory while it is empty (a session has one for hours and reads from it a
//! few times), costs one atomic load where nothing is in it, and knows whether the end of a grant
//! can concern its session, so that the others are left asleep.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering, fence};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use tokio::sync::oneshot;

/// Messages that may wait for one session; past it, notices and cancels are lost.
const WAITING: usize = 128;

/// What a session is told.
#[derive(Debug)]
pub enum Message {
    /// A whole NoticeResponse.
    Notice(Vec<u8>),
    /// The client has sent a CancelRequest; to be dropped once nothing later can be hit by it.
    Cancel(oneshot::Sender<()>),
    /// The second factor that it was shown counts no longer.
    ForgetSecondFactor,
    /// What it signed in with is good no longer.
    Expired,
    Shutdown,
}

impl Message {
    /// What is told once: notices and cancels alone may be lost.
    fn must_arrive(&self) -> bool {
        matches!(self, Message::ForgetSecondFactor | Message::Expired | Message::Shutdown)
    }
}

#[derive(Debug, Default)]
struct Mailbox {
    /// The queue is not empty.
    waiting: AtomicBool,
    /// Something in flight may use a grant.
    uses_grants: AtomicBool,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    messages: VecDeque<Message>,
    reader: Option<Waker>,
    /// The session is over.
    closed: bool,
}

impl Mailbox {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A session's end of its mailbox.
#[derive(Debug)]
pub struct Receiver {
    mailbox: Arc<Mailbox>,
    /// As in the mailbox.
    reader: Option<Waker>,
    /// As in the mailbox.
    uses_grants: bool,
}

/// The other end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Sender(Arc<Mailbox>);

pub fn mailbox() -> (Sender, Receiver) {
    let mailbox = Arc::<Mailbox>::default();
    (Sender(mailbox.clone()), Receiver { mailbox, reader: None, uses_grants: false })
}

impl Sender {
    /// False: the message is lost, because too many are waiting or the session is over.
    pub fn send(&self, message: Message) -> bool {
        let mut inner = self.0.lock();
        let full = inner.messages.len() >= WAITING && !message.must_arrive();
        if inner.closed || full {
            return false;
        }
        inner.messages.push_back(message);
        self.0.waiting.store(true, Ordering::Release);
        let reader = inner.reader.clone();
        drop(inner);
        if let Some(reader) = reader {
            reader.wake();
        }
        true
    }

    /// A grant has ended: wakes the session if something of it in flight may use a grant.
    pub fn grant_ended(&self) {
        // Together with the fence in `Receiver::watch_grants`: either the session sees that the
        // grant has ended, or its mark is seen here.
        fence(Ordering::SeqCst);
        if self.0.uses_grants.load(Ordering::Relaxed) {
            let reader = self.0.lock().reader.clone();
            if let Some(reader) = reader {
                reader.wake();
            }
        }
    }
}

impl Receiver {
    /// The next message. Pending: the task is woken when there is one, and until then also when a
    /// grant ends that may concern it.
    pub fn poll(&mut self, context: &Context<'_>) -> Poll<Message> {
        if !self.reader.as_ref().is_some_and(|reader| reader.will_wake(context.waker())) {
            self.mailbox.lock().reader = Some(context.waker().clone());
            self.reader = Some(context.waker().clone());
        }
        if !self.mailbox.waiting.load(Ordering::Acquire) {
            return Poll::Pending;
        }
        let mut inner = self.mailbox.lock();
        let next = inner.messages.pop_front();
        if inner.messages.is_empty() {
            inner.messages = VecDeque::new();
            self.mailbox.waiting.store(false, Ordering::Relaxed);
        }
        next.map_or(Poll::Pending, Poll::Ready)
    }

    /// Notes whether something in flight may use a grant. Must be called before the grants of what
    /// is in flight are looked at for the last time before the session waits.
    pub fn watch_grants(&mut self, uses_grants: bool) {
        if self.uses_grants != uses_grants {
            self.uses_grants = uses_grants;
            self.mailbox.uses_grants.store(uses_grants, Ordering::Relaxed);
            fence(Ordering::SeqCst);
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        let mut inner = self.mailbox.lock();
        inner.closed = true;
        inner.reader = None;
        // Whoever waits for a cancel to arrive need not wait any longer.
        let messages = std::mem::take(&mut inner.messages);
        drop(inner);
        drop(messages);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::task::Wake;

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    impl Woken {
        fn times(&self) -> usize {
            self.0.swap(0, Ordering::Relaxed)
        }
    }

    #[test]
    fn a_message_wakes_the_session_and_is_read_once() {
        let (sender, mut receiver) = mailbox();
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        let context = Context::from_waker(&waker);
        assert!(sender.send(Message::Notice(vec![1])), "before the session has looked for the first time");
        assert!(matches!(receiver.poll(&context), Poll::Ready(Message::Notice(frame)) if frame == [1]));
        assert!(receiver.poll(&context).is_pending());
        for number in [2, 3] {
            assert!(sender.send(Message::Notice(vec![number])));
        }
        assert_eq!(woken.times(), 2);
        for number in [2, 3] {
            assert!(
                matches!(receiver.poll(&context), Poll::Ready(Message::Notice(frame)) if frame == [number])
            );
        }
        assert!(receiver.poll(&context).is_pending());
        assert_eq!(receiver.mailbox.lock().messages.capacity(), 0);
    }

    #[test]
    fn another_task_that_reads_on_is_woken_instead() {
        let (sender, mut receiver) = mailbox();
        let (before, after) = (Arc::<Woken>::default(), Arc::<Woken>::default());
        for woken in [&before, &after] {
            let waker = Waker::from(woken.clone());
            assert!(receiver.poll(&Context::from_waker(&waker)).is_pending());
        }
        sender.send(Message::Shutdown);
        assert_eq!((before.times(), after.times()), (0, 1));
    }

    #[test]
    fn the_end_of_a_grant_wakes_those_alone_that_may_use_one() {
        let (sender, mut receiver) = mailbox();
        let woken = Arc::<Woken>::default();
        let waker = Waker::from(woken.clone());
        assert!(receiver.poll(&Context::from_waker(&waker)).is_pending());
        for (uses_grants, expected) in [(false, 0), (true, 1), (true, 1), (false, 0)] {
            receiver.watch_grants(uses_grants);
            sender.grant_ended();
            assert_eq!(woken.times(), expected);
        }
    }

    #[test]
    fn the_end_of_the_proxy_is_told_even_where_nothing_else_is_taken_any_more() {
        let (sender, mut receiver) = mailbox();
        let taken = (0..2 * WAITING).filter(|_| sender.send(Message::Notice(Vec::new()))).count();
        assert_eq!(taken, WAITING);
        assert!(sender.send(Message::Shutdown));
        let waker = Waker::noop();
        let mut last = None;
        while let Poll::Ready(message) = receiver.poll(&Context::from_waker(waker)) {
            last = Some(message);
        }
        assert!(matches!(last, Some(Message::Shutdown)));
    }

    #[test]
    fn a_cancel_that_a_session_did_not_get_to_is_over_when_the_session_is() {
        let (sender, receiver) = mailbox();
        let (arrived, mut arrival) = oneshot::channel();
        assert!(sender.send(Message::Cancel(arrived)));
        drop(receiver);
        assert!(matches!(arrival.try_recv(), Err(oneshot::error::TryRecvError::Closed)));
        assert!(!sender.send(Message::Shutdown));
    }

    #[test]
    fn a_session_that_begins_to_use_a_grant_and_the_end_of_that_grant_do_not_miss_each_other() {
        for _ in 0..2000 {
            let (sender, mut receiver) = mailbox();
            let woken = Arc::<Woken>::default();
            let waker = Waker::from(woken.clone());
            assert!(receiver.poll(&Context::from_waker(&waker)).is_pending());
            let ended = Arc::<AtomicBool>::default();
            let ending = std::thread::spawn({
                let ended = ended.clone();
                move || {
                    ended.store(true, Ordering::Relaxed);
                    sender.grant_ended();
                }
            });
            receiver.watch_grants(true);
            let seen = ended.load(Ordering::Relaxed);
            ending.join().unwrap();
            assert!(seen || woken.times() == 1);
        }
    }
}
