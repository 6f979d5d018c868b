//! cmap
