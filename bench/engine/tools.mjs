import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { $ } from 'zx';
import { defaultCacheDirectory } from '../../dist/src/artifacts/directories.js';

const here = import.meta.dirname;
const requirements = join(here, 'requirements.txt');

/** pyinfra and Ansible with everything that they need, at the versions of requirements.txt, in the user's cache. */
async function pythonTools() {
  const directory = join(defaultCacheDirectory(), 'bench', 'python');
  const installed = join(directory, 'requirements.txt');
  const wanted = readFileSync(requirements, 'utf8');
  if (existsSync(installed) && readFileSync(installed, 'utf8') === wanted) return join(directory, 'bin');
  console.log('== pip install pyinfra ansible-core');
  rmSync(directory, { recursive: true, force: true });
  mkdirSync(join(directory, '..'), { recursive: true });
  await $({ quiet: true })`python3 -m venv ${directory}`;
  await $({ quiet: true })`${join(directory, 'bin/pip')} install --quiet --disable-pip-version-check -r ${requirements}`;
  writeFileSync(`${installed}.new`, wanted);
  renameSync(`${installed}.new`, installed);
  return join(directory, 'bin');
}

/**
 * What is compared. `prepare` writes what a tool needs to know of the hosts and tells how to call it; `changes` reads from its output how many of
 * the four things it changed, over all hosts.
 */
export async function tools(work, { fanOut }) {
  const bin = await pythonTools();
  return [
    { name: 'slipway', title: 'Slipway’s engine', prepare: prepareSlipway, changes: (output) => JSON.parse(output).changed },
    { name: 'ssh', title: 'plain ssh', prepare: prepareSsh, changes: (output) => count(output, /^changed /gm) },
    { name: 'pyinfra', title: 'pyinfra', prepare: preparePyinfra, changes: (output) => sum(output, /^ *Grand total +\d+ +(\d+)/gm) },
    { name: 'ansible', title: 'Ansible', prepare: prepareAnsible, changes: (output) => sum(output, /\bchanged=(\d+)/g) },
  ];

  function prepareSlipway({ addresses, port, identityFile, knownHosts }) {
    writeFileSync(join(work, 'hosts.json'), JSON.stringify({ addresses, port, identityFile, knownHosts, fanOut }));
    return { command: [process.execPath, join(here, 'slipway.mjs'), join(work, 'hosts.json')] };
  }

  function prepareSsh({ addresses, port, identityFile, knownHosts }) {
    writeFileSync(join(work, 'addresses'), addresses.map((address) => `${address}\n`).join(''));
    const login = `ssh -F none -i ${identityFile} -o IdentitiesOnly=yes -o BatchMode=yes -o UserKnownHostsFile=${knownHosts} -p ${port} -l root`;
    const one = `${login} "$1" "address=$1; $(cat ${here}/plain.sh)" <${here}/app.conf`;
    return { command: ['xargs', '-a', join(work, 'addresses'), '-n', '1', '-P', String(fanOut), 'sh', '-c', one, 'sh'] };
  }

  function preparePyinfra({ addresses, port, identityFile, knownHosts }) {
    const login = {
      ssh_port: port,
      ssh_user: 'root',
      ssh_key: identityFile,
      ssh_known_hosts_file: knownHosts,
      ssh_strict_host_key_checking: 'yes',
      ssh_allow_agent: false,
      ssh_look_for_keys: false,
      ssh_config_file: '/dev/null',
    };
    const python = JSON.stringify(login).replaceAll('false', 'False');
    writeFileSync(join(work, 'inventory.py'), `hosts = (${JSON.stringify(addresses)}, ${python})\n`);
    return {
      command: [join(bin, 'pyinfra'), '--yes', '--parallel', String(fanOut), join(work, 'inventory.py'), join(here, 'deploy.py')],
      env: { BENCH_APP_CONF: join(here, 'app.conf') },
    };
  }

  function prepareAnsible({ addresses, port, identityFile, knownHosts }) {
    const variables = [
      `ansible_port=${port}`,
      'ansible_user=root',
      `ansible_ssh_private_key_file=${identityFile}`,
      'ansible_python_interpreter=/usr/bin/python3',
    ];
    writeFileSync(join(work, 'inventory.ini'), ['[all]', ...addresses, '[all:vars]', ...variables, ''].join('\n'));
    const config = `[defaults]
forks = ${fanOut}
host_key_checking = True
timeout = 60
[ssh_connection]
pipelining = True
ssh_args = -F none -C -o ControlMaster=auto -o ControlPersist=60s -o IdentitiesOnly=yes -o UserKnownHostsFile=${knownHosts}
control_path_dir = ${join(work, 'cp')}
`;
    writeFileSync(join(work, 'ansible.cfg'), config);
    return {
      command: [join(bin, 'ansible-playbook'), '-i', join(work, 'inventory.ini'), join(here, 'playbook.yaml')],
      env: { ANSIBLE_CONFIG: join(work, 'ansible.cfg'), ANSIBLE_HOME: join(work, 'ansible') },
    };
  }
}

/** The versions that a reader needs. */
export async function versions() {
  const pins = readFileSync(requirements, 'utf8');
  const ssh = await $({ quiet: true })`ssh -V`;
  return {
    node: process.versions.node,
    openssh: /OpenSSH_([^ ,]+)/.exec(ssh.stderr)[1],
    pyinfra: /^pyinfra==(.*)$/m.exec(pins)[1],
    'ansible-core': /^ansible-core==(.*)$/m.exec(pins)[1],
    python: (await $({ quiet: true })`python3 --version`).stdout.trim().replace('Python ', ''),
  };
}

function count(output, pattern) {
  return [...output.matchAll(pattern)].length;
}

function sum(output, pattern) {
  return [...output.matchAll(pattern)].reduce((total, [, number]) => total + Number(number), 0);
}
