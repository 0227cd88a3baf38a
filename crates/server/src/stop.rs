//! How parts of the server learn that it stops.

use tokio::sync::watch;

/// Waits until the server stops.
pub(crate) async fn stopped(stopping: &mut watch::Receiver<bool>) {
    // An error means that `serve` itself is gone.
    let _ = stopping.wait_for(|is_stopping| *is_stopping).await;
}
