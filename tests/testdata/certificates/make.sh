#!/bin/sh
# Makes the certificates of the tests anew, with their keys (NAME.pem, NAME.key), valid from 2020 for a hundred years, whatever
# a machine's clock says (needs openssl and faketime):
# - ca, and signed by it: server, for localhost and 127.0.0.1; other, for another name; expired; and those of clients,
#   alice, late (expired) and host (for servers)
# - signed by themselves: self, stranger, and v1, an X.509 version 1 certificate
# - bundle and alice-bundle: certificates and key in one file
set -eu
cd "$(dirname "$0")"
rm -f ./*.pem ./*.key

program=$(command -v openssl)
openssl() { faketime "2020-01-01 00:00:00" "$program" "$@"; }
key() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }

# sign NAME SUBJECT DAYS EXTENSION
sign() {
  key "$1"
  openssl req -new -key "$1.key" -subj "/CN=$2" -out "$1.csr"
  echo "$4" >"$1.ext"
  openssl x509 -req -in "$1.csr" -CA ca.pem -CAkey ca.key -CAcreateserial -days "$3" -extfile "$1.ext" -out "$1.pem"
}

key ca
openssl req -x509 -new -key ca.key -subj "/CN=test CA" -days 36500 -out ca.pem
key self
openssl req -x509 -new -key self.key -subj /CN=localhost -addext subjectAltName=DNS:localhost \
  -addext basicConstraints=critical,CA:FALSE -days 36500 -out self.pem
sign server test 36500 subjectAltName=DNS:localhost,IP:127.0.0.1
sign other test 36500 subjectAltName=DNS:other.example
sign expired test 1 subjectAltName=DNS:localhost,IP:127.0.0.1
sign alice alice 36500 extendedKeyUsage=clientAuth
sign late late 1 extendedKeyUsage=clientAuth
sign host host 36500 extendedKeyUsage=serverAuth
key stranger
openssl req -x509 -new -key stranger.key -subj /CN=stranger -days 36500 -out stranger.pem
openssl x509 -req -in alice.csr -signkey alice.key -days 36500 -out v1.pem
cat server.pem ca.pem server.key >bundle.pem
cat alice.key alice.pem >alice-bundle.pem
rm ./*.csr ./*.ext ./*.srl
