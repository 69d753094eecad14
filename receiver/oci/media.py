"""Media types, compared exactly: a near miss is another type (hazards I18)."""

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
OCI_EMPTY = "application/vnd.oci.empty.v1+json"

ADDON_ARTIFACT = "application/vnd.k2s.addon.v1"
ADDON_CONFIG = "application/vnd.k2s.addon.config.v1+json"

CONFIG_FILES = "application/vnd.k2s.addon.configfiles.v1.tar+gzip"
MANIFESTS = "application/vnd.k2s.addon.manifests.v1.tar+gzip"
HELM_CHARTS = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
SCRIPTS = "application/vnd.k2s.addon.scripts.v1.tar+gzip"
IMAGES_LINUX = "application/vnd.oci.image.layer.v1.tar"
IMAGES_WINDOWS = "application/vnd.k2s.addon.images-windows.v1.tar"
PACKAGES = "application/vnd.k2s.addon.packages.v1.tar+gzip"

MANIFEST_TYPES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
INDEX_TYPES = frozenset({OCI_INDEX, DOCKER_LIST})
