//! The HTTP face of Tidegate.
