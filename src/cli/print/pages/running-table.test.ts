import { expect, test } from "vitest";
import { somePath } from "../../../../test/support/deploy-orders.ts";
import { someHostState } from "../../../../test/support/fake-deploy-bus.ts";
import { runningHosts } from "../../../fleet/running-hosts.ts";
import { parseBuildId, parseHostName, parseRepoName } from "../../../protocol/names.ts";
import type { HostResult } from "../../../protocol/results.ts";
import { plainStyle } from "../style.ts";
import { renderRunning } from "./running-table.ts";

const now = new Date("2026-11-29T12:01:00.000Z");
const rowOf = (host: string): HostResult => ({
  repo: parseRepoName("nixos-servers"),
  host: parseHostName(host),
  verdict: "built",
  build: parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W2"),
});

test("the table has every host that was built or spoke", () => {
  const states = [
    someHostState({
      running: { path: somePath("new"), commit: "c".repeat(40), since: "2026-11-29T11:59:00.000Z" },
    }),
    someHostState({
      host: "nas",
      drift: ["hand-made"],
      running: { path: somePath("x"), nixosVersion: "26.05pre" },
    }),
  ];
  const rows = [rowOf("web01"), rowOf("laptop")];
  const hosts = runningHosts({ states, rows, builds: [], holdOf: () => undefined }, now);
  expect(renderRunning(hosts, { style: plainStyle, now })).toMatchInlineSnapshot(`
    "Host    Runs                  Behind  Since      State             Seen
    laptop                                           never reported
    nas     hand-made (26.05pre)       ?             drift: hand-made  just now
    web01   ccccccc                    ?  2 min ago  ok                just now
    "
  `);
});
