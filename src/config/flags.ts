import type { Cluster } from './cluster.ts';
import type { Problem } from './problem.ts';
import { didYouMean } from './suggest.ts';

/** The flags that a component of a certain version has, as it prints them itself. */
export interface PrintedFlags {
  version: string;
  names: readonly string[];
}

/** The flags under spec.components that a component does not have; one whose flags are not known here has none. */
export function flagProblems({ components }: Pick<Cluster, 'components'>, printed: Readonly<Record<string, PrintedFlags>>): Problem[] {
  return Object.entries(components).flatMap(([component, { args }]) => {
    const known = printed[component];
    if (known === undefined) return [];
    return Object.keys(args)
      .filter((flag) => !known.names.includes(flag))
      .map((flag) => {
        const guess = didYouMean(flag, known.names);
        return {
          path: ['spec', 'components', component, 'args', flag],
          atKey: true,
          message: `${component} ${known.version} has no flag --${flag}`,
          hint: guess === undefined ? `${component} --help lists the flags that it has.` : `Did you mean ${guess}?`,
        };
      });
  });
}
