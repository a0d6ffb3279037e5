import type { Desired, Step } from '../../src/engine/step.ts';

type Names = 'id' | 'needs' | 'after' | 'onlyIfAny' | 'triggeredBy';

/** What a test says of a step, with the names of steps spelt out. */
export type Spelt<S extends Desired | Step> = Omit<S, Names> & { id: string } & Partial<Record<Exclude<Names, 'id'>, readonly string[]>>;

/** The step of a plan that is spelt out. */
export const stepOf = ({ needs = [], ...rest }: Spelt<Step>): Step => ({ ...rest, needs }) as Step;
export const desiredOf = (desired: Spelt<Desired>): Desired => desired as Desired;
