# Adds what the JavaScript and Python exercises of the polyglot benchmark run their tests with, to be used without a network.
FROM clade/base:1 AS modules
WORKDIR /modules
COPY ca-bundle.crt /ca-bundle.crt
RUN NODE_EXTRA_CA_CERTS=/ca-bundle.crt npm install --no-save --no-audit --no-fund \
  jest@29 babel-jest@29 @babel/core@7 @exercism/babel-preset-javascript@0.2.1 core-js@3.37

FROM clade/base:1
RUN apt-get update \
  && apt-get install -y --no-install-recommends python3 python3-pytest \
  && rm -rf /var/lib/apt/lists/*
# Node looks for modules in every parent directory, so what runs below /workspace finds these.
COPY --from=modules /modules/node_modules /node_modules
RUN ln -s /node_modules/.bin/jest /usr/local/bin/jest && ln -sf python3 /usr/bin/python
