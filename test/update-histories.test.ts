import { expect, test } from "vitest";
import { simulateHistory } from "./support/simulated-history.ts";

/** HISTORY_SEEDS=10000 for a campaign; HISTORY_FIRST_SEED=7 HISTORY_SEEDS=1 for one history again. */
const seeds = Number(process.env["HISTORY_SEEDS"] ?? 200);
const firstSeed = Number(process.env["HISTORY_FIRST_SEED"] ?? 1);

test(
  `an update lands only what builds, and names nobody innocent: ${seeds} histories from seed ${firstSeed}`,
  { timeout: 60_000 + seeds * 2000 },
  async () => {
    const faults: string[] = [];
    for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
      for (const fault of await simulateHistory(seed)) faults.push(`HISTORY_FIRST_SEED=${seed}: ${fault}`);
    }
    expect(faults).toEqual([]);
  },
);
