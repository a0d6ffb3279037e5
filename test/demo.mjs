// npm run demo: from nothing to a verified three-node cluster on hosts of this machine. Does all the set-up it needs; quick the second time.
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { prepareLab, root, step } from './setup.mjs';

const name = 'demo';
const directory = join(root, name);

await prepareLab();

const { $ } = await import('zx');
const slipway = join(root, 'bin/slipway.js');
const run = $({ cwd: directory, stdio: 'inherit', nothrow: true });
mkdirSync(directory, { recursive: true });

const steps = [
  ['three hosts', () => run`${process.execPath} ${slipway} lab up --name ${name} --directory ${directory}`],
  ['a cluster on them', () => run`${process.execPath} ${slipway} apply --yes`],
];
for (const [title, work] of steps) {
  const { exitCode } = await step(title, work);
  if (exitCode === 0) continue;
  console.error(`The demo ended early. To begin again: node bin/slipway.js lab down --name ${name}, then npm run demo`);
  process.exit(exitCode ?? 1);
}
console.log(`
A Kubernetes cluster runs on three hosts of this machine. What to try next:

  cd ${name}
  node ../bin/slipway.js status                   # nodes, units, certificates
  node ../bin/slipway.js verify                   # every check again
  node ../bin/slipway.js kubeconfig > kubeconfig && export KUBECONFIG=$PWD/kubeconfig
  node ../bin/slipway.js lab ssh cp-1 --name ${name} # look at a host: systemctl status kube-apiserver
  node ../bin/slipway.js lab down --name ${name}     # give everything back
${existsSync('/usr/local/bin/kubectl') ? '' : '\nkubectl is on cp-1: /opt/slipway/bin/kubectl --kubeconfig=/etc/kubernetes/admin.conf get nodes'}`);
