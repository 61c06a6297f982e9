//! All webhooks of a proxy: opened before anything happens, and then running.

use std::sync::Arc;

use pgwarrant_audit::Trail;
use pgwarrant_grants::{Event, Live};
use tokio::sync::broadcast::Receiver;
use tokio::task::JoinSet;

use crate::deliver::{Post, deliver};
use crate::follow::{Book, follow};
use crate::format::{Formats, Shapes};
use crate::queue::{Queue, QueueError};
use crate::settings::{MAX_ANSWER, Webhook};
use crate::state::States;

/// What webhooks stand on.
pub struct Open<'a> {
    pub store: &'a sled::Db,
    pub live: Live,
    pub trail: Trail,
    /// [`crate::MAX_WEBHOOKS`] at most, with different names.
    pub webhooks: Vec<Webhook>,
    pub shapes: Arc<dyn Shapes>,
    /// The address of the web inbox, without a slash at its end. None: there is none to link to.
    pub inbox: Option<String>,
}

pub struct Webhooks {
    events: Receiver<Event>,
    book: Book,
    posts: Vec<Arc<Post>>,
}

impl Webhooks {
    /// None: there is nobody to tell. From here on nothing is missed. Waits for the disk.
    ///
    /// # Errors
    /// The store fails.
    pub fn open(open: Open<'_>) -> Result<Option<Self>, QueueError> {
        let Open { store, live, trail, webhooks, shapes, inbox } = open;
        if webhooks.is_empty() {
            Queue::give_up(store)?;
            return Ok(None);
        }
        let events = live.subscribe();
        let names: Vec<&str> = webhooks.iter().map(|webhook| webhook.name.as_str()).collect();
        let (queue, gone) = Queue::open(store, &names)?;
        if gone > 0 {
            tracing::warn!(
                count = gone,
                "messages of webhooks were dropped: their webhook is gone, or they cannot be read"
            );
        }
        let queue = Arc::new(queue);
        let states = States::new(names.iter().map(|name| (*name).to_owned()).collect(), trail);
        let formats = Formats { shapes, inbox: inbox.map(Arc::from) };
        let webhooks: Arc<[Webhook]> = webhooks.into();
        let posts = webhooks.iter().enumerate().map(|(index, webhook)| {
            let client = webhook.client.clone().max_body(MAX_ANSWER);
            Arc::new(Post {
                index,
                webhook: Webhook { client, ..webhook.clone() },
                queue: queue.clone(),
                formats: formats.clone(),
                states: states.clone(),
            })
        });
        let posts = posts.collect();
        let mut book = Book::open(live, queue, webhooks, states)?;
        // Before anybody can ask for anything: what is on record when webhooks are new is no news.
        book.look_at_all()?;
        Ok(Some(Self { events, book, posts }))
    }

    /// Tells whatever happens, until it is dropped.
    pub async fn run(self) {
        let mut posts = JoinSet::new();
        self.posts.into_iter().for_each(|post| _ = posts.spawn(deliver(post)));
        follow(self.book, self.events).await;
        // What waits is sent all the same.
        while posts.join_next().await.is_some() {}
    }
}
