// `npm run campaign -- deploy --seed S --rounds 3`: see deploy-campaign.ts. Needs root, for hosts in namespaces. Ends with 0 only
// when every host came to the end that it should.
import { parseArgs } from "node:util";
import { whyNoLab } from "../../support/lab/lab.ts";
import { faultKinds } from "../judge-build.ts";
import { runDeployCampaign } from "./deploy-campaign.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    seed: { type: "string" },
    rounds: { type: "string", default: "3" },
    labs: { type: "string", default: "2" },
    restarts: { type: "string", default: "10" },
    collected: { type: "string", default: "50" },
    replays: { type: "string", default: "1000" },
    only: { type: "string", default: "" },
  },
});

function count(name: Exclude<keyof typeof values, "only">): number {
  const number = Number(values[name] ?? Date.now() % 1_000_000);
  if (Number.isSafeInteger(number) && number >= 0) return number;
  console.error(`error: --${name} must be a whole number`);
  process.exit(2);
}

const why = whyNoLab();
if (why !== undefined) {
  console.error(`error: ${why}`);
  process.exit(2);
}
const only = new RegExp(values.only);
const counts = {
  seed: count("seed"),
  rounds: count("rounds"),
  labs: Math.max(1, count("labs")),
  restarts: count("restarts"),
  collected: count("collected"),
  replays: count("replays"),
};
console.log(
  `campaign deploy ${Object.entries(counts)
    .flatMap(([name, number]) => [`--${name}`, number])
    .join(" ")}`,
);
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
const say = (line: string): void => console.log(`${seconds().padStart(5)} s  ${line}`);
const { faults, figures } = await runDeployCampaign({ ...counts, only, say });
for (const { kind, build, what } of faults) console.log(`${kind}: ${build}: ${what}`);
console.log(JSON.stringify(figures));
const totals = faultKinds.map((kind) => `${kind} ${faults.filter((fault) => fault.kind === kind).length}`);
console.log(`${totals.join(", ")} (seed ${counts.seed}, ${seconds()} s)`);
process.exitCode = faults.length === 0 ? 0 : 1;
