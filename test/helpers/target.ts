import type { Target } from '../../src/remote/target.ts';

/** An SSH server of the tests as a host: one key, strict host keys, no agent and nobody else to become. */
export function targetOf(server: { port: number; user: string; identityFile: string; knownHosts: string }): Target {
  const { port, user, identityFile, knownHosts } = server;
  return {
    name: 'host-1',
    address: '127.0.0.1',
    port,
    user,
    identityFiles: [identityFile],
    agent: false,
    agentSocket: 'none',
    become: 'none',
    hostKeys: 'strict',
    knownHosts: [knownHosts],
    jump: [],
    connectTimeoutMs: 10_000,
  };
}
