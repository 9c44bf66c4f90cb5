//! The ports' routers, who may call them from a browser, and the pages.

pub mod pages;
