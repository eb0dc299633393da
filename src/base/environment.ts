/** The variables of a process, as `process.env` has them. It is read in `src/cli` only. */
export type Environment = Readonly<Record<string, string | undefined>>;
