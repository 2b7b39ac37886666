# Clade's own programs: one image, started as `up`, `control` or `worker`. Build from the top of the checkout. Behind a proxy
# with a certificate of its own, put that at `ca-bundle.crt` there first: the build and the programs will trust it.
FROM node:26-bookworm-slim AS dependencies
WORKDIR /clade
COPY package.json package-lock.json ca-bundle.cr[t] ./
# The image has a Node; the one that comes with the packages is for machines that have an older one.
RUN touch ca-bundle.crt \
  && NODE_EXTRA_CA_CERTS=/clade/ca-bundle.crt npm ci --omit=dev --no-audit --no-fund \
  && rm -rf node_modules/node node_modules/node-bin-* node_modules/.bin/node

FROM node:26-bookworm-slim
RUN apt-get update \
  && apt-get install -y --no-install-recommends git ca-certificates \
  && rm -rf /var/lib/apt/lists/*
RUN getent passwd 1000 || useradd --uid 1000 --create-home clade
# A volume that is mounted here for the first time takes over the owner.
RUN mkdir /data && chown 1000:1000 /data
WORKDIR /clade
COPY --from=dependencies /clade ./
COPY archive ./archive
COPY benchmarks ./benchmarks
COPY sandbox ./sandbox
COPY services ./services
RUN ln -s /clade/services/clade.js /usr/local/bin/clade
ENV NODE_ENV=production NODE_EXTRA_CA_CERTS=/clade/ca-bundle.crt CLADE_HOME=/data
USER 1000:1000
EXPOSE 7777
ENTRYPOINT ["clade"]
