# syntax=docker/dockerfile:1

# The pages.
FROM node:22-bookworm-slim AS pages
WORKDIR /build
# Packages first: they change less often than the sources.
COPY package.json package-lock.json ./
COPY web-shared/package.json web-shared/
COPY capture-web/package.json capture-web/
COPY viewer-web/package.json viewer-web/
COPY embed-web/package.json embed-web/
RUN --mount=type=cache,target=/root/.npm npm ci --no-audit --no-fund
COPY tsconfig.json ./
COPY scripts scripts
COPY web-shared web-shared
COPY capture-web capture-web
COPY viewer-web viewer-web
COPY embed-web embed-web
RUN npm run build

# The server, with the pages inside.
FROM rust:1-slim-bookworm AS server
# The H.264 decoder is C++.
RUN apt-get update && apt-get install -y --no-install-recommends g++ && rm -rf /var/lib/apt/lists/*
WORKDIR /build
COPY . .
COPY --from=pages /build/capture-web/dist capture-web/dist
COPY --from=pages /build/viewer-web/dist viewer-web/dist
COPY --from=pages /build/embed-web/dist embed-web/dist
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --release --locked && install target/release/framecast /framecast

# The binary, and little else.
FROM debian:bookworm-slim
# The authorities that encrypted cameras and Redis are checked by.
RUN apt-get update && apt-get install -y --no-install-recommends ca-certificates && rm -rf /var/lib/apt/lists/*
COPY --from=server /framecast /usr/local/bin/framecast
# The cameras that are set up, and the key to their passwords.
RUN install -d -o 10001 -g 10001 -m 700 /var/lib/framecast
VOLUME /var/lib/framecast
# Inside a container the loopback addresses reach nobody; the ports that are published decide.
ENV FRAMECAST_INGEST_ADDR=0.0.0.0:8080 \
    FRAMECAST_VIEW_ADDR=0.0.0.0:8081 \
    FRAMECAST_DATA_DIR=/var/lib/framecast
USER 10001:10001
EXPOSE 8080/tcp 8080/udp 8081/tcp
HEALTHCHECK --interval=10s --timeout=5s --start-period=5s --retries=3 CMD ["framecast", "health"]
ENTRYPOINT ["framecast"]
