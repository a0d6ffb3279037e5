/** Runs a command on the host under test and returns its trimmed output; throws when it fails. */
type On = (command: string) => Promise<string>;

/** A scored (or machine-tested) row of the CIS Kubernetes Benchmark 1.12, as a statement about what was read from the host. */
interface Row {
  id: string;
  holds(host: Reading): boolean;
}

interface Reading {
  /** Process flags by process name: `--name=value` as seen in /proc. */
  flags: Record<string, Record<string, string>>;
  /** Path to `mode owner:group`. */
  files: Record<string, { mode: number; owner: string }>;
  /** The kubelet's configuration as YAML text. */
  kubelet: string;
  text: Record<string, string>;
}

const SUITES = new Set([
  'TLS_AES_128_GCM_SHA256',
  'TLS_AES_256_GCM_SHA384',
  'TLS_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305',
  'TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256',
  'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305',
  'TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256',
]);

const row = (id: string, holds: Row['holds']): Row => ({ id, holds });
const flag =
  (process: string, name: string, holds: (value: string | undefined) => boolean): Row['holds'] =>
  ({ flags }) =>
    flags[process] !== undefined && holds(flags[process][name]);
const is =
  (wanted: string) =>
  (value: string | undefined): boolean =>
    value === wanted;
const present = (value: string | undefined): boolean => value !== undefined && value !== '';
const absent = (value: string | undefined): boolean => value === undefined;
const has =
  (word: string) =>
  (value: string | undefined): boolean =>
    (value ?? '').split(',').includes(word);
const lacks =
  (word: string) =>
  (value: string | undefined): boolean =>
    !(value ?? '').split(',').includes(word);
const atLeast =
  (minimum: number) =>
  (value: string | undefined): boolean =>
    Number(value) >= minimum;
const file =
  (path: string, mode: number, owner = 'root:root'): Row['holds'] =>
  ({ files }) =>
    files[path] !== undefined && (files[path].mode & ~mode) === 0 && files[path].owner === owner;
const below =
  (prefix: string, suffix: string, test: (file: { mode: number; owner: string }) => boolean): Row['holds'] =>
  ({ files }) => {
    const found = Object.entries(files).filter(([path]) => path.startsWith(prefix) && path.endsWith(suffix));
    return found.length > 0 && found.every(([, entry]) => test(entry));
  };

const api = (name: string, holds: (value: string | undefined) => boolean): Row['holds'] => flag('kube-apiserver', name, holds);
const UNITS = '/etc/systemd/system';

const controlPlane: readonly Row[] = [
  row('1.1.1-2', file(`${UNITS}/kube-apiserver.service`, 0o600)),
  row('1.1.3-4', file(`${UNITS}/kube-controller-manager.service`, 0o600)),
  row('1.1.5-6', file(`${UNITS}/kube-scheduler.service`, 0o600)),
  row('1.1.7-8', file('/usr/lib/systemd/system/etcd.service', 0o600)),
  row('1.1.11-12', file('/var/lib/etcd', 0o700, 'etcd:etcd')),
  row('1.1.13-14 admin', file('/etc/kubernetes/admin.conf', 0o600)),
  row('1.1.13-14 super-admin', file('/etc/kubernetes/super-admin.conf', 0o600)),
  row('1.1.15-16', file('/etc/kubernetes/scheduler.conf', 0o600)),
  row('1.1.17-18', file('/etc/kubernetes/controller-manager.conf', 0o600)),
  row(
    '1.1.19',
    below('/etc/kubernetes/pki', '', ({ owner }) => owner === 'root:root'),
  ),
  row(
    '1.1.20',
    below('/etc/kubernetes/pki/', '.crt', ({ mode }) => (mode & ~0o644) === 0),
  ),
  row(
    '1.1.21',
    below('/etc/kubernetes/pki/', '.key', ({ mode }) => (mode & ~0o600) === 0),
  ),
  row('1.2.1', api('anonymous-auth', is('false'))),
  row('1.2.2', api('token-auth-file', absent)),
  row('1.2.3', api('enable-admission-plugins', has('DenyServiceExternalIPs'))),
  row('1.2.4 certificate', api('kubelet-client-certificate', present)),
  row('1.2.4 key', api('kubelet-client-key', present)),
  row('1.2.5', api('kubelet-certificate-authority', present)),
  row('1.2.6', api('authorization-mode', lacks('AlwaysAllow'))),
  row('1.2.7', api('authorization-mode', has('Node'))),
  row('1.2.8', api('authorization-mode', has('RBAC'))),
  row('1.2.9', api('enable-admission-plugins', has('EventRateLimit'))),
  row('1.2.10', api('enable-admission-plugins', lacks('AlwaysAdmit'))),
  row('1.2.12', api('disable-admission-plugins', lacks('ServiceAccount'))),
  row('1.2.13', api('disable-admission-plugins', lacks('NamespaceLifecycle'))),
  row('1.2.14', api('enable-admission-plugins', has('NodeRestriction'))),
  row('1.2.15', api('profiling', is('false'))),
  row('1.2.16', api('audit-log-path', present)),
  row('1.2.17', api('audit-log-maxage', atLeast(30))),
  row('1.2.18', api('audit-log-maxbackup', atLeast(10))),
  row('1.2.19', api('audit-log-maxsize', atLeast(100))),
  row(
    '1.2.21',
    api('service-account-lookup', (value) => value === undefined || value === 'true'),
  ),
  row('1.2.22', api('service-account-key-file', present)),
  row('1.2.23 certificate', api('etcd-certfile', present)),
  row('1.2.23 key', api('etcd-keyfile', present)),
  row('1.2.24 certificate', api('tls-cert-file', present)),
  row('1.2.24 key', api('tls-private-key-file', present)),
  row('1.2.25', api('client-ca-file', present)),
  row('1.2.26', api('etcd-cafile', present)),
  row('1.2.27', api('encryption-provider-config', present)),
  row('1.2.28', ({ text }) => /providers:\n\s+- (aescbc|kms|secretbox)/.test(text['encryption'] ?? '')),
  row(
    '1.2.29',
    api('tls-cipher-suites', (value) => present(value) && value!.split(',').every((suite) => SUITES.has(suite))),
  ),
  row('1.2.30', api('service-account-extend-token-expiration', is('false'))),
  row('1.3.1', flag('kube-controller-manager', 'terminated-pod-gc-threshold', present)),
  row('1.3.2', flag('kube-controller-manager', 'profiling', is('false'))),
  row('1.3.3', flag('kube-controller-manager', 'use-service-account-credentials', is('true'))),
  row('1.3.4', flag('kube-controller-manager', 'service-account-private-key-file', present)),
  row('1.3.5', flag('kube-controller-manager', 'root-ca-file', present)),
  row(
    '1.3.6',
    flag('kube-controller-manager', 'feature-gates', (value) => !(value ?? '').includes('RotateKubeletServerCertificate=false')),
  ),
  row('1.3.7', flag('kube-controller-manager', 'bind-address', is('127.0.0.1'))),
  row('1.4.1', flag('kube-scheduler', 'profiling', is('false'))),
  row('1.4.2', flag('kube-scheduler', 'bind-address', is('127.0.0.1'))),
  row('2.1 certificate', flag('etcd', 'cert-file', present)),
  row('2.1 key', flag('etcd', 'key-file', present)),
  row('2.2', flag('etcd', 'client-cert-auth', is('true'))),
  row(
    '2.3',
    flag('etcd', 'auto-tls', (value) => value === undefined || value === 'false'),
  ),
  row('2.4 certificate', flag('etcd', 'peer-cert-file', present)),
  row('2.4 key', flag('etcd', 'peer-key-file', present)),
  row('2.5', flag('etcd', 'peer-client-cert-auth', is('true'))),
  row(
    '2.6',
    flag('etcd', 'peer-auto-tls', (value) => value === undefined || value === 'false'),
  ),
  row('2.7', ({ flags, text }) => present(flags['etcd']?.['trusted-ca-file']) && text['etcd-ca'] !== '' && text['etcd-ca'] !== text['ca']),
  row('3.2.1', api('audit-policy-file', present)),
  row('3.2.2', ({ text }) =>
    ['secrets', 'configmaps', 'tokenreviews', 'pods/exec', 'pods/portforward', 'pods/proxy'].every((word) =>
      (text['audit'] ?? '').includes(word),
    ),
  ),
];

const node: readonly Row[] = [
  row('4.1.1-2', file(`${UNITS}/kubelet.service`, 0o600)),
  row('4.1.3-4', file('/etc/kubernetes/proxy.conf', 0o600)),
  row('4.1.5-6', file('/etc/kubernetes/kubelet.conf', 0o600)),
  row('4.1.7-8', file('/etc/kubernetes/pki/ca.crt', 0o644)),
  row('4.1.9-10', file('/var/lib/kubelet/config.yaml', 0o600)),
  row('4.2.1', ({ kubelet }) => /anonymous: \{ enabled: false \}/.test(kubelet)),
  row('4.2.2', ({ kubelet }) => /authorization:\n\s+mode: Webhook/.test(kubelet)),
  row('4.2.3', ({ kubelet }) => /clientCAFile: \S+/.test(kubelet)),
  row('4.2.4', ({ kubelet }) => /readOnlyPort: 0/.test(kubelet)),
  row('4.2.5', ({ kubelet }) => !/streamingConnectionIdleTimeout: "?0/.test(kubelet)),
  row('4.2.6', ({ kubelet }) => !/makeIPTablesUtilChains: false/.test(kubelet)),
  row('4.2.7', flag('kubelet', 'hostname-override', absent)),
  row('4.2.8', ({ kubelet }) => !/eventRecordQPS: -/.test(kubelet)),
  row('4.2.9', ({ kubelet }) => /tlsCertFile: \S+/.test(kubelet) && /tlsPrivateKeyFile: \S+/.test(kubelet)),
  row('4.2.10', ({ kubelet }) => !/rotateCertificates: false/.test(kubelet)),
  row('4.2.11', ({ kubelet }) => !/RotateKubeletServerCertificate: false/.test(kubelet)),
  row('4.2.12', ({ kubelet }) => {
    const suites = [...kubelet.matchAll(/- "?(TLS_\w+)/g)].map((match) => match[1]!);
    return suites.length > 0 && suites.every((suite) => SUITES.has(suite));
  }),
  row('4.2.13', ({ kubelet }) => /podPidsLimit: [1-9]/.test(kubelet)),
  row('4.2.14', ({ kubelet }) => /seccompDefault: true/.test(kubelet)),
  row('4.3.1', ({ text }) => !/metricsBindAddress: (?!"?127\.0\.0\.1)/.test(text['kube-proxy'] ?? '')),
];

/** The rows that a control plane fails; it is a node too. */
export async function hardeningOfControlPlane(on: On): Promise<string[]> {
  return failing([...controlPlane, ...node], await read(on));
}

export async function hardeningOfWorker(on: On): Promise<string[]> {
  return failing(node, await read(on));
}

function failing(rows: readonly Row[], host: Reading): string[] {
  return rows.filter(({ holds }) => !holds(host)).map(({ id }) => id);
}

const TEXTS = {
  encryption: '/etc/kubernetes/apiserver/encryption-config.yaml',
  audit: '/etc/kubernetes/apiserver/audit-policy.yaml',
  'kube-proxy': '/etc/kubernetes/kube-proxy/config.yaml',
  'etcd-ca': '/etc/etcd/pki/ca.crt',
  ca: '/etc/kubernetes/pki/ca.crt',
  kubelet: '/var/lib/kubelet/config.yaml',
};

/** Flags are read from the process, as the benchmark's own tool does, not from the unit file. */
async function read(on: On): Promise<Reading> {
  const output = await on(`
for name in etcd kube-apiserver kube-controller-manager kube-scheduler kubelet; do
  pid=$(systemctl show -P MainPID $name 2>/dev/null); [ "\${pid:-0}" = 0 ] && continue
  echo "@process $name"; tr '\\0' '\\n' </proc/$pid/cmdline
done
echo '@files'
find /etc/kubernetes /etc/etcd ${UNITS} /usr/lib/systemd/system/etcd.service /var/lib/etcd /var/lib/kubelet -maxdepth 3 \\( -type f -o -type d \\) -printf '%m %u:%g %p\\n' 2>/dev/null
${Object.entries(TEXTS)
  .map(([name, path]) => `echo '@text ${name}'; cat ${path} 2>/dev/null`)
  .join('\n')}
echo '@end'`);
  const sections = new Map<string, string[]>();
  let current: string[] = [];
  for (const line of output.split('\n')) {
    if (line.startsWith('@')) sections.set(line.slice(1), (current = []));
    else current.push(line);
  }
  const flags: Reading['flags'] = {};
  for (const [name, lines] of sections) {
    if (!name.startsWith('process ')) continue;
    flags[name.slice(8)] = Object.fromEntries(
      lines.flatMap((line) => [...line.matchAll(/^--([^=]+)(?:=(.*))?$/g)].map((match) => [match[1]!, match[2] ?? 'true'])),
    );
  }
  const text = Object.fromEntries(Object.keys(TEXTS).map((name) => [name, (sections.get(`text ${name}`) ?? []).join('\n')]));
  const files = Object.fromEntries(
    (sections.get('files') ?? []).flatMap((line) =>
      [...line.matchAll(/^(\d+) (\S+) (.*)$/g)].map((match) => [match[3]!, { mode: Number.parseInt(match[1]!, 8), owner: match[2]! }]),
    ),
  );
  return { flags, files, text, kubelet: text['kubelet'] ?? '' };
}
