# Adds what the Java exercises of the polyglot benchmark run their tests with, to be used without a network: a compiler, and
# the libraries that their build.gradle files name, but for RxJava. There is no Gradle; org.json is one that was rewritten.
FROM clade/base:1 AS jars
WORKDIR /jars
RUN mirror=$(grep -ohE 'https?://[^ ]+/debian/?( |$)' -r /etc/apt/sources.list* | head -n 1) \
  && echo "deb $mirror trixie main" > /etc/apt/sources.list.d/trixie.list \
  && apt-get update \
  && apt-get download -t trixie junit5/trixie libassertj-core-java/trixie libbyte-buddy-java/trixie \
    libopentest4j-java libopentest4j-reporting-java libapiguardian-java libpicocli-java libunivocity-parsers-java \
    libandroid-json-org-java \
  && for package in *.deb; do dpkg -x "$package" .; done \
  && mkdir libraries && cd usr/share/java \
  && cp -L junit-jupiter-api.jar junit-jupiter-params.jar junit-jupiter-engine.jar \
    junit-platform-commons.jar junit-platform-engine.jar junit-platform-launcher.jar junit-platform-console.jar \
    junit-platform-reporting.jar assertj-core.jar byte-buddy.jar opentest4j.jar opentest4j-reporting-events.jar \
    apiguardian-api.jar picocli.jar univocity-parsers.jar json-latest.jar /jars/libraries

FROM clade/base:1
RUN apt-get update \
  && apt-get install -y --no-install-recommends openjdk-17-jdk-headless \
  && rm -rf /var/lib/apt/lists/*
COPY --from=jars /jars/libraries /usr/local/share/polyglot-java
