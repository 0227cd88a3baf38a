//! Feature ramps for services.
