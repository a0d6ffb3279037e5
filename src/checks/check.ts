/** Something that stands in the way (error) or that somebody should know (warning). */
export interface Finding {
  /** The id of the check that found it. */
  check: string;
  severity: 'error' | 'warning';
  /** The hosts it is true of; empty: the cluster as a whole, or the operator's machine. */
  hosts: readonly string[];
  /** What was found, without the hosts' names. */
  what: string;
  /** The way out: a sentence or a command. */
  hint: string;
}

/** A check as a value. Preflight checks are pure and answer at once; those that look at a running cluster answer with a promise. */
export interface Check<Context, Answer = readonly Omit<Finding, 'check'>[]> {
  id: string;
  title: string;
  run(context: Context): Answer;
}
