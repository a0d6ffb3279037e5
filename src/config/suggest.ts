/** Words of other installers for what we call differently. */
const SYNONYMS: Readonly<Record<string, string>> = {
  master: 'control-plane',
  controlplane: 'control-plane',
  control_plane: 'control-plane',
  controller: 'control-plane',
  server: 'control-plane',
  agent: 'worker',
  node: 'worker',
  minion: 'worker',
  wireguardnative: 'wireguard',
  hostgw: 'host-gw',
  apiserver: 'kube-apiserver',
  controllermanager: 'kube-controller-manager',
  scheduler: 'kube-scheduler',
  proxy: 'kube-proxy',
  flannel: 'flanneld',
  networking: 'network',
  ip: 'address',
  host: 'address',
  hostname: 'name',
  nodes: 'hosts',
  keyfile: 'identityFile',
  keypath: 'identityFile',
  sshkey: 'identityFile',
  privatekey: 'identityFile',
  podsubnet: 'podCidr',
  podnetworkcidr: 'podCidr',
  servicesubnet: 'serviceCidr',
  bastion: 'jump',
  proxyjump: 'jump',
  internaladdress: 'privateAddress',
  privateip: 'privateAddress',
  nic: 'interface',
  privateinterface: 'interface',
  extraargs: 'args',
  flags: 'args',
};

/** The word that was probably meant: same but for case and dashes, a synonym of other installers, or at most a third of its letters away. */
export function didYouMean(word: string, known: readonly string[]): string | undefined {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '');
  const same = known.find((candidate) => plain(candidate) === plain(word));
  if (same !== undefined) return same;
  const synonym = Object.hasOwn(SYNONYMS, plain(word)) ? SYNONYMS[plain(word)] : undefined;
  if (synonym !== undefined && known.includes(synonym)) return synonym;
  let best: { candidate: string; distance: number } | undefined;
  for (const candidate of known) {
    const distance = editDistance(word.toLowerCase(), candidate.toLowerCase());
    if (best === undefined || distance < best.distance) best = { candidate, distance };
  }
  if (best === undefined) return undefined;
  return best.distance <= Math.max(1, Math.floor(Math.min(word.length, best.candidate.length) / 3)) ? best.candidate : undefined;
}

/** Insertions, deletions, substitutions and swaps of neighbours (optimal string alignment); words are cut to 64 letters. */
export function editDistance(from: string, to: string): number {
  const a = from.slice(0, 64);
  const b = to.slice(0, 64);
  let beforeLast: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let cost = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) cost = Math.min(cost, beforeLast[j - 2]! + 1);
      row.push(cost);
    }
    beforeLast = last;
    last = row;
  }
  return last[b.length]!;
}
