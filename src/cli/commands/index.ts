import type { CommandSpec } from '../command.ts';

const lab = [{ flags: '--name <name>', description: 'which lab', default: 'lab' }];

/** Every command, the common ones first. */
export const commands: readonly CommandSpec[] = [
  {
    name: 'validate',
    summary: 'check the cluster file alone, without any connection',
    cluster: true,
    examples: ['slipway validate', 'slipway validate -f prod/cluster.yaml -o json'],
    load: async () => (await import('./validate.ts')).validate,
  },
  {
    name: 'plan',
    summary: 'show what apply would do; changes nothing',
    cluster: true,
    options: [
      { flags: '--detailed-exitcode', description: 'exit with 2 when changes are pending', default: false },
      { flags: '--out <file>', description: 'save the plan for slipway apply FILE' },
    ],
    examples: ['slipway plan', 'slipway plan -v', 'slipway plan --out plan.json && slipway apply plan.json'],
    load: async () => (await import('./plan.ts')).plan,
  },
  {
    name: 'apply',
    arguments: '[plan]',
    summary: 'make the hosts what the cluster file says',
    cluster: true,
    examples: ['slipway apply', 'slipway apply --yes --events events.ndjson', 'slipway apply plan.json --yes'],
    load: async () => (await import('./apply.ts')).apply,
  },
  {
    name: 'verify',
    summary: 'check that every component really works',
    cluster: true,
    options: [{ flags: '--report <file>', description: 'also write a report: .json or .xml (JUnit)' }],
    examples: ['slipway verify', 'slipway verify --report verify.xml'],
    load: async () => (await import('./verify.ts')).verify,
  },
  {
    name: 'status',
    summary: 'nodes, components, versions, certificates',
    cluster: true,
    examples: ['slipway status', 'slipway status -o json'],
    load: async () => (await import('./status.ts')).status,
  },
  {
    name: 'kubeconfig',
    summary: 'print a kubeconfig for an administrator',
    cluster: true,
    examples: ['slipway kubeconfig > kubeconfig && export KUBECONFIG=$PWD/kubeconfig'],
    load: async () => (await import('./kubeconfig.ts')).kubeconfig,
  },
  {
    name: 'lab up',
    summary: 'make real systemd hosts on this machine, with a cluster file for them',
    options: [
      ...lab,
      { flags: '--hosts <count>', description: 'how many hosts', default: '3' },
      { flags: '--control-planes <count>', description: 'how many of them are control planes', default: '1' },
      { flags: '--release <name>', description: 'Debian release, one for each host; the last counts for the rest', many: true },
      { flags: '--offline', description: 'hosts without a way out, as in an air-gapped hall', default: false },
      { flags: '--user <name>', description: 'who logs in', default: 'root' },
      { flags: '--directory <path>', description: 'where the cluster file and the keys go', default: '.' },
    ],
    examples: ['slipway lab up --hosts 3', 'slipway lab up --name ha --hosts 5 --control-planes 3 --directory ha'],
    load: async () => (await import('./lab.ts')).up,
  },
  { name: 'lab down', summary: 'remove a lab and everything that belongs to it', options: lab, load: async () => (await import('./lab.ts')).down },
  {
    name: 'lab status',
    summary: 'the labs of this machine and their hosts',
    options: [{ flags: '-o, --output <format>', description: 'form of the result', choices: ['text', 'json', 'yaml'], default: 'text' }],
    load: async () => (await import('./lab.ts')).status,
  },
  { name: 'lab ssh', arguments: '[host]', summary: 'log in to a host of a lab', options: lab, load: async () => (await import('./lab.ts')).ssh },
  {
    name: 'lab exec',
    arguments: '<command...>',
    summary: 'run a command on every host of a lab',
    options: lab,
    examples: ['slipway lab exec -- systemctl is-active kubelet'],
    load: async () => (await import('./lab.ts')).exec,
  },
];
