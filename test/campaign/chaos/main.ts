// `npm run campaign -- chaos --seed S --rounds 20 --labs 2 --minutes 40`: see chaos-campaign.ts. Needs root, for hosts in
// namespaces. Ends with 0 only when every promise was kept.
import { parseArgs } from "node:util";
import { whyNoLab } from "../../support/lab/lab.ts";
import { faultKinds } from "../judge-build.ts";
import { runChaosCampaign } from "./chaos-campaign.ts";

const { values } = parseArgs({
  args: process.argv.slice(3),
  options: {
    seed: { type: "string" },
    rounds: { type: "string", default: "10" },
    labs: { type: "string", default: "2" },
    minutes: { type: "string", default: "40" },
  },
});

function count(name: keyof typeof values): number {
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
const counts = {
  seed: count("seed"),
  rounds: count("rounds"),
  labs: Math.max(1, count("labs")),
  minutes: count("minutes"),
};
console.log(
  `campaign chaos ${Object.entries(counts)
    .flatMap(([name, number]) => [`--${name}`, number])
    .join(" ")}`,
);
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
const say = (line: string): void => console.log(`${seconds().padStart(5)} s  ${line}`);
const { faults, figures } = await runChaosCampaign({ ...counts, say });
for (const { kind, build, what } of faults) console.log(`${kind}: ${build}: ${what}`);
console.log(JSON.stringify(figures));
const totals = faultKinds.map((kind) => `${kind} ${faults.filter((fault) => fault.kind === kind).length}`);
console.log(`${totals.join(", ")} (seed ${counts.seed}, ${seconds()} s)`);
process.exitCode = faults.length === 0 ? 0 : 1;
