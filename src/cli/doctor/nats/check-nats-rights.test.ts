import { expect, test } from "vitest";
import { probesOf } from "../../../bus/server/probe-permissions.ts";
import { parseBuildId } from "../../../protocol/names.ts";
import { judgeRights, roleOf } from "./check-nats-rights.ts";

test.each([
  [undefined, { role: "client" }],
  ["_INBOX_operator", { role: "client" }],
  ["_INBOX_ci-gitea", { role: "client" }],
  ["_INBOX_dashboard", { role: "reader" }],
  ["_INBOX_builder-cache-01", { role: "builder", name: "cache-01" }],
  ["_INBOX_admin", { role: "admin" }],
])("the inbox %s is that of %j", (prefix, role) => {
  expect(roleOf(prefix)).toEqual(role);
});

test("each right that is missing is named, with what does not work without it", () => {
  const probes = probesOf({ role: "client" }, parseBuildId("01ARZ3NDEKTSV4RRFFQ69G5FAV"));
  const allowed = probes.map((probe) => ({ ...probe, isAllowed: true }));
  expect(judgeRights({ role: "client" }, allowed).map(({ state }) => state)).toEqual(["ok"]);
  const refused = allowed.map((probe) => ({ ...probe, isAllowed: probe.subject !== "build.any.all" }));
  expect(judgeRights({ role: "client" }, refused)).toMatchObject([
    { state: "wrong", message: expect.stringContaining("asking for builds") as string },
  ]);
});
