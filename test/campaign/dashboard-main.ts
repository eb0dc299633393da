// `npm run campaign -- dashboard --follow 120 --change 300`: see dashboard.ts.
import { parseArgs } from "node:util";
import { runDashboardCampaign } from "./dashboard.ts";

const { values } = parseArgs({
  allowPositionals: true,
  options: { follow: { type: "string", default: "120" }, change: { type: "string", default: "300" } },
});
const wrong = await runDashboardCampaign({
  followSeconds: Number(values.follow),
  changeSeconds: Number(values.change),
  say: (line) => console.log(line),
});
for (const line of wrong) console.log(`wrong: ${line}`);
console.log(`wrong ${wrong.length}`);
process.exitCode = wrong.length === 0 ? 0 : 1;
