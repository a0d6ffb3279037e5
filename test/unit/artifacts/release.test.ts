import { describe, expect, test } from '@jest/globals';
import { artefactsFor, kubernetesVersions } from '../../../src/artifacts/catalogue.ts';
import { digestIn, onMirror, publishedAt } from '../../../src/artifacts/release/layout.ts';
import { proxyFor } from '../../../src/artifacts/release/proxy.ts';
import { parseReference } from '../../../src/artifacts/release/registry.ts';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);

describe('where upstream publishes', () => {
  test.each(kubernetesVersions)('is known for every artefact of %s, and gives exactly its files', (kubernetesVersion) => {
    for (const arch of ['amd64', 'arm64'] as const)
      for (const artefact of artefactsFor({ kubernetesVersion, arch, metricsServer: true })) {
        const place = publishedAt(artefact);
        if (place.kind === 'pull') expect(parseReference(place.reference).host).toBe('registry.k8s.io');
        else expect(Object.keys(place.members ?? { [artefact.files[0]!]: '' }).sort()).toEqual([...artefact.files].sort());
      }
  });

  test('follows the sites’ own naming', () => {
    const published = artefactsFor({ kubernetesVersion: '1.36.3', arch: 'arm64' }).map(publishedAt);
    const urls = published.flatMap((place) => (place.kind === 'download' ? [place.url, place.checksum.url] : []));
    expect(urls).toEqual(
      expect.arrayContaining([
        'https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubelet',
        'https://dl.k8s.io/release/v1.36.3/bin/linux/arm64/kubelet.sha256',
        'https://github.com/etcd-io/etcd/releases/download/v3.6.8/etcd-v3.6.8-linux-arm64.tar.gz',
        'https://github.com/etcd-io/etcd/releases/download/v3.6.8/SHA256SUMS',
        'https://github.com/containerd/containerd/releases/download/v2.4.2/containerd-static-2.4.2-linux-arm64.tar.gz',
        'https://github.com/opencontainers/runc/releases/download/v1.5.2/runc.arm64',
        'https://github.com/containernetworking/plugins/releases/download/v1.9.1/cni-plugins-linux-arm64-v1.9.1.tgz',
        'https://github.com/flannel-io/flannel/releases/download/v0.28.4/flanneld-arm64',
      ]),
    );
  });

  test('becomes a directory of a mirror', () => {
    expect(onMirror('https://dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet', 'http://mirror.example.com/k8s/')).toBe(
      'http://mirror.example.com/k8s/dl.k8s.io/release/v1.36.3/bin/linux/amd64/kubelet',
    );
  });
});

describe('a published digest', () => {
  test.each([
    ['bare', `${a}\n`, a],
    ['bare', '<html>sign in</html>', undefined],
    ['sums', `${b}  other\n${a}  file\n`, a],
    ['sums', `${a} *file\n`, a],
    ['sums', `${a}  ./dist/file\n`, a],
    ['sums', `${a}  file.asc\n`, undefined],
    [
      'github',
      JSON.stringify({
        assets: [
          { name: 'other', digest: `sha256:${b}` },
          { name: 'file', digest: `sha256:${a}` },
        ],
      }),
      a,
    ],
    ['github', JSON.stringify({ assets: [{ name: 'file', digest: null }] }), undefined],
  ] as const)('in the form %s: %j', (form, text, expected) => {
    expect(digestIn(text, form, 'file')).toBe(expected);
  });
});

describe('the proxy', () => {
  const HTTPS_PROXY = 'http://proxy.example.com:3128';

  test.each([
    ['https://dl.k8s.io/x', { HTTPS_PROXY }, HTTPS_PROXY],
    ['https://dl.k8s.io/x', { https_proxy: HTTPS_PROXY, HTTPS_PROXY: 'http://other' }, HTTPS_PROXY],
    ['http://dl.k8s.io/x', { HTTPS_PROXY }, undefined],
    ['http://dl.k8s.io/x', { ALL_PROXY: 'proxy.example.com:3128' }, HTTPS_PROXY],
    ['https://dl.k8s.io/x', { HTTPS_PROXY, NO_PROXY: '*' }, undefined],
    ['https://dl.k8s.io/x', { HTTPS_PROXY, NO_PROXY: 'localhost, .k8s.io' }, undefined],
    ['https://dl.k8s.io/x', { HTTPS_PROXY, NO_PROXY: 'k8s.io' }, undefined],
    ['https://dl.notk8s.io/x', { HTTPS_PROXY, NO_PROXY: 'k8s.io' }, HTTPS_PROXY],
    ['https://mirror:8443/x', { HTTPS_PROXY, NO_PROXY: 'mirror:443' }, HTTPS_PROXY],
    ['https://mirror:8443/x', { HTTPS_PROXY, NO_PROXY: 'mirror:8443' }, undefined],
    ['https://10.1.2.3/x', { HTTPS_PROXY, NO_PROXY: '10.0.0.0/8' }, undefined],
    ['https://11.1.2.3/x', { HTTPS_PROXY, NO_PROXY: '10.0.0.0/8' }, HTTPS_PROXY],
  ])('of %s with %j is %s', (url, environment, expected) => {
    expect(proxyFor(new URL(url), environment)?.origin).toBe(expected);
  });
});

test('an image reference without a registry or a tag is refused', () => {
  expect(parseReference('registry.k8s.io/coredns/coredns:v1.15.0')).toEqual({
    host: 'registry.k8s.io',
    repository: 'coredns/coredns',
    tag: 'v1.15.0',
  });
  expect(() => parseReference('pause')).toThrow(expect.objectContaining({ code: 'ARTIFACT_IMAGE_INVALID' }));
});
