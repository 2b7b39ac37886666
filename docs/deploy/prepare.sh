#!/bin/sh
# Makes what docker-compose.yml needs and is not there yet: secrets in .secrets/, and .env. Changes nothing that exists.
set -eu
cd "$(dirname "$0")/../.."

# The folder keeps other users of this machine out; the files are readable because programs in containers have users of
# their own, which must be able to read what is mounted for them.
umask 022
mkdir -p .secrets
chmod 700 .secrets

random() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
secret() { # name, text
  [ -e ".secrets/$1" ] || printf '%s' "$2" >".secrets/$1"
}

secret admin-token "$(random)"
secret viewer-token "$(random)"
secret worker-token "$(random)"
secret redis-password "$(random)"
secret redis-url "redis://:$(cat .secrets/redis-password)@redis:6379"
secret grafana-password "$(random)"
# To be filled in by hand, if there is something to fill in.
secret openai-api-key ""
secret hf-token ""

socket=${DOCKER_SOCKET:-/var/run/docker.sock}
if ! grep -qs '^DOCKER_GID=' .env; then
  [ -S "$socket" ] || { echo "There is no Docker engine at $socket. Start it, then run this again." >&2; exit 1; }
  # Where stat is another one, Docker runs in a virtual machine, and the socket belongs to root.
  echo "DOCKER_GID=$(stat -Lc %g "$socket" 2>/dev/null || echo 0)" >>.env
  [ "$socket" = /var/run/docker.sock ] || echo "DOCKER_SOCKET=$socket" >>.env
fi

cat <<END
Ready: docker compose up --build
A provider's key goes into .secrets/openai-api-key; settings go into .env (docs/deploy.md has them).
END
