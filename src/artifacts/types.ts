export type Architecture = 'amd64' | 'arm64';

/** One deliverable: some files of one upstream project at one version. Lives on a host in /opt/slipway/NAME/VERSION/. */
export interface Artefact {
  /** `kube-apiserver`, `etcd`, `containerd`, `cni-plugins`, `image-coredns`, ... */
  name: string;
  version: string;
  arch: Architecture;
  /** Names of the files in it; binaries are 0755, image archives (`*.tar`) 0644. */
  files: readonly string[];
}

/** What cluster.lock records of an artefact. */
export interface LockedArtefact {
  name: string;
  version: string;
  arch: Architecture;
  /** Where the bytes came from: a URL, or `go:MODULE@VERSION (GOVERSION)`. */
  source: string;
  /** File name to sha256 (hex) of its bytes. */
  files: Readonly<Record<string, string>>;
}

export interface Lock {
  version: 1;
  artifacts: readonly LockedArtefact[];
}

/** What travels: one tar of the artefact's files and a SHA256SUMS file, compressed once and cached. */
export interface Archive {
  path: string;
  size: number;
  /** sha256 of the archive file. */
  sha256: string;
  compression: 'zstd' | 'gzip';
}

/** The digest by which an artefact is recognised on a host: sha256 over its SHA256SUMS text (`<hex>  <name>\n`, sorted by name). */
export type ContentDigest = string;
