// What the test runs amount to: the counts that are printed last, and what stands behind them.

export interface SkippedTest {
  readonly test: string;
  readonly reason: string;
}

/** The outcome of one or more test runs. */
export interface Totals {
  readonly passed: number;
  /** One entry for each test that failed, and for each failure that belongs to no test. */
  readonly failures: readonly string[];
  readonly skipped: readonly SkippedTest[];
}

export const noTests: Totals = { passed: 0, failures: [], skipped: [] };

export function sum(totals: readonly Totals[]): Totals {
  return {
    passed: totals.reduce((passed, each) => passed + each.passed, 0),
    failures: totals.flatMap((each) => each.failures),
    skipped: totals.flatMap((each) => each.skipped),
  };
}

/** How many tests ran at all: a run of none proves nothing. */
export function executed(totals: Totals): number {
  return totals.passed + totals.failures.length;
}

/** `12 passed, 0 failed`, and `, 1 skipped` when there are any. */
export function totalsLine(totals: Totals): string {
  const skipped = totals.skipped.length === 0 ? "" : `, ${totals.skipped.length} skipped`;
  return `${totals.passed} passed, ${totals.failures.length} failed${skipped}`;
}
