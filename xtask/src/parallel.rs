//! Work shared among the processors.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// The results for all items in their order.
pub fn map<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> Result<T, String> + Sync) -> Result<Vec<T>, String> {
    let threads = thread::available_parallelism().map_or(1, |count| count.get()).min(items.len());
    let next = AtomicUsize::new(0);
    let one = || {
        let indices = std::iter::from_fn(|| Some(next.fetch_add(1, Ordering::Relaxed)));
        indices.map_while(|index| Some((index, work(items.get(index)?)))).collect::<Vec<_>>()
    };
    let mut results = Vec::new();
    thread::scope(|scope| {
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(one)).collect();
        for handle in handles {
            results.extend(handle.join().map_err(|_| "A thread of the build command has stopped.".to_string())?);
        }
        Ok::<(), String>(())
    })?;
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::map;

    #[test]
    fn results_come_in_the_order_of_the_items() {
        let items: Vec<usize> = (0..100).collect();
        assert_eq!(map(&items, |item| Ok(item * 2)).unwrap(), (0..100).map(|item| item * 2).collect::<Vec<_>>());
        let failing = |item: &usize| if *item % 30 == 29 { Err(format!("{item} fails.")) } else { Ok(()) };
        assert_eq!(map(&items, failing), Err("29 fails.".into()));
        assert_eq!(map(&[] as &[usize], failing), Ok(vec![]));
    }
}
