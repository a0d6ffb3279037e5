import type { Facts } from '../../facts/facts.ts';
import { finding, list, type PreflightCheck, type PreflightContext, type PreflightFinding } from './preflight.ts';

/** Numbers that firmware prints when it has none of its own. */
const placeholders = /^(0{8}-(0{4}-){3}0{12}|f{8}-(f{4}-){3}f{12}|03000200-0400-0500-0006-000700080009|not .*)$/;

/** Virtual machines that were cloned without being made anew share what must be unique: DHCP leases, VXLAN addresses and nodes then replace each other. */
export const identity: PreflightCheck = {
  id: 'identity',
  title: 'Every host is a machine of its own',
  run(context) {
    const same = groups(context, ({ machineId, bootId, hostname }) => `${machineId} ${bootId} ${hostname}`).map((names) =>
      finding('error', names, {
        what: `${list(names)} are one and the same machine`,
        hint: 'Two entries of the cluster file lead to it: remove one, or correct its address.',
      }),
    );
    if (same.length > 0) return same;
    return [
      ...groups(context, ({ hostname }) => hostname.toLowerCase()).map((names) =>
        finding('error', names, {
          what: `they have the same hostname, ${context.hosts[names[0]!]!.hostname}`,
          hint: 'Give each a name of its own: hostnamectl set-hostname NAME.',
        }),
      ),
      ...groups(context, ({ machineId }) => machineId).map((names) =>
        finding('error', names, {
          what: 'they have the same /etc/machine-id: they were cloned',
          hint: 'On all but one of them run rm /etc/machine-id /var/lib/dbus/machine-id; systemd-machine-id-setup; then reboot it.',
        }),
      ),
      ...groups(context, ({ productUuid }) => (productUuid === undefined || placeholders.test(productUuid) ? undefined : productUuid)).map(
        (names) =>
          finding('warning', names, {
            what: 'they have the same product UUID (/sys/class/dmi/id/product_uuid): they were cloned',
            hint: 'Give each virtual machine a UUID of its own in the hypervisor; monitoring and cloud controllers tell nodes apart by it.',
          }),
      ),
      ...macs(context),
      ...addresses(context),
    ];
  },
};

function macs(context: PreflightContext): PreflightFinding[] {
  const privateAddresses = new Map(context.cluster.hosts.map((host) => [host.name, host.privateAddress]));
  const mac = (facts: Facts, name: string): string | undefined =>
    facts.interfaces.find(({ addresses }) => addresses.some(({ address }) => address === privateAddresses.get(name)))?.mac || undefined;
  return groups(context, mac).map((names) =>
    finding('error', names, {
      what: `the interfaces with their private addresses have the same MAC address, ${mac(context.hosts[names[0]!]!, names[0]!)!}`,
      hint: 'Give each virtual machine a MAC address of its own in the hypervisor.',
    }),
  );
}

/** A private address that another host has on an interface as well: two machines would answer for it. */
function addresses({ cluster, hosts }: PreflightContext): PreflightFinding[] {
  return cluster.hosts.flatMap(({ name, privateAddress }) => {
    if (privateAddress === undefined) return [];
    const holders = cluster.hosts.filter(
      (other) =>
        other.name !== name && hosts[other.name]?.interfaces.some((i) => i.addresses.some(({ address }) => address === privateAddress)),
    );
    const sharers = cluster.hosts.filter((other) => other.name !== name && other.privateAddress === privateAddress);
    const names = cluster.hosts
      .filter((other) => other.name === name || holders.includes(other) || sharers.includes(other))
      .map((other) => other.name);
    if (names.length < 2 || names[0] !== name) return [];
    return [
      finding('error', names, {
        what: `they have the same private address, ${privateAddress}`,
        hint: 'Give each host an address of its own, or set privateAddress in the cluster file to one that it alone has.',
      }),
    ];
  });
}

/** Names of hosts that share a key, for every key that is shared. */
function groups({ cluster, hosts }: PreflightContext, key: (facts: Facts, name: string) => string | undefined): string[][] {
  const found = new Map<string, string[]>();
  for (const { name } of cluster.hosts) {
    const facts = hosts[name];
    const value = facts === undefined ? undefined : key(facts, name);
    if (value !== undefined && value !== '') found.set(value, [...(found.get(value) ?? []), name]);
  }
  return [...found.values()].filter((names) => names.length > 1);
}
