#!/usr/bin/env bash
# What it takes without this project: four layers of each addon by tar, an image layout, skopeo copy. It fills in no Job,
# judges no name and filters no manifest.
# usage: tar-and-skopeo.sh ADDONS REGISTRY
set -euo pipefail
addons=$1 registry=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# blob FILE: move it into the layout; prints its digest and size.
blob() {
  local digest size
  digest=$(sha256sum "$1" | cut -d' ' -f1)
  size=$(stat -c %s "$1")
  mv "$1" "$layout/blobs/sha256/$digest"
  printf '"digest":"sha256:%s","size":%s' "$digest" "$size"
}

for folder in "$addons"/*/; do
  folder=${folder%/} name=${folder##*/}
  layout=$work/$name
  mkdir -p "$layout/blobs/sha256"
  tar -czf "$work/config" -C "$folder" addon.manifest.yaml values.yaml config
  tar -czf "$work/manifests" -C "$folder/manifests" --exclude ./chart .
  tar -czf "$work/chart" -C "$folder/manifests/chart" .
  tar -czf "$work/scripts" -C "$folder" --exclude ./manifests --exclude ./config --exclude ./values.yaml \
    --exclude ./addon.manifest.yaml .
  printf '{"name":"%s","implementation":"%s","version":"v1.0.0"}' "$name" "$name" >"$work/title"
  {
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json",'
    printf '"artifactType":"application/vnd.k2s.addon.v1",'
    printf '"config":{"mediaType":"application/vnd.k2s.addon.config.v1+json",%s},"layers":[' "$(blob "$work/title")"
    printf '{"mediaType":"application/vnd.k2s.addon.configfiles.v1.tar+gzip",%s},' "$(blob "$work/config")"
    printf '{"mediaType":"application/vnd.k2s.addon.manifests.v1.tar+gzip",%s},' "$(blob "$work/manifests")"
    printf '{"mediaType":"application/vnd.cncf.helm.chart.content.v1.tar+gzip",%s},' "$(blob "$work/chart")"
    printf '{"mediaType":"application/vnd.k2s.addon.scripts.v1.tar+gzip",%s}],' "$(blob "$work/scripts")"
    printf '"annotations":{"vnd.k2s.addon.name":"%s","vnd.k2s.addon.implementation":"%s"}}' "$name" "$name"
  } >"$work/manifest"
  printf '{"imageLayoutVersion":"1.0.0"}' >"$layout/oci-layout"
  printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json",%s,%s}]}' \
    "$(blob "$work/manifest")" '"annotations":{"org.opencontainers.image.ref.name":"v1.0.0"}' >"$layout/index.json"
  tar -cf "$work/$name.oci.tar" -C "$layout" .
  skopeo copy --quiet --dest-tls-verify=false "oci-archive:$work/$name.oci.tar:v1.0.0" \
    "docker://$registry/addons/$name:v1.0.0"
done
