//! Requests under way, so that the service ends after the last answer and not before.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::web::{Bytes, Data};
use tokio::sync::watch;

/// Counts requests from their arrival to the last byte of their answer.
#[derive(Debug, Clone)]
pub(crate) struct Busy(Arc<watch::Sender<usize>>);

/// Says when none is left.
#[derive(Debug)]
pub(crate) struct Idle(watch::Receiver<usize>);

/// A counter that starts at zero.
pub(crate) fn counter() -> (Busy, Idle) {
    let (sender, receiver) = watch::channel(0);
    (Busy(Arc::new(sender)), Idle(receiver))
}

impl Idle {
    /// Waits until no request is under way.
    pub(crate) async fn all_answered(mut self) {
        // Without a sender there is no service, and so no request.
        let _ = self.0.wait_for(|under_way| *under_way == 0).await;
    }
}

/// One request under way.
struct UnderWay(Busy);

impl UnderWay {
    fn new(busy: &Busy) -> Self {
        busy.0.send_modify(|under_way| *under_way += 1);
        Self(busy.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_modify(|under_way| *under_way -= 1);
    }
}

/// An answer's body, which keeps its request under way until it is sent.
struct Counted {
    body: Pin<Box<dyn MessageBody<Error = Box<dyn std::error::Error>>>>,
    _under_way: Option<UnderWay>,
}

impl MessageBody for Counted {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.body.as_mut().poll_next(context)
    }
}

/// Counts a request.
pub(crate) async fn count(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let under_way = request.app_data::<Data<Busy>>().map(|busy| UnderWay::new(busy));
    let response = next.call(request).await?;
    Ok(response.map_body(|_, body| Counted { body: Box::pin(body.boxed()), _under_way: under_way }))
}
