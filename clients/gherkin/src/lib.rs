//! Nothing: the scenarios are run by the tests of this folder.
