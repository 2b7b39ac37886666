# Adds what the Go exercises of the polyglot benchmark run their tests with, to be used without a network.
FROM clade/base:1
RUN mirror=$(grep -ohE 'https?://[^ ]+/debian/?( |$)' -r /etc/apt/sources.list* | head -n 1) \
  && echo "deb $mirror bookworm-backports main" > /etc/apt/sources.list.d/backports.list \
  && apt-get update \
  && apt-get install -y --no-install-recommends golang-1.23-go \
  && rm -rf /var/lib/apt/lists/*

# Go writes to its cache of built packages, and here nothing can be written but /tmp: it gets one of links to the built ones.
# A young trim.txt keeps it from removing what has not been used for days.
RUN printf '%s\n' '#!/bin/sh' \
  'cache="${TMPDIR:-/tmp}/go-build"' \
  'if [ ! -e "$cache" ]; then' \
  '  cp -Rs /var/cache/go-build "$cache.$$"' \
  '  date +%s > "$cache.$$/trim.txt"' \
  '  mv -T "$cache.$$" "$cache" 2> /dev/null || rm -rf "$cache.$$"' \
  'fi' \
  'export GOCACHE="${GOCACHE:-$cache}" GOTOOLCHAIN=local GOPROXY=off' \
  'exec /usr/lib/go-1.23/bin/go "$@"' > /usr/local/bin/go \
  && chmod +x /usr/local/bin/go \
  && ln -s /usr/lib/go-1.23/bin/gofmt /usr/local/bin/gofmt

# Builds what a test may import of the standard library, but for networks, cryptography and Go's own tools.
RUN mkdir -p /var/cache/go-build /tmp/warm && cd /tmp/warm \
  && printf 'module warm\n\ngo 1.18\n' > go.mod && printf 'package warm\n' > warm.go \
  && { printf 'package warm\n\nimport (\n\t"testing"\n' \
    && /usr/lib/go-1.23/bin/go list std \
      | grep -vE '(^|/)(internal|vendor)(/|$)|^(net|crypto|database|debug|go|image|archive|compress|mime|html|index)(/|$)|^(expvar|plugin|syscall|unsafe|embed|testing|log/syslog|runtime/.*)$' \
      | sed 's/.*/\t_ "&"/' \
    && printf ')\n\nfunc TestWarm(t *testing.T) {}\n'; } > warm_test.go \
  && HOME=/tmp GOCACHE=/var/cache/go-build GOTOOLCHAIN=local GOPROXY=off go test ./... \
  && rm -rf /tmp/warm /var/cache/go-build/trim.txt /tmp/go-build /tmp/.config
