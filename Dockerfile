# syntax=docker/dockerfile:1
FROM swift:6.3-bookworm AS build
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        pkg-config libpq-dev libcurl4-openssl-dev libssl-dev libsqlite3-dev libmicrohttpd-dev libzstd-dev libsnappy-dev liblz4-dev \
        zlib1g-dev libbz2-dev libpcre2-dev librdkafka-dev \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /src
COPY Package.swift ./
COPY Sources Sources
COPY Tests Tests
COPY Benchmarks Benchmarks
RUN swift build -c release --static-swift-stdlib --product sluice && strip .build/release/sluice

# Debian 13 for its librdkafka (2.8): the one of Debian 12 cannot log in by SCRAM to brokers of Kafka 4.
FROM debian:13-slim
RUN apt-get update -qq && apt-get install -y -qq --no-install-recommends \
        ca-certificates curl libpq5 libcurl4 libssl3 libsqlite3-0 libmicrohttpd12 libzstd1 libsnappy1v5 liblz4-1 zlib1g libbz2-1.0 libpcre2-8-0 librdkafka1 tzdata \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 1001 --home-dir /var/lib/sluice --create-home sluice \
    && mkdir -p /etc/sluice/connectors.d && chown sluice /etc/sluice/connectors.d
COPY --from=build /src/.build/release/sluice /usr/local/bin/sluice
COPY worker.properties /etc/sluice/worker.properties
USER sluice
VOLUME /var/lib/sluice
EXPOSE 8083
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s CMD curl -fsS http://127.0.0.1:8083/health
ENTRYPOINT ["sluice"]
CMD ["run", "/etc/sluice/worker.properties", "--data-dir", "/var/lib/sluice", "--listen", "0.0.0.0:8083", "--connectors-dir", "/etc/sluice/connectors.d"]
