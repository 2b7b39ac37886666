# Adds what the Rust exercises of the polyglot benchmark run their tests with, to be used without a network: cargo finds the
# crates below among Debian's, and no others. (An older ppv-lite86 saves what uses rand from compiling syn.)
FROM clade/base:1 AS crates
WORKDIR /crates
RUN mirror=$(grep -ohE 'https?://[^ ]+/debian/?( |$)' -r /etc/apt/sources.list* | head -n 1) \
  && echo "deb $mirror trixie main" > /etc/apt/sources.list.d/trixie.list \
  && apt-get update \
  && apt-get install -s -t trixie --no-install-recommends librust-time-dev librust-anyhow-dev librust-rand-dev \
    librust-num-bigint-dev librust-num-traits-dev librust-itertools-dev librust-permutohedron-dev \
    librust-lazy-static-dev librust-regex-dev \
    | sed -n 's/^Inst \(librust-[^ ]*\) .*/\1/p' > wanted \
  && grep -v '^librust-ppv-lite86-dev' wanted | xargs apt-get download -t trixie \
  && apt-get download librust-ppv-lite86-dev/bookworm \
  && for package in *.deb; do dpkg -x "$package" .; done

FROM clade/base:1
RUN apt-get update \
  && apt-get install -y --no-install-recommends rustc-web cargo-web \
  && rm -rf /var/lib/apt/lists/*
COPY --from=crates /crates/usr/share/cargo/registry /usr/share/cargo/registry
# Cargo looks for its settings in every parent directory, so what runs below /workspace finds these.
RUN mkdir /.cargo \
  && printf '%s\n' '[source.crates-io]' 'replace-with = "debian"' \
    '[source.debian]' 'directory = "/usr/share/cargo/registry"' \
    '[net]' 'offline = true' \
    '[build]' 'target-dir = "/tmp/target"' 'incremental = false' > /.cargo/config.toml

# Builds the crates once, each by itself as most exercises use them, and copies the result to where cargo may write when an
# exercise names any.
RUN mkdir -p /tmp/warm/src /tmp/warm/tests && cd /tmp/warm && touch src/lib.rs tests/warm.rs \
  && for crates in 'time = "0.3"' 'anyhow = "1"' 'rand = "0.8"' 'num-bigint = "0.4"\nnum-traits = "0.2"' \
    'itertools = "0.13"' 'rand = "0.8"\nanyhow = "1"\nnum-bigint = "0.4"'; do \
    printf "[package]\nname = \"warm\"\nversion = \"0.1.0\"\nedition = \"2021\"\n\n[dependencies]\n$crates\n" > Cargo.toml \
    && rm -f Cargo.lock && HOME=/tmp cargo test --no-run || exit 1; \
  done \
  && rm -rf /tmp/target/debug/deps/*warm* /tmp/target/debug/*warm* /tmp/target/debug/.fingerprint/warm-* \
  && mv /tmp/target /var/cache/cargo-target && chmod -R a+rX /var/cache/cargo-target && rm -rf /tmp/warm /tmp/.cargo \
  && printf '%s\n' '#!/bin/sh' \
    'if [ ! -e /tmp/target ] && grep -qs "^\[dependencies\]" Cargo.toml && sed "1,/^\[dependencies\]/d" Cargo.toml | grep -q =; then' \
    '  cp -R --preserve=mode,timestamps,links /var/cache/cargo-target "/tmp/target.$$"' \
    '  mv -T "/tmp/target.$$" /tmp/target 2> /dev/null || rm -rf "/tmp/target.$$"' \
    'fi' \
    'exec /usr/bin/cargo "$@"' > /usr/local/bin/cargo \
  && chmod +x /usr/local/bin/cargo
