#!/usr/bin/env bash
# Makes what compose.yaml expects in secrets/, once. Argument: the host name of the certificate.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
host=${1:-sign.example.com}
umask 077
[ -e secrets ] && {
  echo 'secrets/ is there already; nothing was changed.' >&2
  exit 1
}
mkdir -p secrets/openrssp secrets/tls
openssl rand -hex 32 >secrets/openrssp/secrets.key
openssl rand -hex 16 >secrets/openrssp/hsm.pin
password=$(openssl rand -hex 24)
echo "POSTGRES_PASSWORD=$password" >secrets/postgres.env
echo "OPENRSSP_DATABASE_URL=postgresql://openrssp:$password@postgres:5432/openrssp?sslmode=disable" >secrets/database.env
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj "/CN=$host" \
  -addext "subjectAltName=DNS:$host" -out secrets/tls/tls.crt -keyout secrets/tls/tls.key 2>/dev/null
# The server runs as this user, and takes secrets that are its own alone.
if [ "$(id -u)" = 0 ]; then
  chown -R 10001:10001 secrets/openrssp
else
  echo 'Now run: sudo chown -R 10001:10001 docs/deployment/secrets/openrssp'
fi
