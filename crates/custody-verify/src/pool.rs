//! Threads that check signatures while the replay goes on. All queues have an end: a replay that is faster waits.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, Scope, scope};

use custody::bundle::checks::{Batch, Checked, Checker, Here, Lost};

/// Batches under way for each thread: one that is done, one that waits, and some against jitter.
const BATCHES_PER_THREAD: usize = 4;
/// More threads than any machine has cores.
const MAX_THREADS: usize = 256;

/// A batch, and where it goes when it is done.
type Job = (Batch, SyncSender<Checked>);

/// Runs `replay` with a checker of so many threads; with one, everything happens on the caller's.
pub(crate) fn with_threads<T>(threads: NonZeroUsize, replay: impl FnOnce(&mut dyn Checker) -> T) -> T {
    with_workers(threads, Batch::check, replay)
}

fn with_workers<T>(
    threads: NonZeroUsize,
    check: fn(Batch) -> Checked,
    replay: impl FnOnce(&mut dyn Checker) -> T,
) -> T {
    let threads = threads.get().min(MAX_THREADS);
    if threads == 1 {
        return replay(&mut Here);
    }
    let most = threads * BATCHES_PER_THREAD;
    let (jobs, queue) = sync_channel(most);
    let queue = Mutex::new(queue);
    scope(|scope| {
        let work = || work(&queue, check);
        let workers: Vec<_> = (0..threads).filter_map(|_| start(scope, work)).collect();
        let result = if workers.is_empty() {
            replay(&mut Here)
        } else {
            replay(&mut Pool { jobs, under_way: VecDeque::with_capacity(most), most })
        };
        for worker in workers {
            // A panic has been reported already, as a batch that did not come back.
            drop(worker.join());
        }
        result
    })
}

/// A thread, unless the machine has none left: then others do its work.
fn start<'scope>(
    scope: &'scope Scope<'scope, '_>,
    work: impl FnOnce() + Send + 'scope,
) -> Option<std::thread::ScopedJoinHandle<'scope, ()>> {
    Builder::new().name("signatures".to_owned()).spawn_scoped(scope, work).ok()
}

/// Checks batches until there are none any more.
fn work(queue: &Mutex<Receiver<Job>>, check: fn(Batch) -> Checked) {
    loop {
        let job = match queue.lock() {
            Ok(queue) => queue.recv(),
            Err(_) => return,
        };
        let Ok((batch, done)) = job else { return };
        // The replay may have ended early: then nobody wants it.
        drop(done.send(check(batch)));
    }
}

/// The replay's end of the queues.
struct Pool {
    jobs: SyncSender<Job>,
    /// Where the results of what was handed out will come, oldest first.
    under_way: VecDeque<Receiver<Checked>>,
    most: usize,
}

impl Checker for Pool {
    fn push(&mut self, batch: Batch) -> Result<Option<Checked>, Lost> {
        let oldest = if self.under_way.len() < self.most { None } else { self.pop()? };
        let (done, result) = sync_channel(1);
        self.jobs.send((batch, done)).map_err(|_| Lost)?;
        self.under_way.push_back(result);
        Ok(oldest)
    }

    fn pop(&mut self) -> Result<Option<Checked>, Lost> {
        // A worker that panicked drops its end: an error, never a pass.
        self.under_way.pop_front().map(|result| result.recv().map_err(|_| Lost)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two() -> NonZeroUsize {
        NonZeroUsize::new(2).unwrap()
    }

    fn push_all(checker: &mut dyn Checker) -> Result<usize, Lost> {
        let mut back = 0;
        for _ in 0..1_000 {
            back += usize::from(checker.push(Batch::default())?.is_some());
        }
        while checker.pop()?.is_some() {
            back += 1;
        }
        Ok(back)
    }

    #[test]
    fn every_batch_comes_back_and_few_are_under_way() {
        for threads in [1, 2, 7, 100_000] {
            let threads = NonZeroUsize::new(threads).unwrap();
            assert_eq!(with_threads(threads, push_all), Ok(1_000));
        }
        let at_first = with_threads(two(), |checker| {
            (0..1_000).take_while(|_| checker.push(Batch::default()).unwrap().is_none()).count()
        });
        assert_eq!(at_first, 2 * BATCHES_PER_THREAD);
    }

    #[test]
    fn a_worker_that_panics_is_an_error_and_no_verdict() {
        assert_eq!(with_workers(two(), |_| panic!("on purpose"), push_all), Err(Lost));
    }
}
