// Random histories with real Nix, git and a forge; hundreds of them in memory are in test/update-histories.test.ts.
import { expect, test } from "vitest";
import { liveRealHistory } from "../support/real-history.ts";

/** HISTORY_SEEDS=200 for a campaign; HISTORY_FIRST_SEED=7 HISTORY_SEEDS=1 for one history again. */
const seeds = Number(process.env["HISTORY_SEEDS"] ?? 20);
const firstSeed = Number(process.env["HISTORY_FIRST_SEED"] ?? 1);
/** They mostly wait for Nix. */
const atOnce = 4;

test(
  `an update lands only what builds, and names nobody innocent: ${seeds} histories from seed ${firstSeed}`,
  { timeout: 300_000 + seeds * 120_000 },
  async () => {
    const faults: string[] = [];
    let next = firstSeed;
    async function live(): Promise<void> {
      for (let seed = next++; seed < firstSeed + seeds; seed = next++) {
        for (const fault of await liveRealHistory(seed)) faults.push(`HISTORY_FIRST_SEED=${seed}: ${fault}`);
      }
    }
    await Promise.all(Array.from({ length: atOnce }, live));
    expect(faults).toEqual([]);
  },
);
