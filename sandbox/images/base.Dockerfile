# What every sandbox of a solver has: node, git, bash, and a user without rights.
FROM node:26-bookworm-slim

RUN apt-get update \
  && apt-get install -y --no-install-recommends bash ca-certificates git patch procps \
  && rm -rf /var/lib/apt/lists/*

RUN getent passwd 1000 || useradd --uid 1000 --create-home clade
RUN mkdir -p /workspace /agent /task /clade && chmod 1777 /workspace /agent /task /clade

WORKDIR /workspace
