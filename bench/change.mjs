// npm run bench:change: what clients of a running cluster notice while it changes. Three control planes and two workers; on a worker ten rounds a second with
// a new connection for each request, the same over a kept one, and to a workload behind a Service; one change after the other. Prints the requests that
// failed and the longest time without an answer, with the seconds that the change took. The aim: none, and less than 2 s. Run it on an idle machine.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../test/setup.mjs';
import { benchLab } from './lab.mjs';

const name = 'bench-change';
const on = 'w-1';
const lab = await benchLab(name, ['--hosts', '5', '--control-planes', '3']);
const { imageReference } = await import('../dist/src/artifacts/catalogue.js');
const { DEFAULT_KUBERNETES_VERSION } = await import('../dist/src/config/schema.js');
const { keep } = await import('./report.mjs');
const { machine, rounded, today } = await import('./results.mjs');
const { slipway, quiet } = lab;
const described = { date: today(), machine: machine(), versions: { kubernetes: DEFAULT_KUBERNETES_VERSION, node: process.versions.node } };

/** Each a change of `spec.components`, or something done to the operator's files. */
const changes = [
  ['one flag of the API servers', { 'kube-apiserver': { 'event-ttl': '2h' } }],
  ['one flag of etcd', { etcd: { 'snapshot-count': '20000' } }],
  ['one flag of both', { 'kube-apiserver': { 'event-ttl': '3h' }, etcd: { 'snapshot-count': '30000' } }],
  ['one flag of the kubelets', { kubelet: { 'node-status-max-images': '60' } }],
  ['a new certificate for everything', renewAll],
];

const workload = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: kubernetes.io/hostname, whenUnsatisfiable: DoNotSchedule, labelSelector: { matchLabels: { app: web } } }]
      containers:
        - name: web
          image: '${imageReference('image-agnhost', DEFAULT_KUBERNETES_VERSION)}'
          args: [netexec, --http-port=8080]
          readinessProbe: { httpGet: { path: /hostname, port: 8080 } }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec: { selector: { app: web }, ports: [{ port: 80, targetPort: 8080 }] }
`;

async function exec(host, command) {
  const address = new RegExp(`name: ${host}, +address: ([\\d.]+)`).exec(readFileSync(lab.clusterFile, 'utf8'))[1];
  const options = [
    '-i',
    join(lab.directory, 'id_ed25519'),
    '-o',
    `UserKnownHostsFile=${join(lab.directory, 'known_hosts')}`,
    '-o',
    'BatchMode=yes',
  ];
  return (await quiet`ssh ${options} root@${address} ${command}`).stdout.trim();
}

/** The state directory says of every certificate that it ends soon: the next apply issues all of them again. */
function renewAll() {
  const file = join(lab.directory, `${name}.state/inventory.json`);
  const inventory = JSON.parse(readFileSync(file, 'utf8'));
  for (const certificate of Object.values(inventory.certificates)) certificate.notAfter = Date.now() + 24 * 3_600_000;
  writeFileSync(file, `${JSON.stringify(inventory, null, 2)}\n`);
}

function setComponents(components) {
  const text = readFileSync(lab.clusterFile, 'utf8').replace(/^ {2}components: .*\n/m, '');
  const args = Object.fromEntries(Object.entries(components).map(([component, flags]) => [component, { args: flags }]));
  writeFileSync(lab.clusterFile, text.replace(/^spec:\n/m, `$&  components: ${JSON.stringify(args)}\n`));
}

async function startClients(address) {
  await exec(on, 'rm -f /root/client/end*');
  const modes = ['new', 'kept', 'service'];
  const clients = modes.map((mode) => exec(on, `python3 /root/client/client.py ${mode} bench-${mode} /root/client/end ${address}`));
  await exec(on, modes.map((mode) => `until [ -e /root/client/end.bench-${mode} ]; do sleep 0.1; done`).join('; '));
  return async () => {
    await exec(on, 'touch /root/client/end');
    const told = await Promise.all(clients);
    return Object.fromEntries(modes.map((mode, i) => [mode, JSON.parse(told[i])]));
  };
}

try {
  await lab.fresh();
  await quiet`${slipway} apply --yes -f ${lab.clusterFile}`;
  const kubeconfig = join(lab.work, 'kubeconfig');
  writeFileSync(kubeconfig, (await quiet`${slipway} kubeconfig -f ${lab.clusterFile}`).stdout);
  const { users, clusters } = (await import('yaml')).parse(readFileSync(kubeconfig, 'utf8'));
  const files = {
    'ca.crt': clusters[0].cluster['certificate-authority-data'],
    'client.crt': users[0].user['client-certificate-data'],
    'client.key': users[0].user['client-key-data'],
    'client.py': readFileSync(join(root, 'test/helpers/client.py')).toString('base64'),
    'web.yaml': Buffer.from(workload).toString('base64'),
  };
  const install =
    'DEBIAN_FRONTEND=noninteractive apt-get -q -y install --no-install-recommends python3-minimal libpython3-stdlib >/dev/null';
  const written = Object.entries(files).map(([file, bytes]) => `echo ${bytes} | base64 -d >/root/client/${file}`);
  for (const host of [on, 'cp-1']) await exec(host, `${host === on ? install : ':'}; mkdir -p -m 0700 /root/client; ${written.join('; ')}`);
  const kubectl = '/opt/slipway/bin/kubectl --kubeconfig /etc/kubernetes/super-admin.conf';
  await exec('cp-1', `${kubectl} apply -f /root/client/web.yaml && ${kubectl} rollout status deployment/web --timeout=120s`);
  const address = await exec('cp-1', `${kubectl} get service web -o jsonpath={.spec.clusterIP}`);

  const rows = [];
  const so = {};
  for (const [what, change] of changes) {
    if (typeof change === 'function') change();
    else setComponents(Object.assign(so, change));
    const end = await startClients(address);
    const start = performance.now();
    const { exitCode, stderr } = await quiet`${slipway} apply --yes -f ${lab.clusterFile}`.nothrow();
    const seconds = rounded((performance.now() - start) / 1000, 1);
    const saw = await end();
    if (exitCode !== 0) throw new Error(`${what}: apply ended with ${exitCode}\n${stderr}`);
    const clients = Object.fromEntries(
      Object.entries(saw).map(([mode, { requests, failed, gap }]) => [mode, { requests, failed: failed.length, gap: rounded(gap, 1) }]),
    );
    rows.push({ what, seconds, clients });
    console.log(`${what}, ${seconds} s`);
    for (const [mode, { requests, failed, gap }] of Object.entries(clients))
      console.log(`  ${mode.padEnd(7)} ${failed} of ${requests} requests failed, longest gap ${gap} s`);
    for (const [mode, { failed }] of Object.entries(saw))
      for (const [at, method, why] of failed) console.error(`    ${mode} ${new Date(at * 1000).toISOString()} ${method}: ${why}`);
  }
  keep('change', { ...described, rows });
} finally {
  await lab.end();
}
