import { homedir, userInfo } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { Cluster, Host } from '../config/cluster.ts';
import type { Target } from '../remote/target.ts';

/** How to reach the hosts of a cluster file. */
export function targetsOf(cluster: Cluster, clusterFile: string): Target[] {
  return cluster.hosts.map((host) => targetOf(host, clusterFile));
}

function targetOf({ name, address, ssh }: Host, clusterFile: string): Target {
  const path = (text: string): string => (text.startsWith('~/') ? join(homedir(), text.slice(2)) : resolve(dirname(clusterFile), text));
  return {
    name,
    address,
    port: ssh.port ?? 22,
    user: ssh.user ?? userInfo().username,
    identityFiles: ssh.identityFile === undefined ? [] : [path(ssh.identityFile)],
    agent: ssh.identityFile === undefined,
    become: ssh.become,
    hostKeys: ssh.hostKeys,
    knownHosts: ssh.knownHosts === undefined ? [join(homedir(), '.ssh', 'known_hosts'), '/etc/ssh/ssh_known_hosts'] : [path(ssh.knownHosts)],
    jump: [],
    connectTimeoutMs: 15_000,
  };
}
