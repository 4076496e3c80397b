FROM debian
RUN apt-get update \
    && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends rustc cargo gcc libc6-dev \
    && rm -rf /var/lib/apt/lists/*
