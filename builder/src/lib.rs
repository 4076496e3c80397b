//! Turns a Dockerfile, a context and options into an image.
