import type { Desired, Step } from './step.ts';

/** One unit of work as a value: what it wants to be true of the hosts, computed from the context alone. */
export interface Phase<C> {
  /** Kebab-case; the name of its file. */
  id: string;
  title: string;
  /** One sentence for help and documentation. */
  summary: string;
  plan(context: C): Desired[];
}

/** One changing verb: what must hold before it, and its phases in order. */
export interface Playbook<C> {
  verb: string;
  phases: readonly Phase<C>[];
  /** Of what is due on hosts, only this is done; default: all. */
  only?(context: C): (step: Step) => boolean;
}
