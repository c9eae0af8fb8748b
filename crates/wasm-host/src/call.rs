//! A call of a component, polled on the task that awaits its response.
//!
//! On a task of its own it would often run on another thread, and each response would wait for that thread to
//! wake.

use std::pin::Pin;
use std::task::{Context, Poll};

use tracing::Instrument as _;

/// A call that continues on a task of its own when dropped: a disconnected client stops no change half-way,
/// and a component may continue after its response.
pub(crate) struct Call<T: Send + 'static> {
    /// None after it has ended.
    work: Option<Pin<Box<dyn Future<Output = T> + Send>>>,
    result: Option<T>,
}

impl<T: Send + 'static> Call<T> {
    pub(crate) fn new(work: impl Future<Output = T> + Send + 'static) -> Self {
        Self { work: Some(Box::pin(work)), result: None }
    }

    /// Polls the call until `answer` completes, which the call feeds on its way. After the call has ended,
    /// `answer` waits for nothing more from it.
    pub(crate) async fn until<A>(&mut self, answer: impl Future<Output = A>) -> A {
        let mut answer = std::pin::pin!(answer);
        std::future::poll_fn(move |context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(answer);
            }
            self.work(context);
            let answer = answer.as_mut().poll(context);
            if answer.is_ready() {
                // Most calls only wait for their response to be taken, and end here.
                self.work(context);
            }
            answer
        })
        .await
    }

    /// Polls the call until it ends.
    pub(crate) async fn end(mut self) -> T {
        std::future::poll_fn(move |context| {
            self.work(context);
            self.result.take().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    fn work(&mut self, context: &mut Context<'_>) {
        // Taken, so that a call that panics is not polled again.
        let Some(mut work) = self.work.take() else { return };
        match work.as_mut().poll(context) {
            Poll::Ready(result) => self.result = Some(result),
            Poll::Pending => self.work = Some(work),
        }
    }
}

impl<T: Send + 'static> Drop for Call<T> {
    fn drop(&mut self) {
        // Without a runtime, the program is about to exit.
        if let Some(work) = self.work.take()
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            runtime.spawn(work.in_current_span());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use futures_util::FutureExt as _;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn the_answer_comes_before_the_end() {
        let (answer, answered) = oneshot::channel();
        let (end, ended) = oneshot::channel::<()>();
        let mut call = Call::new(async move {
            let _ = answer.send(1);
            let _ = ended.await;
            2
        });
        assert_eq!(call.until(answered).await, Ok(1));
        end.send(()).unwrap();
        assert_eq!(call.end().await, 2);
    }

    #[tokio::test]
    async fn a_call_that_ends_without_an_answer_is_noticed() {
        let (answer, answered) = oneshot::channel::<()>();
        let mut call = Call::new(async move {
            drop(answer);
            "no answer"
        });
        assert!(call.until(answered).await.is_err());
        assert_eq!(call.end().await, "no answer");
    }

    #[tokio::test]
    async fn a_dropped_call_continues() {
        for is_begun in [false, true] {
            let (begin, begun) = oneshot::channel::<()>();
            let (end, ended) = oneshot::channel();
            let mut call = Call::new(async move {
                let _ = begun.await;
                let _ = end.send("done");
            });
            if is_begun {
                assert_eq!(call.until(pending::<()>()).now_or_never(), None);
            }
            drop(call);
            begin.send(()).unwrap();
            assert_eq!(ended.await, Ok("done"));
        }
    }
}
