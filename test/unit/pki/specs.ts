import type { CertificateSpec } from '../../../src/pki/types.ts';

export function spec(changes: Partial<CertificateSpec> = {}): CertificateSpec {
  return {
    name: 'kube-apiserver',
    authority: 'kubernetes',
    commonName: 'kube-apiserver',
    organizations: [],
    usages: ['server'],
    dnsNames: ['cp-1', 'kubernetes.default.svc.cluster.local'],
    ipAddresses: ['10.0.0.11', '10.96.0.1', '127.0.0.1'],
    certificatePath: '/etc/kubernetes/pki/apiserver.crt',
    keyPath: '/etc/kubernetes/pki/apiserver.key',
    owner: 'root',
    ...changes,
  };
}

/** Any specification that a component may declare, the same for the same seed. */
export function anySpec(seed: number): CertificateSpec {
  const next = random(seed);
  const below = (count: number): number => Math.floor(next() * count);
  const many = <T>(most: number, make: () => T): T[] => Array.from({ length: below(most + 1) }, make);
  const text = (): string => Array.from({ length: 1 + below(20) }, () => [...'abcXYZ019 :,+=#"\\<>;é漢'][below(22)]).join('');
  const label = (): string => `n${below(1000)}-${below(10)}`;
  const address = (): string => `10.${below(256)}.${below(256)}.${below(256)}`;
  const server = next() < 0.5;
  return spec({
    commonName: text(),
    authority: (['etcd', 'kubernetes', 'front-proxy', 'kubelet-client'] as const)[below(4)]!,
    organizations: many(3, text),
    usages: server ? (next() < 0.5 ? ['server'] : ['server', 'client']) : ['client'],
    dnsNames: many(4, () => (next() < 0.2 ? `*.${label()}.example` : `${label()}.${label()}`)),
    ipAddresses: server ? [address(), ...many(4, address)] : many(2, address),
    ...(next() < 0.5 ? {} : { validDays: [1 / 86_400, 0.01, 1, 7, 30, 90, 365, 730, 5000][below(9)]! }),
  });
}

/** Mulberry32: small, and the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
