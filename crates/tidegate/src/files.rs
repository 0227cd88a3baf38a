//! Files on this host: where they are kept, how they are read, replaced as a whole and protected, and the locks file.

pub(crate) mod atomic_file;
pub(crate) mod file_name;
pub(crate) mod file_version;
pub mod locks;
pub(crate) mod paths;
pub(crate) mod protected;
pub(crate) mod regular_file;
