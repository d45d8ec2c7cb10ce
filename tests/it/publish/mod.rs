//! What is published: into the object store, under witnesses, and what stops it.

mod beyond;
mod oracles;
mod real;
mod secure;
pub(crate) mod service;
mod set_back;
mod store;
mod two;
mod witnesses;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use custody::checkpoint::Checkpoint;
use custos::blobs::{Blobs, LogObjects};
use custos::publish::witnesses::Witnesses;
use custos::publish::{Publisher, Status, find};
use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::world::{Engine, World};

/// A vault whose log is published into a store of its own.
struct Office {
    world: Arc<World>,
    objects: LogObjects,
}

/// Witnesses of a policy file, who are waited for however slow this machine is.
fn patient(policy: &Path, roots: Option<&Path>) -> Witnesses {
    Witnesses::load(policy, roots).unwrap().patient(Duration::from_hours(1))
}

/// A publisher at work.
struct Running {
    status: watch::Receiver<Status>,
    task: JoinHandle<()>,
}

impl Office {
    async fn new(engine: Engine) -> Self {
        let world = Arc::new(World::new(engine).await);
        crate::support::witness::introduce(&world.log);
        Self { world, objects: Blobs::open("memory:///").unwrap().log() }
    }

    /// Records so many items.
    async fn grow(&self, items: usize) -> u64 {
        let many = (0..items).map(|_| {
            let world = Arc::clone(&self.world);
            tokio::spawn(async move { world.done(world.item()).await })
        });
        join_all(many).await.into_iter().for_each(|item| drop(item.unwrap()));
        self.world.size().await
    }

    /// Publishes as a vault that has just been started.
    async fn publish(&self, witnesses: Option<Witnesses>) -> Running {
        let found =
            find(&self.world.ground.store, &self.objects, &self.world.log.clone().into()).await.unwrap();
        let publisher = Publisher::new(
            self.world.ground.store.clone(),
            self.objects.clone(),
            self.world.clock.clone(),
            self.world.handle.committed(),
            found,
            witnesses,
        );
        Running { status: publisher.status(), task: tokio::spawn(publisher.run()) }
    }
}

impl Running {
    /// Waits until this holds of what the publisher says.
    async fn until(&mut self, holds: impl FnMut(&Status) -> bool) -> Status {
        let long = Duration::from_mins(5);
        let reached = tokio::time::timeout(long, self.status.wait_for(holds)).await;
        reached.expect("it never came about").expect("the publisher runs").clone()
    }

    /// Waits until a checkpoint over at least so many entries is published; checks it.
    async fn published(&mut self, office: &Office, size: u64, witnessed: bool) -> Checkpoint {
        let shown = |status: &Status| {
            status.published.as_ref().is_some_and(|p| p.size >= size && p.witnessed == witnessed)
        };
        let published = self.until(shown).await.published.unwrap();
        let checkpoint = Checkpoint::open(&published.note, &office.world.log).unwrap();
        assert_eq!(checkpoint.size(), published.size);
        checkpoint
    }

    /// Breaks off, as a crash would.
    async fn crash(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}
