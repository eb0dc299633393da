// What a bench is given and what it gives back.

/** Another program that does the same: nix-fast-build, and a nix-eval-jobs that fits the Nix in PATH. */
export interface Peer {
  readonly fastBuild: string;
  readonly evalJobs: string;
}

export interface BenchContext {
  /** Run beside ours, where it is asked for. */
  readonly peer?: Peer;
  /** `dist/cli/main.js` of the sources as they are now: what is measured is what is shipped. */
  readonly program: string;
  /** For the bench's own files. */
  readonly directory: string;
}

/** One line of the table. */
export interface BenchResult {
  readonly what: string;
  /** With its unit. */
  readonly ours: string;
  /** What was run in turns with ours, and its value with its unit; absent where there is nothing to compare with. */
  readonly baseline?: string;
  /** Ours divided by the baseline. */
  readonly ratio?: number;
  /** Absent for numbers that are only there to be read beside others. */
  readonly goal?: Goal;
}

export interface Goal {
  /** `≤ 0.50` */
  readonly text: string;
  readonly met: boolean;
}

export type Bench = (context: BenchContext) => Promise<readonly BenchResult[]>;

/** @param unit stands behind the bound; the value is in it already */
export const atMost = (value: number, bound: number, unit = ""): Goal => ({
  text: `≤ ${bound}${unit}`,
  met: value <= bound,
});

export const atLeast = (value: number, bound: number, unit = ""): Goal => ({
  text: `≥ ${bound}${unit}`,
  met: value >= bound,
});

export const exactly = (value: number, expected: number): Goal => ({
  text: `${expected}`,
  met: value === expected,
});

export const seconds = (value: number): string => `${value.toFixed(value < 1 ? 3 : 2)} s`;
export const milliseconds = (value: number): string => `${value.toFixed(1)} ms`;
export const mebibytes = (bytes: number): string => `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
