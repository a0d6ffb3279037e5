import { expect, test } from '@jest/globals';
import { flagsIn, ownArchitecture } from '../../../src/artifacts/help.ts';

test.each([
  [
    'Kubernetes',
    `The kubelet takes a set of PodSpecs; see --config.

Usage:
  kubelet [flags]

Flags:
      --max-pods int32                                           Number of Pods. (default 110) (DEPRECATED: see the Kubelet's
                                                                 --config flag.)
      --feature-gates mapStringBool                              A set of key=value pairs. Options are:
                                                                 APIServerTracing=true|false (BETA - default=true)
  -h, --help                                                     help for kubelet
  -v, --v Level                                                  number for the log level verbosity
      --vmodule pattern=N,...                                    comma-separated list
`,
    ['max-pods', 'feature-gates', 'help', 'v', 'vmodule'],
  ],
  [
    'etcd',
    `Usage:

  etcd [flags]
    Start an etcd server.

Member:
  --name 'default'
    Human-readable name for this member.
  --data-dir '\${name}.etcd'
    Path to the data directory.
  --memory-mlock
    Enable to enforce etcd pages to stay in RAM. Use '--name' instead.
`,
    ['name', 'data-dir', 'memory-mlock'],
  ],
  [
    'containerd',
    `GLOBAL OPTIONS:
   --config string, -c string     Path to the configuration file (default: "/etc/containerd/config.toml")
   --log-level string, -l string  Set the logging level
   --help, -h                     Show help
`,
    ['config', 'log-level', 'help'],
  ],
  [
    "Go's flag package, as in flannel",
    `Usage: flanneld [OPTION]...
  -iface value
    \tinterface to use (IP or name). Can be specified multiple times
  -v value
    \tnumber for the log level verbosity
`,
    ['iface', 'v'],
  ],
  ['something else', 'flanneld: not found\n', []],
])('the flags in the help of %s', (_, text, flags) => {
  expect(flagsIn(text)).toEqual(flags);
});

test('this machine runs Linux binaries of its own processor only', () => {
  expect(ownArchitecture({ platform: 'linux', arch: 'x64' })).toBe('amd64');
  expect(ownArchitecture({ platform: 'linux', arch: 'arm64' })).toBe('arm64');
  expect(ownArchitecture({ platform: 'linux', arch: 'riscv64' })).toBeUndefined();
  expect(ownArchitecture({ platform: 'darwin', arch: 'arm64' })).toBeUndefined();
});
