# The Clade service itself. Build from the top of the checkout; behind a proxy with a certificate of its own, put that at
# `ca-bundle.crt` there first.
FROM node:26-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends git ca-certificates \
  && rm -rf /var/lib/apt/lists/*
WORKDIR /clade
COPY package.json package-lock.json ca-bundle.cr[t] ./
RUN if [ -f ca-bundle.crt ]; then export NODE_EXTRA_CA_CERTS=/clade/ca-bundle.crt; fi; npm ci --omit=dev --no-audit --no-fund
COPY archive ./archive
COPY benchmarks ./benchmarks
COPY sandbox ./sandbox
COPY services ./services
EXPOSE 7777
ENTRYPOINT ["node", "services/clade.js"]
