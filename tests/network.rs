//! Proxies, certificates, and a network that misbehaves.
