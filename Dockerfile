# The mall as one image: what `make setup` builds, and nothing that only developers need.
FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends python3 python3-venv make ca-certificates \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /mall
COPY . .
RUN make setup

FROM debian:12-slim
RUN apt-get update && apt-get install -y --no-install-recommends python3 mariadb-client \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 900 mall && mkdir /data && chown mall /data
COPY --from=build /mall /mall
WORKDIR /mall
USER mall
ENV PATH=/mall/.venv/bin:$PATH
VOLUME /data
EXPOSE 8000
CMD ["mall", "up"]
