# syntax=docker/dockerfile:1
# Charon in a container. docs/docker.md tells how to build and run it.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/source/target \
    cargo build --release --locked --package charon && cp target/release/charon /charon

FROM debian:bookworm-slim
# The authorities that it trusts, and the time zones of schedules.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && groupadd --gid 1000 charon \
    && useradd --uid 1000 --gid charon --home-dir /data --no-create-home --shell /usr/sbin/nologin charon \
    && install --directory --owner charon --group charon --mode 0700 /data
COPY --from=build /charon /usr/local/bin/charon

# The database and the key. Mirrors and pictures are mounted beside it (docs/docker.md).
VOLUME /data
USER charon
WORKDIR /data
# All addresses of the container: who reaches them is decided by what is published. It does not start without a password.
ENV CHARON_DATA_DIR=/data CHARON_LISTEN=0.0.0.0:8484
EXPOSE 8484
# Debian's bash is all that it takes.
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s CMD ["bash", "-c", \
    "exec 3<>/dev/tcp/127.0.0.1/8484 && printf 'GET /healthz HTTP/1.0\\r\\nHost: localhost\\r\\n\\r\\n' >&3 && read -r _ status _ <&3 && [ \"$status\" = 200 ]"]
ENTRYPOINT ["charon"]
CMD ["serve"]
