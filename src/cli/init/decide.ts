import { SlipwayError } from '../../base/errors.ts';
import { isIPv4, parseNetwork } from '../../config/addresses.ts';
import type { Role } from '../../config/cluster.ts';
import type { Facts } from '../../facts/facts.ts';
import { type Draft, keyOf } from './draft.ts';
import { chooseNetworks, hasAddress, isPublic, networksOf, placeIn, sharedNetworks, type Place } from './networks.ts';
import { assignRoles, possibleCounts, proposeRoles, whyCount, whyShared } from './roles.ts';
import type { Wizard } from './wizard.ts';

/** Where the cluster's own traffic goes. A host keeps its login address unless that is not its own, or a better network is wanted. */
export async function decidePrivate({ options, questions, say }: Wizard, draft: Draft): Promise<ReadonlyMap<string, Place>> {
  const known = draft.hosts
    .map((host) => ({ key: keyOf(host), address: host.address, facts: draft.facts.get(keyOf(host)) }))
    .filter((host) => host.facts !== undefined) as Known[];
  if (options.privateNetwork !== undefined) return new Map(known.map((host) => [host.key, named(host, options.privateNetwork!)]));
  const shared = sharedNetworks(known.map(({ facts }) => facts));
  const strangers = known.filter(({ address, facts }) => isIPv4(address) && (address.startsWith('127.') || !hasAddress(facts, address)));
  const other = shared.find(
    ({ places }) => !isPublic(places[0]!.address) && places.some((place, i) => place.address !== known[i]!.address),
  );
  if (strangers.length > 0) {
    const usual = known.map(({ facts }) => ownPlace(facts)?.address);
    const best = shared.find(({ places }) => places.every((place, i) => place.address === usual[i])) ?? other;
    if (best !== undefined) return new Map(known.map(({ key }, i) => [key, best.places[i]!]));
    return new Map(
      strangers.flatMap(({ key, facts }) => {
        const place = ownPlace(facts);
        return place === undefined ? [] : [[key, place] as const];
      }),
    );
  }
  if (
    other === undefined ||
    known.length < draft.hosts.length ||
    !known.some(({ address }) => isPublic(address)) ||
    questions === undefined
  )
    return new Map();
  say(`All hosts also have an address in ${other.cidr} (${[...new Set(other.places.map((place) => place.interface))].join(', ')}).`);
  const wanted = await questions.confirm({ message: "Shall the cluster's own traffic go there?", default: true });
  return wanted ? new Map(known.map(({ key }, i) => [key, other.places[i]!])) : new Map();
}

interface Known {
  key: string;
  address: string;
  facts: Facts;
}

function named({ key, facts }: Known, cidr: string): Place {
  if (parseNetwork(cidr) === undefined)
    throw new SlipwayError(`--private-network ${cidr} is not an IPv4 network`, {
      code: 'NETWORK_INVALID',
      category: 'usage',
      hint: 'For instance --private-network 10.0.0.0/24.',
    });
  const place = placeIn(facts, cidr);
  if (place !== undefined) return place;
  const has = networksOf(facts).map(({ cidr: own }) => own);
  throw new SlipwayError(`${key} has no address in ${cidr}`, {
    code: 'NETWORK_NOT_FOUND',
    category: 'usage',
    where: { host: key },
    hint: `It is in ${has.join(', ')}.`,
  });
}

/** The address that the host itself would use. */
function ownPlace(facts: Facts): Place | undefined {
  const way = facts.routes.find(({ destination }) => destination === 'default');
  const places = networksOf(facts).map(({ place }) => place);
  return places.find(({ address }) => address === way?.source) ?? places.find((place) => place.interface === way?.device) ?? places[0];
}

/** Who is a control plane, and why. */
export async function decideRoles(
  { options, questions, say }: Wizard,
  draft: Draft,
): Promise<{ roles: ReadonlyMap<string, readonly Role[]>; remarks: readonly string[] }> {
  const keys = draft.hosts.map(keyOf);
  if (
    options.controlPlanes !== undefined &&
    (!Number.isInteger(options.controlPlanes) || options.controlPlanes < 1 || options.controlPlanes > keys.length)
  ) {
    throw new SlipwayError(
      `${options.controlPlanes} control planes cannot be made of ${keys.length} ${keys.length === 1 ? 'host' : 'hosts'}`,
      {
        code: 'CONTROL_PLANES_INVALID',
        category: 'usage',
        hint: `Say --control-planes with ${possibleCounts(keys.length).join(', ')}.`,
      },
    );
  }
  const proposal = proposeRoles(keys.length, options.controlPlanes);
  const byStrength = strongestFirst(keys, draft.facts);
  if (questions === undefined || keys.length === 1) {
    const chosen = new Set(byStrength.slice(0, proposal.controlPlanes));
    for (const reason of proposal.why) say(reason);
    return { roles: assignRoles(keys, { chosen, shared: proposal.shared }), remarks: proposal.why };
  }
  const count =
    options.controlPlanes ??
    (keys.length === 2 ? proposal.controlPlanes : await askCount(questions, { hosts: keys.length, proposed: proposal.controlPlanes }));
  const proposed = byStrength.slice(0, count);
  const chosen = new Set(
    await questions.pick({
      message: count === 1 ? 'Which host shall be the control plane?' : `Which ${count} hosts shall be control planes?`,
      choices: keys.map((key) => ({ value: key, name: label(key, draft.facts.get(key)), checked: proposed.includes(key) })),
      validate: (picked) => (picked.length === count ? undefined : `${picked.length} are chosen, and it should be ${count}`),
    }),
  );
  const shared = proposeRoles(keys.length, count).shared;
  const workers = keys.length - count;
  const share =
    workers === 0 ? true : await questions.confirm({ message: 'Shall control planes take ordinary pods too?', default: shared });
  return {
    roles: assignRoles(keys, { chosen, shared: share }),
    remarks: [whyCount(count, keys.length), whyShared(share, { controlPlanes: count, workers })],
  };
}

async function askCount(
  questions: NonNullable<Wizard['questions']>,
  { hosts, proposed }: { hosts: number; proposed: number },
): Promise<number> {
  const answer = await questions.choose({
    message: 'How many control planes?',
    choices: possibleCounts(hosts).map((count) => ({
      value: String(count),
      name: `${count}${count === proposed ? ' (proposed)' : ''}`,
      description: whyCount(count, hosts),
    })),
    default: String(proposed),
  });
  return Number(answer);
}

function label(key: string, facts: Facts | undefined): string {
  return facts === undefined ? key : `${key} (${facts.hostname}, ${facts.cpus} CPUs, ${(facts.memory.total / 2 ** 30).toFixed(1)} GiB)`;
}

/** Memory for the API server and etcd with some air; below this a host comes last. */
const ENOUGH = 1.4 * 2 ** 30;

/** As typed, but hosts that are too small or could not be looked at come last. */
function strongestFirst(keys: readonly string[], facts: ReadonlyMap<string, Facts>): string[] {
  const weak = (key: string): number => {
    const own = facts.get(key);
    return own === undefined ? (facts.size === 0 ? 0 : 2) : own.memory.total < ENOUGH ? 1 : 0;
  };
  return [...keys].sort((a, b) => weak(a) - weak(b));
}

/** Networks of the cluster that clash with none of the hosts'. */
export function decideNetworks({ say }: Wizard, draft: Draft): Draft['networks'] {
  const chosen = chooseNetworks([...draft.facts.values()], draft.hosts.length);
  if (chosen.podCidr !== '10.244.0.0/16') say(`Pods get addresses from ${chosen.podCidr}, as the usual network is taken or too small.`);
  if (chosen.serviceCidr !== '10.96.0.0/16') say(`Services get addresses from ${chosen.serviceCidr}, as the usual network is taken.`);
  return chosen;
}
