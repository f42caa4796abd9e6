//! Loss functions, exact and fast.
