#!/bin/bash
# Starts mongod. It wants keys that nobody else may read, and a certificate in one file with its key: neither is
# how a Secret is mounted.
set -euo pipefail
umask 077
cat /etc/mongodb/keys/keyfile >/run/mongodb/keyfile
if [ -d /etc/mongodb/tls ]; then
  cat /etc/mongodb/tls/tls.crt /etc/mongodb/tls/tls.key >/run/mongodb/server.pem
fi
exec mongod --config /etc/mongodb/config/mongod.conf
