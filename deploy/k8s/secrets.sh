#!/usr/bin/env bash
# Makes up the Secrets of the production overlay and prints them, after the namespace that they are in, for
#
#   deploy/k8s/secrets.sh | kubectl apply -f -
#
# Once, before the first `kubectl apply -k`: run again it makes up others. Needs openssl and kubectl, and no
# cluster. Give it names to make some of them only: gateway-keys nats-passwords mongodb-passwords nats-tls mongodb-tls.
# With cert-manager take overlays/production/certificates.example.yaml instead of the last two. Not made here: gateway-certificate
# (kubernetes.io/tls, what browsers see) and, for production-external, mongodb-uris.
set -euo pipefail
NAMESPACE=talk-to-me
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

print() { printf -- '---\n' && kubectl create secret generic --namespace "$NAMESPACE" --dry-run=client --output yaml "$@"; }
# Letters and digits only: it stands in addresses.
made_up() { openssl rand -hex 24; }

# An authority of its own for each kind of server, which is not kept: to renew, make both again.
certified() {
  local name=$1 hosts=$2
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 825 -subj "/CN=$name authority" \
    -keyout "$scratch/ca.key" -out "$scratch/ca.crt" -addext basicConstraints=critical,CA:TRUE \
    -addext keyUsage=critical,keyCertSign 2>/dev/null
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$name" \
    -keyout "$scratch/tls.key" -out "$scratch/tls.csr" 2>/dev/null
  # Servers are clients of each other.
  printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth,clientAuth\nbasicConstraints=CA:FALSE\n' "$hosts" >"$scratch/ext"
  openssl x509 -req -in "$scratch/tls.csr" -CA "$scratch/ca.crt" -CAkey "$scratch/ca.key" -days 825 \
    -extfile "$scratch/ext" -out "$scratch/tls.crt" 2>/dev/null
  print "$name" --from-file="$scratch/ca.crt" --from-file="$scratch/tls.crt" --from-file="$scratch/tls.key"
}

secret() {
  case $1 in
    gateway-keys) print "$1" --from-literal=current="$(openssl rand -hex 32)" ;;
    nats-passwords)
      print "$1" --from-literal=gateway="$(made_up)" --from-literal=matcher="$(made_up)" \
        --from-literal=chat-store="$(made_up)" --from-literal=operator="$(made_up)" \
        --from-literal=dead-letters="$(made_up)"
      ;;
    mongodb-passwords)
      print "$1" --from-literal=matcher="$(made_up)" --from-literal=chat-store="$(made_up)" \
        --from-literal=keyfile="$(openssl rand -hex 128)"
      ;;
    nats-tls)
      # localhost is for operators, by `kubectl port-forward`.
      certified "$1" 'DNS:localhost,DNS:nats,DNS:nats-0.nats-servers,DNS:nats-1.nats-servers,DNS:nats-2.nats-servers'
      ;;
    mongodb-tls)
      certified "$1" 'DNS:localhost,DNS:mongodb-0.mongodb,DNS:mongodb-1.mongodb,DNS:mongodb-2.mongodb'
      ;;
    *) echo "no such Secret: $1" >&2 && exit 1 ;;
  esac
}

cat "$(dirname "$0")/base/namespace.yaml"
[ $# -gt 0 ] || set -- gateway-keys nats-passwords mongodb-passwords nats-tls mongodb-tls
for name; do secret "$name"; done
