#!/bin/sh
# images.sh BINARIES OUT.tar: one OCI archive with the pause and coredns images, each a single static binary.
set -eu
binaries=$1 out=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/oci/blobs/sha256"

# blob FILE: moves the file among the blobs, prints "digest size".
blob() {
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  size=$(stat -c %s "$1")
  mv "$1" "$work/oci/blobs/sha256/$digest"
  echo "$digest $size"
}

# image NAME BINARY USER: prints the descriptor for index.json. The layer is not compressed: an import then costs one copy.
image() {
  mkdir -p -m 0755 "$work/layer"
  install -m 0755 "$binaries/$2" "$work/layer/$2"
  tar -C "$work/layer" --sort=name --owner=0 --group=0 --numeric-owner --mtime=@0 -cf "$work/layer.tar" .
  rm -rf "$work/layer"
  set -- "$1" "$2" "$3" $(blob "$work/layer.tar")
  cat >"$work/config" <<EOF
{"architecture":"amd64","os":"linux","config":{"User":"$3","Entrypoint":["/$2"],"WorkingDir":"/"},"rootfs":{"type":"layers","diff_ids":["sha256:$4"]},"history":[{"created_by":"install $2"}]}
EOF
  set -- "$@" $(blob "$work/config")
  cat >"$work/manifest" <<EOF
{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:$6","size":$7},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:$4","size":$5}]}
EOF
  set -- "$@" $(blob "$work/manifest")
  echo "{\"mediaType\":\"application/vnd.oci.image.manifest.v1+json\",\"digest\":\"sha256:$8\",\"size\":$9,\"annotations\":{\"io.containerd.image.name\":\"$1\",\"org.opencontainers.image.ref.name\":\"${1##*:}\"},\"platform\":{\"architecture\":\"amd64\",\"os\":\"linux\"}}"
}

pause=$(image registry.k8s.io/pause:3.10.2 pause 65535:65535)
coredns=$(image registry.k8s.io/coredns/coredns:v1.15.0 coredns 65532:65532)
echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
echo "{\"schemaVersion\":2,\"mediaType\":\"application/vnd.oci.image.index.v1+json\",\"manifests\":[$pause,$coredns]}" >"$work/oci/index.json"
tar -C "$work/oci" --sort=name --owner=0 --group=0 -cf "$out.new" oci-layout index.json blobs
mv "$out.new" "$out"
