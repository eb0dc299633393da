// `npm run campaign -- cluster --seed 7 --kills 20 --builds 50`: see cluster-campaign.ts. Ends with 0 only when nothing was
// lost, duplicated, wrong or endless.
import { parseArgs } from "node:util";
import { faultKinds } from "../judge-build.ts";
import { runClusterCampaign } from "./cluster-campaign.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    seed: { type: "string", default: "7" },
    kills: { type: "string", default: "20" },
    builds: { type: "string", default: "50" },
    only: { type: "string", default: "" },
  },
});
const started = performance.now();
const seconds = (): string => ((performance.now() - started) / 1000).toFixed(0);
const { faults, ...figures } = await runClusterCampaign({
  seed: Number(values.seed),
  kills: Number(values.kills),
  builds: Number(values.builds),
  only: values.only,
  say: (line) => console.log(`${seconds().padStart(5)} s  ${line}`),
});
for (const { kind, build, what } of faults) console.log(`${kind}: ${build}: ${what}`);
console.log(JSON.stringify(figures));
const totals = faultKinds.map((kind) => `${kind} ${faults.filter((fault) => fault.kind === kind).length}`);
console.log(`${totals.join(", ")} (seed ${values.seed}, ${seconds()} s)`);
process.exitCode = faults.length === 0 ? 0 : 1;
