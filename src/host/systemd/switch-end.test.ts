import { expect, test } from "vitest";
import { parseUnitEnd } from "./switch-end.ts";

const said = (result: string, code: string): string =>
  `Running as unit: homelab-deploy-switch.service
Finished with result: ${result}
Main processes terminated with: code=${code}
Service runtime: 1.203s
`;

test.each([
  ["success", "exited/status=0", { result: "success", hasExited: true }],
  ["exit-code", "exited/status=4", { result: "exit-code", hasExited: true }],
  // As newer versions write it.
  ["exit-code", "exited, status=4/NOPERMISSION", { result: "exit-code", hasExited: true }],
  ["signal", "killed/status=9", { result: "signal", hasExited: false }],
  ["timeout", "killed/status=15", { result: "timeout", hasExited: false }],
])("%s, %s", (result, code, end) => {
  expect(parseUnitEnd(said(result, code))).toEqual(end);
});

test("knows of no end where the unit was not started", () => {
  expect(
    parseUnitEnd(
      "Failed to start transient service unit: Unit homelab-deploy-switch.service already exists.\n",
    ),
  ).toBeUndefined();
});
