import type { Desired, Step } from './step.ts';

/** One unit of work as a value: what it wants to be true of the hosts, computed from the context alone. */
export interface Phase<C> {
  /** Kebab-case, as `--skip-phase` takes it. */
  id: string;
  title: string;
  /** One sentence for help and documentation. */
  summary: string;
  plan(context: C): Desired[];
}

/** What one changing verb does: its phases in order. What must hold before it is in src/verbs. */
export interface Playbook<C> {
  verb: string;
  phases: readonly Phase<C>[];
  /** Ids of phases that are left out of this run: what they want counts as being so. */
  skip?: readonly string[];
  /** Of what is due on hosts, only this is done; default: all. */
  only?(context: C): (step: Step) => boolean;
}
