// `npm run campaign -- --seed S --kills 200 --builds 500`: see campaign.ts. Then random histories of updates, one after
// the other: see test/support/update-history.ts. Ends with 0 only when nothing was lost, duplicated, wrong or endless.
import { parseArgs } from "node:util";
import { runCampaign } from "./campaign.ts";
import { liveRealHistory } from "../support/real-history.ts";
import { faultKinds, type Fault } from "./judge-build.ts";

const { values } = parseArgs({
  options: {
    seed: { type: "string" },
    kills: { type: "string", default: "200" },
    builds: { type: "string", default: "500" },
    updates: { type: "string", default: "20" },
    histories: { type: "string", default: "50" },
  },
});

function count(name: keyof typeof values): number {
  const number = Number(values[name] ?? Date.now() % 1_000_000);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`error: --${name} must be a whole number`);
  process.exit(2);
}

const [seed, kills, builds, updates] = [count("seed"), count("kills"), count("builds"), count("updates")];
const histories = count("histories");
console.log(
  `campaign --seed ${seed} --kills ${kills} --builds ${builds} --updates ${updates} --histories ${histories}`,
);
const say = (line: string): void =>
  console.log(`${((performance.now() - started) / 1000).toFixed(0).padStart(5)} s  ${line}`);
const started = performance.now();
const result = await runCampaign({
  seed,
  kills,
  builds,
  updates,
  settleMs: 180_000,
  say,
});
const faults: Fault[] = [...result.faults];
for (let history = seed; history < seed + histories; history++) {
  for (const what of await liveRealHistory(history))
    faults.push({ kind: "wrong", build: `history ${history}`, what });
  if ((history - seed) % 10 === 9) say(`${history - seed + 1} of ${histories} histories of updates`);
}
for (const { kind, build, what } of faults) console.log(`${kind}: ${build}: ${what}`);
console.log(JSON.stringify({ kills: result.kills, builds: result.builds, updates: result.updates }));
const seconds = ((performance.now() - started) / 1000).toFixed(0);
const totals = faultKinds.map((kind) => `${kind} ${faults.filter((fault) => fault.kind === kind).length}`);
console.log(`${totals.join(", ")} (seed ${seed}, ${seconds} s)`);
process.exitCode = faults.length === 0 ? 0 : 1;
