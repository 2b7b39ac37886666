# What the suite of CUDA kernels is solved and graded with: NVIDIA's compiler and tools, and all that a solver's sandbox has. The
# driver is the host's own, which must know CUDA 12.8 or newer.
FROM clade/base:1 AS base

FROM nvidia/cuda:12.8.1-devel-ubuntu24.04
RUN apt-get update \
  && apt-get install -y --no-install-recommends bash binutils ca-certificates g++ git libatomic1 patch procps \
  && rm -rf /var/lib/apt/lists/*
COPY --from=base /usr/local/bin/node /usr/local/bin/node

RUN getent passwd 1000 || useradd --uid 1000 --create-home clade
RUN mkdir -p /workspace /agent /task /clade && chmod 1777 /workspace /agent /task /clade
ENV PATH=/usr/local/cuda/bin:$PATH
WORKDIR /workspace
