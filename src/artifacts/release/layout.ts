import { bug } from '../../base/errors.ts';
import { imageReference } from '../catalogue.ts';
import type { Artefact } from '../types.ts';

/** Where a checksum is published, and in what form. */
export interface Checksum {
  url: string;
  /** `bare`: nothing but the digest; `sums`: lines of sha256sum; `github`: GitHub's description of a release, which has asset digests. */
  form: 'bare' | 'sums' | 'github';
}

export interface Download {
  kind: 'download';
  url: string;
  checksum: Checksum;
  /** File of the artefact to its path in the tar.gz; missing: the download is the artefact's only file. */
  members?: Readonly<Record<string, string>>;
}

export interface Pull {
  kind: 'pull';
  /** Tagged image reference. */
  reference: string;
}

/** Where upstream publishes an artefact. */
export function publishedAt({ name, version, arch, files }: Artefact): Download | Pull {
  const v = `v${version}`;
  if (name.startsWith('image-')) return { kind: 'pull', reference: imageReference(name, version) };
  switch (name) {
    case 'kube-apiserver':
    case 'kube-controller-manager':
    case 'kube-scheduler':
    case 'kubelet':
    case 'kube-proxy':
    case 'kubectl': {
      const url = `https://dl.k8s.io/release/${v}/bin/linux/${arch}/${name}`;
      return { kind: 'download', url, checksum: { url: `${url}.sha256`, form: 'bare' } };
    }
    case 'etcd': {
      const base = `etcd-${v}-linux-${arch}`;
      return {
        kind: 'download',
        url: github('etcd-io/etcd', v, `${base}.tar.gz`),
        checksum: { url: github('etcd-io/etcd', v, 'SHA256SUMS'), form: 'sums' },
        members: inDirectory(base, files),
      };
    }
    case 'containerd': {
      // The other archive of a release needs the glibc of the distribution that it was built on.
      const url = github('containerd/containerd', v, `containerd-static-${version}-linux-${arch}.tar.gz`);
      return { kind: 'download', url, checksum: { url: `${url}.sha256sum`, form: 'sums' }, members: inDirectory('bin', files) };
    }
    case 'runc':
      return {
        kind: 'download',
        url: github('opencontainers/runc', v, `runc.${arch}`),
        checksum: { url: github('opencontainers/runc', v, 'runc.sha256sum'), form: 'sums' },
      };
    case 'cni-plugins': {
      const url = github('containernetworking/plugins', v, `cni-plugins-linux-${arch}-${v}.tgz`);
      return { kind: 'download', url, checksum: { url: `${url}.sha256`, form: 'sums' }, members: inDirectory('.', files) };
    }
    case 'flanneld':
      return {
        kind: 'download',
        url: github('flannel-io/flannel', v, `flanneld-${arch}`),
        // flannel publishes no checksum file.
        checksum: { url: `https://api.github.com/repos/flannel-io/flannel/releases/tags/${v}`, form: 'github' },
      };
    default:
      throw bug(`nobody publishes ${name}`);
  }
}

/** What tells whether the release sites can be reached at all. */
export const PROBE = 'https://dl.k8s.io/release/stable.txt';

/** The same URL on a mirror, which has every site as a directory: BASE/dl.k8s.io/release/... */
export function onMirror(url: string, base: string): string {
  const { host, pathname, search } = new URL(url);
  return `${base.replace(/\/+$/, '')}/${host}${pathname}${search}`;
}

/** Finds the digest of `fileName` in what a checksum URL returned; undefined when it is not there. */
export function digestIn(text: string, form: Checksum['form'], fileName: string): string | undefined {
  switch (form) {
    case 'bare':
      return /^([0-9a-f]{64})\b/.exec(text.trim())?.[1];
    case 'sums':
      return text
        .split('\n')
        .map((line) => /^([0-9a-f]{64})[ \t]+\*?(?:.*\/)?([^/\s]+)\s*$/.exec(line))
        .find((match) => match?.[2] === fileName)?.[1];
    case 'github': {
      const { assets = [] } = JSON.parse(text) as { assets?: { name?: string; digest?: string | null }[] };
      return /^sha256:([0-9a-f]{64})$/.exec(assets.find(({ name }) => name === fileName)?.digest ?? '')?.[1];
    }
  }
}

function github(repository: string, tag: string, asset: string): string {
  return `https://github.com/${repository}/releases/download/${tag}/${asset}`;
}

function inDirectory(directory: string, files: readonly string[]): Record<string, string> {
  return Object.fromEntries(files.map((file) => [file, `${directory}/${file}`]));
}
