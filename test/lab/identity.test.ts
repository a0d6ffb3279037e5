import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { openState } from '../../src/pki/state.ts';
import { installedLab } from '../helpers/installed-lab.ts';
import { slipwayIn, type Finished, type TestLab } from '../helpers/lab.ts';

/** What a refused command must not have written, on a host of a running cluster. */
const WRITTEN = "find /etc /opt/slipway /usr/local /usr/lib/systemd /var/lib/slipway -xdev -newer /run/mark -not -path '/etc/cni/net.d*'";
const STARTED =
  "systemctl show -p Id,MainPID,ActiveEnterTimestampMonotonic etcd kube-apiserver kubelet kube-proxy flanneld containerd | paste -sd' '";

describe('a cluster and what belongs to it', () => {
  let lab: TestLab;
  let clusterFile: string;
  let text: string;
  let state: string;
  const aside = (): string => `${state}.aside`;

  beforeAll(async () => {
    lab = await installedLab('pair');
    clusterFile = join(lab.directory, 'cluster.yaml');
    text = await readFile(clusterFile, 'utf8');
    state = join(lab.directory, `${lab.name}.state`);
  });
  beforeEach(async () => {
    await writeFile(clusterFile, text);
    await lab.everywhere('touch /run/mark');
  });
  afterAll(() => lab.down());

  /** Runs them all; none may write anything or restart a unit on any host. */
  async function refused(code: string, commands: readonly string[], directory = lab.directory): Promise<void> {
    const before = await lab.everywhere(STARTED);
    for (const command of commands) {
      const { exitCode, stderr } = await slipwayIn(directory, command.split(' '), { env: lab.env });
      expect([command, exitCode, stderr]).toEqual([command, 5, expect.stringContaining(`[${code}]`)]);
    }
    expect(await lab.everywhere(WRITTEN)).toEqual({ 'cp-1': '', 'w-1': '' });
    expect(await lab.everywhere(STARTED)).toEqual(before);
  }

  const everyVerb = (): string[] => [
    'plan',
    'apply --yes',
    'apply --yes --limit w-1',
    'repair --yes',
    'join w-1 --yes',
    'remove w-1 --yes',
    `reset --confirm ${lab.name}`,
    `reset --limit w-1 --confirm ${lab.name}`,
    `restore --from-member cp-1 --confirm ${lab.name}`,
  ];

  test('has one id, on every host and in the API', async () => {
    const ids = Object.values(await lab.everywhere('cat /var/lib/slipway/cluster-id'));
    const told = await lab.kubectl("-n kube-system get configmap slipway-cluster -o jsonpath='{.data.id}'");
    expect(told).toMatch(/^[0-9a-f]{32}$/);
    expect(ids).toEqual([told, told]);
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
  });

  describe('without its state directory', () => {
    beforeAll(() => rename(state, aside()));
    afterAll(async () => {
      await rm(state, { recursive: true, force: true });
      await rename(aside(), state);
    });

    test('is not touched by any command', () => refused('CLUSTER_STATE_MISSING', everyVerb()));

    test('is not touched with an empty directory either', async () => {
      await mkdir(state, { mode: 0o700 });
      await refused('CLUSTER_STATE_MISSING', ['plan', 'apply --yes', 'repair --yes']);
    });

    test('is shown by status and verify, which say so first', async () => {
      const status = await lab.slipway('status');
      expect(status.exitCode).toBe(0);
      expect(status.stdout.split('\n')[0]).toContain('[CLUSTER_STATE_MISSING]');
      expect(status.stdout).toMatch(/^w-1 +worker +Ready/m);
      const verify = await lab.slipway('verify');
      expect(verify.exitCode).toBe(1);
      expect(verify.stdout).toMatch(/^FAIL +The hosts are the cluster whose keys are here\n/);
    });
  });

  test('is not touched from the file of another cluster of the same name', async () => {
    const other = join(lab.directory, 'other');
    await mkdir(other);
    const theirs = await openState(join(other, `${lab.name}.state`), { cluster: lab.name });
    for (const authority of ['kubernetes', 'etcd', 'front-proxy', 'kubelet-client'] as const) await theirs.createAuthority(authority);
    await theirs.close();
    await writeFile(join(other, 'cluster.yaml'), text.replaceAll('./', '../'));
    await refused('CLUSTER_FOREIGN', [...everyVerb(), `reset --confirm ${lab.name} --cluster-id ${'0'.repeat(32)}`], other);
  });

  test('is seen by init, which writes nothing', async () => {
    const address = /name: w-1, +address: ([\d.]+)/.exec(text)![1]!;
    const login = ['--user', 'root', '--identity-file', 'id_ed25519', '--known-hosts', 'known_hosts'];
    const { exitCode, stderr } = await lab.slipway('init', 'new.yaml', '--host', address, ...login, '--yes');
    expect([exitCode, stderr]).toEqual([
      5,
      expect.stringMatching(new RegExp(`is part of a running cluster already: ${lab.name} \\(id .*INIT_HOST_TAKEN`)),
    ]);
    await expect(readFile(join(lab.directory, 'new.yaml'))).rejects.toThrow('ENOENT');
  });

  test.each([
    ['VERSION_FIXED', 'kubernetes: { version: 1.34.4 }'],
    ['FIELD_FIXED', 'network: { podCidr: 10.200.0.0/16 }'],
    ['FIELD_FIXED', 'network: { serviceCidr: 10.97.0.0/16 }'],
    ['FIELD_FIXED', 'network: { clusterDomain: k8s.internal }'],
    ['FIELD_FIXED', 'network: { nodeCidrMaskSize: 25 }'],
    ['FIELD_FIXED', 'components: { etcd: { args: { data-dir: /srv/etcd } } }'],
  ])('keeps what is fixed: %s for %s', async (code, field) => {
    await writeFile(clusterFile, text.replace(/^spec:\n/m, `$&  ${field}\n`));
    await refused(code, ['plan', 'apply --yes', 'join w-1 --yes', 'repair --yes']);
  });

  test('keeps its pod network in one piece: another backend is for all nodes, and for whoever accepts the outage', async () => {
    await writeFile(clusterFile, text.replace(/^spec:\n/m, '$&  network: { flannel: { backend: host-gw } }\n'));
    await refused('OUTAGE_NOT_ACCEPTED', ['plan', 'apply --yes']);
    await refused('BACKEND_SPLIT', ['apply --yes --limit w-1', 'apply --yes --limit w-1 --accept-outage', 'join w-1 --yes']);
  });

  test('keeps the names of its nodes, in the file and on the host', async () => {
    await writeFile(clusterFile, text.replace('name: w-1,', 'name: w-9,'));
    await refused('NODE_RENAMED', ['plan', 'apply --yes', 'repair --yes', 'join w-9 --yes']);
    await writeFile(clusterFile, text);
    const rename = (to: string): Promise<string> =>
      lab.on('w-1', `hostname ${to} && echo ${to} >/etc/hostname && systemctl restart kubelet kube-proxy flanneld`);
    await rename('elsewhere');
    // Applied, it is verified too.
    const { stderr } = await lab.ok('apply', '--yes');
    expect(stderr).toContain('w-1: its hostname is elsewhere now, and it stays the node w-1');
    expect(await lab.kubectl('get nodes -o name')).toBe('node/cp-1\nnode/w-1');
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
    await rename('w-1');
    await lab.ok('apply', '--yes');
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
  });

  test('keeps the role of a control plane, and names a host whose line is gone', async () => {
    await writeFile(clusterFile, swapRoles(text));
    await refused('ROLE_CHANGED', ['plan', 'apply --yes', 'repair --yes']);
    await writeFile(clusterFile, text.replace(/^.*name: w-1,.*\n/m, ''));
    for (const command of ['plan', 'apply --yes', 'status']) {
      const { stderr } = await lab.ok(...command.split(' '));
      expect(stderr).toContain('w-1 is a node of the cluster, and not in the cluster file');
    }
  });

  test('is brought back by apply where a host was given the authorities of another', async () => {
    const theirs = await openState(join(lab.directory, 'other', `${lab.name}.state`), { cluster: lab.name });
    const authority = Buffer.from(await theirs.authorityCertificate('kubernetes')).toString('base64');
    await theirs.close();
    const start = 'systemctl show -p MainPID --value kubelet kube-proxy flanneld';
    // What they made for the host would lie there, too: it is theirs, whatever is in it.
    await lab.on(
      'w-1',
      `echo ${authority} | base64 -d >/etc/kubernetes/pki/ca.crt; for name in kubelet kubelet-server kube-proxy flannel; do
f=/etc/kubernetes/pki/$name.crt; [ ! -f $f ] || cp /etc/kubernetes/pki/ca.crt $f; done`,
    );
    const before = await lab.on('w-1', start);
    const back = await lab.ok('apply', '--yes');
    expect(back.stderr).toContain('stop what runs with the authorities of another cluster');
    for (const pid of before.split('\n').filter((line) => line !== ''))
      expect(await lab.on('w-1', start)).not.toMatch(new RegExp(`^${pid}$`, 'm'));
    await lab.ok('verify');
    expect((await lab.ok('apply', '--yes')).stderr).toContain('Nothing to change');
  });

  test('is given back without its directory by the id alone', async () => {
    await rename(state, aside());
    const hidden: Finished = await lab.slipway('reset', '--confirm', lab.name);
    const id = /\(id ([0-9a-f]{32})\)/.exec(hidden.stderr)![1]!;
    await lab.ok('reset', '--confirm', lab.name, '--cluster-id', id);
    expect(await lab.everywhere('ls -d /var/lib/slipway /opt/slipway /etc/kubernetes 2>/dev/null || :')).toEqual({ 'cp-1': '', 'w-1': '' });
  });
});

/** The worker becomes the control plane, and the other way round. */
function swapRoles(text: string): string {
  return text
    .replace(/(name: cp-1, +address: [\d.]+, roles: )\[[^\]]*\]/, '$1[worker]')
    .replace(/(name: w-1, +address: [\d.]+, roles: )\[[^\]]*\]/, '$1[control-plane, etcd]');
}
