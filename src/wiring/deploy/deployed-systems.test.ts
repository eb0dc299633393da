import { expect, test } from "vitest";
import { someOrder, somePath, someSigner, someStatement } from "../../../test/support/deploy-orders.ts";
import { createFakeDeployBus, someHostState } from "../../../test/support/fake-deploy-bus.ts";
import { parseBuildId, parseHostName, parseRepoName } from "../../protocol/names.ts";
import type { HostResult } from "../../protocol/results.ts";
import { signOrder, signStatement } from "../../signing/sign-envelope.ts";
import { readDeployedSystems } from "./deployed-systems.ts";

const never = new AbortController().signal;
const repo = parseRepoName("nixos-servers");
const build = parseBuildId("01JDB3K2M4N5P6Q7R8S9T0V1W2");

test("everything that a host runs, boots, may go back to, was ordered to, or may be ordered to", async () => {
  const bus = createFakeDeployBus([
    someHostState({
      running: { path: somePath("run") },
      booted: { path: somePath("bd") },
      permanent: { path: somePath("pm") },
      bootDefault: { path: null },
      previous: { path: somePath("pv") },
    }),
    someHostState({ repo: "other", running: { path: somePath("foreign") } }),
  ]);
  const order = signOrder(someOrder({ kind: "reboot", path: somePath("rd") }), someSigner("kai"));
  await bus.putOrder({ repo, host: parseHostName("web01") }, order, 0, never);
  const laptop: HostResult = {
    repo,
    host: parseHostName("laptop"),
    verdict: "build-failed",
    build,
    stated: {
      build,
      ...signStatement(someStatement({ host: "laptop", path: somePath("st") }), someSigner("b")),
    },
  };
  const read = readDeployedSystems({ deployments: bus, results: { hosts: async () => [laptop] } });
  const expected = ["run", "bd", "pm", "pv", "rd", "st"].map(somePath);
  expect([...(await read(repo, never))].toSorted()).toEqual(expected.toSorted());
});
