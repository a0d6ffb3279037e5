import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, describe, expect, test } from '@jest/globals';
import { osModule, osRefusal } from '../../../src/facts/os/index.ts';
import { atLeast } from '../../../src/facts/os/os.ts';
import { parseFacts } from '../../../src/facts/parse.ts';

/** os-release(5) as these systems ship it, without the lines that nobody reads. */
const releases = {
  'Debian 11': 'ID=debian\nVERSION_ID="11"\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"',
  'Debian 12': 'ID=debian\nVERSION_ID="12"',
  'Debian 13': 'ID=debian\nVERSION_ID="13"',
  'Debian sid': 'ID=debian\nPRETTY_NAME="Debian GNU/Linux forky/sid"',
  'Debian 10': 'ID=debian\nVERSION_ID="10"',
  'Ubuntu 24.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"',
  'Ubuntu 18.04': 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="18.04"',
  'Raspbian 12': 'ID=raspbian\nID_LIKE=debian\nVERSION_ID="12"',
  'Rocky 9': 'ID="rocky"\nID_LIKE="rhel centos fedora"\nVERSION_ID="9.6"',
  'RHEL 8': 'ID="rhel"\nID_LIKE="fedora"\nVERSION_ID="8.10"',
  'CentOS 7': 'ID="centos"\nID_LIKE="rhel fedora"\nVERSION_ID="7"',
  'Oracle 10': 'ID="ol"\nID_LIKE="fedora"\nVERSION_ID="10.0"',
  'Fedora 43': 'ID=fedora\nVERSION_ID=43',
  'Amazon 2023': 'ID="amzn"\nID_LIKE="fedora"\nVERSION_ID="2023"',
  'openEuler 22.03': 'ID="openEuler"\nVERSION_ID="22.03"',
  'SLES 15': 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="15.6"',
  'SLES 12': 'ID="sles"\nID_LIKE="suse"\nVERSION_ID="12.5"',
  'Leap 15': 'ID="opensuse-leap"\nID_LIKE="suse opensuse"\nVERSION_ID="15.6"',
  Tumbleweed: 'ID="opensuse-tumbleweed"\nID_LIKE="opensuse suse"\nVERSION_ID="20261120"',
  MicroOS: 'ID="opensuse-microos"\nID_LIKE="suse opensuse opensuse-tumbleweed"\nVERSION_ID="20261120"',
  Alpine: 'ID=alpine\nVERSION_ID=3.22.1',
  Arch: 'ID=arch',
  Flatcar: 'ID=flatcar\nID_LIKE=coreos\nVERSION_ID=4230.2.1',
} as const;

const factsOf = (name: keyof typeof releases) => parseFacts(`@facts begin\n@facts os\n${releases[name]}\n@facts end\n`, 0);

describe('recognition', () => {
  test.each([
    ['Debian 11', 'apt', true],
    ['Debian 12', 'apt', true],
    ['Debian 13', 'apt', true],
    ['Debian sid', 'apt', false],
    ['Ubuntu 24.04', 'apt', false],
    ['Raspbian 12', 'apt', false],
    ['Rocky 9', 'dnf', false],
    ['RHEL 8', 'dnf', false],
    ['Oracle 10', 'dnf', false],
    ['Fedora 43', 'dnf', false],
    ['Amazon 2023', 'dnf', false],
    ['openEuler 22.03', 'dnf', false],
    ['SLES 15', 'zypper', false],
    ['Leap 15', 'zypper', false],
    ['Tumbleweed', 'zypper', false],
  ] as const)('%s uses %s', (name, packageManager, proven) => {
    expect(osRefusal(factsOf(name))).toBeUndefined();
    expect(osModule(factsOf(name))).toMatchObject({ packageManager, proven });
  });

  test.each([
    ['Debian 10', 'Debian 11 is the oldest release supported'],
    ['Ubuntu 18.04', 'Ubuntu 20.04 is the oldest release supported'],
    ['CentOS 7', 'release 8 is the oldest supported of this family'],
    ['SLES 12', 'release 15 is the oldest supported of this family'],
    ['MicroOS', 'its root file system changes only by transactional updates, which are not supported'],
    ['Alpine', 'nothing is known about this system'],
    ['Arch', 'nothing is known about this system'],
    ['Flatcar', 'nothing is known about this system'],
  ] as const)('%s is refused: %s', (name, reason) => {
    expect(osRefusal(factsOf(name))).toBe(reason);
    expect(osModule(factsOf(name))).toBeUndefined();
  });

  test('names of packages are the distribution’s', () => {
    const names = (name: keyof typeof releases) => {
      const { iptables, conntrack, nfs, iproute } = osModule(factsOf(name))!.packageNames;
      return [iptables, conntrack, nfs, iproute];
    };
    expect(names('Debian 12')).toEqual(['iptables', 'conntrack', 'nfs-common', 'iproute2']);
    expect(names('Rocky 9')).toEqual(['iptables-nft', 'conntrack-tools', 'nfs-utils', 'iproute']);
    expect(names('openEuler 22.03')).toEqual(['iptables', 'conntrack-tools', 'nfs-utils', 'iproute']);
    expect(names('SLES 15')).toEqual(['iptables', 'conntrack-tools', 'nfs-client', 'iproute2']);
  });
});

describe('versions', () => {
  test.each([
    ['9.6', '8', true],
    ['8', '8', true],
    ['8.10', '8.9', true],
    ['7.9', '8', false],
    ['6.1.0-40-amd64', '5.13', true],
    ['5.4.0', '5.13', false],
    ['', '11', false],
    ['15', '15.0', true],
  ])('%s is at least %s: %s', (version, minimum, answer) => {
    expect(atLeast(version, minimum)).toBe(answer);
  });
});

describe('package commands', () => {
  const everywhere = ['Debian 12', 'Rocky 9', 'openEuler 22.03', 'SLES 15'] as const;

  test.each(everywhere)('are POSIX sh on %s', (name) => {
    const system = osModule(factsOf(name))!;
    const texts = [
      system.installCommand(['haproxy', 'conntrack'], { refresh: true }),
      system.installCommand(['zstd'], { refresh: false }),
      system.removeCommand(['haproxy'], { archives: '/opt/slipway', before: '/nowhere' }),
      ...(system.installFilesCommand
        ? [system.installFilesCommand(['haproxy'], { directory: "/opt/it's here", wanted: ['haproxy', 'iptables'] })]
        : []),
    ];
    for (const text of texts) expect(spawnSync('sh', ['-n'], { input: text, encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
  });

  /** Runs a command with functions in the place of the system's tools; each prints its name and what it was given. */
  /** As the steps run it: the first command that fails ends it. */
  function run(text: string, tools: Readonly<Record<string, string>>): { status: number | null; lines: string[] } {
    // Never the machine's own dpkg.
    const functions = Object.entries({ dpkg: 'return 1', ...tools }).map(([name, body]) => `${name.replace('-', '_')}() { ${body}\n}`);
    const renamed = Object.keys(tools).reduce((result, name) => result.replaceAll(name, name.replace('-', '_')), text);
    const { status, stdout } = spawnSync('sh', ['-e'], { input: `${functions.join('\n')}\n${renamed}`, encoding: 'utf8' });
    return { status, lines: stdout.split('\n').filter(Boolean) };
  }

  const debian = osModule(factsOf('Debian 12'))!;
  const apt = 'apt_get -q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold';

  test('install what is missing, without recommendations and questions', () => {
    const { status, lines } = run(debian.installCommand(['conntrack', 'zstd'], { refresh: false }), {
      'dpkg-query': 'case $4 in zstd) echo installed ;; esac',
      'apt-get': 'echo "apt_get $* ($DEBIAN_FRONTEND)"',
    });
    expect([status, lines]).toEqual([0, [`${apt} --no-install-recommends install conntrack (noninteractive)`]]);
  });

  test('do nothing when all is there', () => {
    expect(
      run(debian.installCommand(['conntrack'], { refresh: true }), { 'dpkg-query': 'echo installed', 'apt-get': 'echo called' }),
    ).toEqual({ status: 0, lines: [] });
  });

  test('read the lists when the installation fails without them, and try once more', () => {
    const lists = join(mkdtempSync(join(tmpdir(), 'slipway-os-')), 'lists');
    const { status, lines } = run(debian.installCommand(['conntrack'], { refresh: false }), {
      'dpkg-query': 'return 1',
      'apt-get': `case $* in
        *update*) : >${lists} ;;
        *) echo "$*" | sed 's/.*confold //'; [ -e ${lists} ] ;;
      esac`,
    });
    rmSync(dirname(lists), { recursive: true });
    expect([status, lines]).toEqual([0, ['--no-install-recommends install conntrack', '--no-install-recommends install conntrack']]);
  });

  test('wait while another apt reads the lists, and give up on any other failure', () => {
    const { status, lines } = run(debian.installCommand(['conntrack'], { refresh: true }).replaceAll('sleep 1', 'echo waited'), {
      'dpkg-query': 'return 1',
      'apt-get':
        'case $* in *install*) echo installed ;; *update*) if [ "$f_tries" -lt 2 ]; then echo "E: Could not get lock /var/lib/apt/lists/lock"; return 100; fi ;; esac',
    });
    expect([status, lines]).toEqual([0, ['waited', 'waited', 'installed']]);
    expect(
      run(debian.installCommand(['conntrack'], { refresh: true }), {
        'dpkg-query': 'return 1',
        'apt-get': 'echo "E: no network"; return 100',
      }),
    ).toEqual({ status: 1, lines: [] });
  });

  describe('from files', () => {
    const directory = mkdtempSync(join(tmpdir(), 'slipway-os-'));
    afterAll(() => rmSync(directory, { recursive: true }));
    const text = debian.installFilesCommand!(['conntrack'], { directory, wanted: ['conntrack'] });

    /** Of these files the host has libc6, and an older one; as in a step, the first command that fails ends it. */
    function install(dpkg: string): { status: number | null; lines: string[]; called: string[] } {
      for (const name of ['conntrack', 'libmnl0', 'libc6']) writeFileSync(join(directory, `${name}.deb`), '');
      const log = join(directory, 'log');
      const { status, lines } = run(`set -e\n${text}`, {
        'dpkg-query': 'case "$*" in *Status*libc6) echo installed ;; *Version*libc6) echo 1 ;; *) return 1 ;; esac',
        'dpkg-deb': 'echo "${4%.deb} 2"',
        'apt-mark': `echo "mark $*" >>${log}`,
        dpkg: `case $1 in --compare-versions) [ "$2" -lt "$4" ] ;; *) echo "$*" | sed 's/--force-confold //' >>${log}; ${dpkg} ;; esac`,
      });
      const called = readFileSync(log, 'utf8').split('\n').filter(Boolean);
      rmSync(log);
      return { status, lines, called };
    }

    test('install what is missing, and mark what nobody asked for', () => {
      expect(install(':')).toEqual({ status: 0, lines: [], called: ['--install ./conntrack.deb ./libmnl0.deb', 'mark auto libmnl0'] });
    });

    test('bring up what is too old only when it does not go without', () => {
      expect(install('case "$*" in *libc6*) ;; *) return 1 ;; esac').called).toEqual([
        '--install ./conntrack.deb ./libmnl0.deb',
        '--install ./conntrack.deb ./libmnl0.deb ./libc6.deb',
        'mark auto libmnl0',
      ]);
    });

    test('leave nothing half installed, and say why', () => {
      const { status, called } = install('echo broken; return 1');
      expect([status, called.at(-1)]).toEqual([1, '--purge --force-depends conntrack libmnl0']);
    });
  });

  test('unpack again what dpkg calls unpacked and will not touch, before anything is removed', () => {
    const archives = mkdtempSync(join(tmpdir(), 'slipway-os-'));
    const deb = join(archives, 'liblua_1_amd64.deb');
    writeFileSync(deb, '');
    const { status, lines } = run(debian.removeCommand(['haproxy'], { archives, before: '/nowhere' }), {
      'dpkg-query': `case $* in *Eflag*) echo 'reinstreq liblua'; echo 'ok haproxy' ;; *) echo 'unpacked liblua'; echo 'installed haproxy' ;; esac`,
      dpkg: 'case $1 in --audit) ;; *) echo "$*" ;; esac',
      'apt-get': `case $* in '-s autoremove') ;; *) echo "$*" | sed 's/.*confold //' ;; esac`,
    });
    rmSync(archives, { recursive: true });
    expect([status, lines]).toEqual([0, [`--force-depends --force-confold --unpack ${deb}`, 'purge haproxy']]);
  });

  test('remove what only the packages had brought along, and leave the administrator’s own orphans', () => {
    const purged = join(mkdtempSync(join(tmpdir(), 'slipway-os-')), 'purged');
    const { status, lines } = run(debian.removeCommand(['haproxy', 'never-there'], { archives: '/opt/slipway', before: '/nowhere' }), {
      'dpkg-query': 'echo installed haproxy',
      'apt-get': `case $* in
        '-s autoremove') echo 'Remv old-kernel [1]'; if [ -e ${purged} ]; then echo 'Remv liblua [5]'; fi ;;
        *) echo "$*" | sed 's/.*confold //'; : >${purged} ;;
      esac`,
    });
    rmSync(dirname(purged), { recursive: true });
    expect([status, lines]).toEqual([0, ['purge haproxy', 'purge liblua']]);
  });
});
